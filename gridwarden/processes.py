"""Child processes: started in order, watched, restarted with back-off, stopped in stages.

No child outlives its parent: each asks the kernel (``PR_SET_PDEATHSIG``) for SIGTERM when the parent is
gone, kill -9 included. What a child writes goes to a log file of its own.
"""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from supervision import EXIT_CONFIGURATION
from supervision.output import bound
from supervision.parent import die_with

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
STEADY_SECONDS: Final = 30.0
"""A child that ran this long has recovered: its next restart waits `FIRST_PAUSE` again."""

MEND_FIRST: Final = frozenset({2, EXIT_CONFIGURATION})
"""Exit codes of a wrong command line or configuration."""


class ChildFailed(RuntimeError):
    """A child ended before it was ready. Show its last words and stop."""


@dataclass(slots=True)
class Child:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stage: int = 0
    """Children of a higher stage feed those of a lower one, and are stopped before them."""
    patience: float = 2.0
    """Seconds that it gets to stop before it is killed."""
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0

    async def start(self) -> asyncio.subprocess.Process:
        """Start the process; its output is appended to `log`."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        bound(self.log)
        with self.log.open("ab") as sink:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C reaches the parent only, which stops children in order
                preexec_fn=die_with(os.getpid()),
            )
        return self.process

    def last_words(self, lines: int = 12) -> str:
        """The end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after `patience`."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.patience)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Supervisor:
    """Keeps children running until it is stopped."""

    def __init__(
        self, on_restart: Callable[[Child, int, float], None], on_end: Callable[[Child, int], None]
    ) -> None:
        """`on_restart(child, exit code, pause)` is told of every child that ended by itself.

        `on_end(child, exit code)` instead, when starting it again is of no use (`MEND_FIRST`).
        """
        self._on_restart = on_restart
        self._on_end = on_end
        self._children: list[Child] = []
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    @property
    def children(self) -> Sequence[Child]:
        """In the order of their start."""
        return self._children

    async def run(
        self, child: Child, ready: Callable[[], Awaitable[bool]] | None = None, within: float = 120
    ) -> None:
        """Start `child`, wait until `ready` says so, then watch it.

        Raises `ChildFailed` when it ends or is not ready in time.
        """
        process = await child.start()
        self._children.append(child)
        deadline = time.monotonic() + within
        while ready is not None and not await ready():
            if process.returncode is not None:
                raise ChildFailed(child.last_words() or f"exit code {process.returncode}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"not ready after {within:.0f} s\n{child.last_words()}")
            await asyncio.sleep(0.05)
        self._watchers[child.name] = asyncio.create_task(self._watch(child), name=f"watch {child.name}")

    async def retire(self, name: str) -> bool:
        """Stop the child called `name` and keep it stopped; False when there is none."""
        child = next((child for child in self._children if child.name == name), None)
        if child is None:
            return False
        if watcher := self._watchers.pop(name, None):
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
        self._children.remove(child)
        await child.stop()
        return True

    async def _watch(self, child: Child) -> None:
        pause = FIRST_PAUSE
        while child.process is not None:
            started = time.monotonic()
            code = await child.process.wait()
            if self._stopping:
                return
            if code in MEND_FIRST:
                self._on_end(child, code)
                return
            if time.monotonic() - started > STEADY_SECONDS:
                pause = FIRST_PAUSE
            wait = pause * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not secrecy
            self._on_restart(child, code, wait)
            await asyncio.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)
            child.restarts += 1
            await child.start()

    async def stop(self) -> None:
        """Stop all children, the highest stage first; those of one stage together."""
        self._stopping = True
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)
        for stage in sorted({child.stage for child in self._children}, reverse=True):
            await asyncio.gather(*(child.stop() for child in self._children if child.stage == stage))


def own_command(*arguments: str) -> list[str]:
    """The command line that runs GridWarden itself with `arguments`."""
    return [sys.executable, "-m", "gridwarden", *arguments]
