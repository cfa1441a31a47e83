"""Processes that are killed with SIGKILL, at moments nobody could choose worse."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager

from chaos.dice import Blow
from chaos.fire import Fire
from chaos.site import EDGES
from chaos.stage import Stage
from chaos.world import CORE, World

_AFTER = (0.3, 2.0)
_LASTS = (0.05, 1.0)
_FIRES = 3
"""Detectors of each edge that say, one after the other, that it burns."""


async def calm(stage: Stage) -> None:
    """Nothing is broken."""
    async with stage.world() as world:
        for edge in EDGES:
            await world.load(edge, stage.scale.rate)
        await asyncio.sleep(5)
        await stage.mend(world, lambda: None)


async def edge(stage: Stage) -> None:
    """Edge agents: what they acknowledged is in their outbox, or was sent."""
    await _kill(stage, EDGES)


async def bus(stage: Stage) -> None:
    """The message bus: what it acknowledged is on its disk."""
    await _kill(stage, ("nats",))


async def core(stage: Stage) -> None:
    """The core's processes: state and position commit together."""
    await _kill(stage, CORE)


async def sender(stage: Stage) -> None:
    """The devices' side: it says again what it did not hear about."""
    await _kill(stage, ("sender binhu-east 0", "sender binhu-west 1"))


async def everything(stage: Stage) -> None:
    """Any process, up to three of them dead at the same time."""
    parts = (*EDGES, "nats", *CORE, "sender binhu-east 0", "sender binhu-west 1")
    lanes = [
        stage.dice.blows("kill", parts[n::3], stage.scale.blows, after=_AFTER, lasts=_LASTS) for n in range(3)
    ]
    async with _burning(stage) as (world, burn), asyncio.TaskGroup() as tasks:
        tasks.create_task(burn)
        for blows in lanes:
            tasks.create_task(_strike(stage, world, blows))


async def _kill(stage: Stage, parts: Sequence[str]) -> None:
    blows = stage.dice.blows("kill", parts, stage.scale.blows, after=_AFTER, lasts=_LASTS)
    async with _burning(stage) as (world, burn), asyncio.TaskGroup() as tasks:
        tasks.create_task(burn)
        tasks.create_task(_strike(stage, world, blows))


@asynccontextmanager
async def _burning(stage: Stage) -> AsyncIterator[tuple[World, Coroutine[None, None, None]]]:
    """An installation under load, and what lets one detector after the other say that it burns."""
    between = stage.scale.blows * sum((*_AFTER, *_LASTS)) / 2 / (_FIRES * len(EDGES))
    waits = [
        stage.dice.between("seconds before a fire", 0.0, 2 * between) for _ in range(_FIRES * len(EDGES))
    ]
    async with stage.world() as world:
        fires = [Fire(world, edge, number) for number in range(_FIRES) for edge in EDGES]
        spare = {device for fire in fires for device in fire.devices}
        for edge in EDGES:
            await world.load(edge, stage.scale.rate, spare=spare)

        async def burn() -> None:
            for wait, fire in zip(waits, fires, strict=True):
                await asyncio.sleep(wait)
                await fire.light()

        yield world, burn()


async def _strike(stage: Stage, world: World, blows: Sequence[Blow]) -> None:
    for blow in blows:
        part = world.parts[blow.part]
        # it need not be ready when the next blow falls: a process that dies while it starts is a case too
        await stage.blow(world, blow, part.kill, lambda part=part: part.start(wait=False))  # type: ignore[misc]
