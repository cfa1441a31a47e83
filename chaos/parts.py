"""One process of an installation that may be killed, frozen and started again, as often as one likes."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.servers import last_words
from supervision.parent import die_with

START_LIMIT: Final = 60.0
STOP_LIMIT: Final = 20.0


class Unbroken(Exception):
    """A scenario could not be carried out as planned; the sentence says why."""


@dataclass
class Part:
    """A process by name. Its output goes to `log`, one file for all its lives."""

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[["Part"], Awaitable[bool]]
    """Whether it does its work."""
    environment: Mapping[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    falls: list[str] = field(default_factory=list)
    """What it said last, each time it ended by itself."""
    _ended: bool = False
    """Whether the last of its lives was ended, or is being ended, from here."""

    @property
    def running(self) -> bool:
        """Whether the process exists."""
        return self.process is not None and self.process.returncode is None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self.process is not None
        return self.process.pid

    async def start(self, *, wait: bool = True) -> None:
        """Start it, and with `wait` until it is ready; raises `Unbroken`."""
        with self.log.open("ab") as sink:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, "GRIDWARDEN_LANG": "en", **self.environment},
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),
            )
        self.starts += 1
        self._ended = False
        if wait:
            await self.until_ready()

    async def until_ready(self, limit: float = START_LIMIT) -> None:
        """Wait until it does its work; raises `Unbroken` when it has ended or `limit` seconds have passed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        while not await self.ready(self) or not self.running:
            if not self.running:
                raise Unbroken(self._words(f"{self.name} has ended by itself"))
            if loop.time() > deadline:
                raise Unbroken(self._words(f"{self.name} does not work after {limit:g} s"))
            await asyncio.sleep(0.03)

    async def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self, limit: float = STOP_LIMIT) -> None:
        """End it in good order: SIGTERM, and by force after `limit` seconds."""
        await self._end(signal.SIGTERM, limit)

    def freeze(self) -> None:
        """Let it stand still (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def notice_fall(self) -> bool:
        """Whether it is not there although nobody ended it; noted in `falls`."""
        if self.process is None or self.running or self._ended:
            return False
        self.falls.append(self._words(f"{self.name} ended by itself, exit code {self.process.returncode}"))
        self._ended = True
        return True

    async def finished(self, limit: float) -> None:
        """Wait until it ends by itself; raises `Unbroken` when it does not, or not well."""
        assert self.process is not None
        try:
            code = await asyncio.wait_for(self.process.wait(), limit)
        except TimeoutError:
            raise Unbroken(self._words(f"{self.name} is not done after {limit:g} s")) from None
        if code:
            raise Unbroken(self._words(f"{self.name} ended with exit code {code}"))

    def _signal(self, number: int) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _end(self, how: int, limit: float = STOP_LIMIT) -> None:
        self.notice_fall()
        self._ended = True
        if not self.running or self.process is None:
            return
        self._signal(how)
        try:
            await asyncio.wait_for(self.process.wait(), limit)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.process.wait()

    def _words(self, what: str) -> str:
        return "\n".join([what, *last_words(self.log)])
