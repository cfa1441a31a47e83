"""Signs of life that mean something: every loop of the process says that it moves.

A timer that pings the service manager proves that the timer works. Here each loop has a `Pulse` and beats it
at every turn; only while all beat is the manager told that all is well. One that hangs (a lost wake-up, a
thread that never comes back, an event loop that something blocks) lets the process be killed and started
again, from what is committed. Waiting on purpose is no hanging: who sleeps says for how long.
"""

import asyncio
import faulthandler
import logging
import time
from collections.abc import Callable
from typing import Final

from supervision.notify import notify, watchdog_seconds

log = logging.getLogger("supervision")

IDLE_SECONDS: Final = 5.0
"""How often an idle loop turns when nobody watches."""
_LOOKS: Final = 4
"""Signs of life in one period of the service manager's; and a loop may be still for half a period."""


class Pulse:
    """One loop's sign of life."""

    __slots__ = ("_clock", "_patience", "_until", "idle", "name")

    def __init__(self, name: str, patience: float, idle: float, clock: Callable[[], float]) -> None:
        self.name = name
        self.idle = idle
        """Seconds that the loop may wait for work before it must beat again."""
        self._patience = patience
        self._clock = clock
        self._until = clock() + patience

    def beat(self, asleep: float = 0.0) -> None:
        """The loop moves; for `asleep` seconds from now it will not, and knows it."""
        self._until = self._clock() + asleep + self._patience

    @property
    def still(self) -> bool:
        """Whether it has not moved for longer than it may."""
        return self._clock() > self._until


class Watchdog:
    """Tells the service manager that the process is ready, that it works, that it stops."""

    def __init__(
        self,
        period: float | None = None,
        *,
        tell: Callable[[str], object] = notify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`period` in seconds is the manager's patience (``WatchdogSec=``), by default what it says itself;
        0 when it has no watchdog."""
        self.period = watchdog_seconds() if period is None else period
        self._tell = tell
        self._clock = clock
        self._pulses: list[Pulse] = []

    def pulse(self, name: str) -> Pulse:
        """A sign of life for one more loop."""
        idle = min(IDLE_SECONDS, self.period / 8) if self.period else IDLE_SECONDS
        pulse = Pulse(name, self.period / 2, idle, self._clock)
        self._pulses.append(pulse)
        return pulse

    def still(self) -> list[str]:
        """The loops that do not move."""
        return [pulse.name for pulse in self._pulses if pulse.still]

    async def run(self) -> None:
        """Say that the process is ready, then that it works, until cancelled."""
        for pulse in self._pulses:
            pulse.beat()
        self._tell("READY=1")
        try:
            if not self.period:
                await asyncio.Event().wait()
            faulthandler.enable()  # the manager's SIGABRT shows where every thread was
            told: list[str] = []
            while True:
                await asyncio.sleep(self.period / _LOOKS)
                still = self.still()
                if not still:
                    self._tell("WATCHDOG=1")
                elif still != told:
                    log.critical("does not move any more: %s", ", ".join(still))
                told = still
        finally:
            self._tell("STOPPING=1")
