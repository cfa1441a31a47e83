"""Puts what arrived where nothing can lose it: on the edge's disk, else into JetStream.

Whoever asks may acknowledge to the device when `keep` says yes, and must not when it says no.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final, Protocol

from edge.outbox import Group, Outbox, OutboxUnavailable
from readings import Lane, Sample
from supervision.watchdog import Pulse, Watchdog

_RETRY: Final = 1.0
"""Seconds between attempts at a disk that fails."""

log = logging.getLogger("edge.safekeeping")


class Way(Protocol):
    """A way around the outbox."""

    @property
    def is_open(self) -> bool:
        """Whether it is worth trying."""

    async def send(self, samples: Mapping[Lane, Sequence[Sample]], now: int) -> bool:
        """Whether all of `samples` are safe now."""


class Safekeeping:
    """Keeps groups of samples."""

    def __init__(
        self,
        outbox: Outbox,
        worker: Executor,
        clock: Callable[[], int] = time.time_ns,
        *,
        settle: Callable[[Group], Group] = lambda group: group,
        way: Way | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.problem = ""
        """Why the outbox cannot be written, while it cannot."""
        self._outbox = outbox
        self._worker = worker
        self._clock = clock
        self._settle = settle
        """What gives a group's samples their times, as far as they are known by now."""
        self._way = way
        self._pulse = pulse or Watchdog(0).pulse("safekeeping")
        self._again = 0.0
        """When the outbox is tried again, while there is another way."""

    async def keep(self, group: Group, *, on_disk: bool = True) -> bool:
        """Whether `group` is safe now; without `on_disk` the outbox is not asked.

        When not, the same samples may come again in other groups.
        """
        group = self._settle(group)
        while True:
            if on_disk and not self._passes_by() and await self._commit(group):
                return True
            if self._way is not None and await self._way.send(group.samples, self._clock()):
                return True
            if not self._outbox.is_unsure(group):
                return False
            # The disk failed while it confirmed: only it knows whether it has the group.
            self._pulse.beat(asleep=_RETRY)
            await asyncio.sleep(_RETRY * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries

    @property
    def has_way_around(self) -> bool:
        """Whether telemetry may be sent past the outbox: the link is up and none waits in there."""
        return self._is_open and not self._outbox.depth[Lane.TELEMETRY].waits

    @property
    def _is_open(self) -> bool:
        return self._way is not None and self._way.is_open

    def _passes_by(self) -> bool:
        """Whether to spare a disk that has just failed another attempt, because there is another way."""
        return bool(self.problem) and self._is_open and time.monotonic() < self._again

    async def _commit(self, group: Group) -> bool:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._worker, self._outbox.commit, group, self._clock())
        except OutboxUnavailable as error:
            if not self.problem:
                log.critical("the outbox cannot be written: %s", error)
            self.problem, self._again = str(error), time.monotonic() + _RETRY
            return False
        if self.problem:
            log.info("the outbox can be written again")
        self.problem = ""
        return True
