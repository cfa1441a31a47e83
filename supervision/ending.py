"""The end of a process's tasks, however they take it."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

AGAIN_SECONDS: Final = 0.5
"""How long tasks have to end before they are told once more."""


async def end(
    tasks: Collection[asyncio.Task[Any]], *, all_but: Collection[asyncio.Task[Any]] | None = None
) -> None:
    """Cancel `tasks` and return when they have ended, whatever they ended with.

    A cancellation can be lost: Python 3.11's ``asyncio.wait_for``, in which nats-py and aiomqtt wait for
    every answer, drops one that comes in the same turn as the answer (python/cpython#86296, mended in 3.12).
    A task that goes on for ever keeps its process, its lock and its port, so they are told again.

    A task group passes a cancellation on only once. Where `tasks` have groups inside, `all_but` names what
    is still needed after them: everything else in the loop is told again, too.
    """
    here = asyncio.current_task()
    told: set[asyncio.Task[Any]] = set(tasks)
    while waiting := {task for task in tasks if not task.done()}:
        for task in told:
            task.cancel()
        await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
        told = waiting if all_but is None else asyncio.all_tasks() - {here, *all_but}
