"""Group commit: many intakes, one transaction, then their acknowledgements.

An alarm is committed as soon as the disk is free; telemetry waits up to `DELAY` for company. While a
commit runs in the worker thread the next group gathers. Back-pressure is per source: a driver whose
intakes wait is not asked for more, the others go on.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final, NamedTuple

from edge.intake import Intake
from edge.outbox import Group, Outbox, OutboxUnavailable
from edge.routes import Routes
from readings import Lane, Sample
from supervision.watchdog import Pulse, Watchdog

DELAY: Final = 0.02
GROUP_INTAKES: Final = 500
"""A group is closed at so many intakes."""
EAGER_INTAKES: Final = 300
"""With so many waiting, telemetry waits no longer."""
PORT_INTAKES: Final = 800
"""A source with so many uncommitted intakes is not asked for more."""

log = logging.getLogger("edge.collector")


class _Waiting(NamedTuple):
    port: "Port"
    intake: Intake
    alarm: Sequence[Sample]
    telemetry: Sequence[Sample]


class Port:
    """Where one source hands in its intakes."""

    def __init__(self, name: str, collector: "Collector") -> None:
        self.name = name
        self.waiting = 0
        self.taken = 0
        """Samples committed since the start."""
        self._collector = collector

    async def put(self, intakes: Sequence[Intake]) -> None:
        """Hand in `intakes`, in order; returns when the source may go on reading."""
        self._collector.add(self, intakes)
        while self.waiting >= PORT_INTAKES:
            await self._collector.progress()


class Collector:
    """Turns intakes into committed batches. `committed` is called after each commit."""

    def __init__(
        self,
        outbox: Outbox,
        routes: Routes,
        worker: Executor,
        *,
        clock: Callable[[], int] = time.time_ns,
        committed: Callable[[], None] = lambda: None,
        pulse: Pulse | None = None,
    ) -> None:
        self.problem = ""
        """Why the outbox cannot be written, while it cannot."""
        self.refused = False
        """Telemetry is not taken: the outbox is full."""
        self._outbox = outbox
        self._routes = routes
        self._worker = worker
        self._clock = clock
        self._committed = committed
        self._pulse = pulse or Watchdog(0).pulse("collector")
        self._waiting: deque[_Waiting] = deque()
        self._alarms = 0
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        self._progress = asyncio.Event()
        self._busy = False

    def port(self, name: str) -> Port:
        """A new source."""
        return Port(name, self)

    def add(self, port: Port, intakes: Iterable[Intake]) -> None:
        """Queue `intakes`; see `Port.put`."""
        source, lanes = "", self._routes.of("")
        for intake in intakes:
            alarm: list[Sample] = []
            telemetry: list[Sample] = []
            for sample in intake.samples:
                if sample.source != source:
                    source = sample.source
                    lanes = self._routes.of(source)
                lane = lanes[sample.point]
                if lane is Lane.ALARM:
                    alarm.append(sample)
                elif lane is not None:
                    telemetry.append(sample)
            self._alarms += bool(alarm)
            self._waiting.append(_Waiting(port, intake, alarm, telemetry))
            port.waiting += 1
        if self._waiting:
            self._arrived.set()
            if self._alarms or len(self._waiting) >= EAGER_INTAKES:
                self._hurry.set()

    async def progress(self) -> None:
        """Wait until a group was committed."""
        self._progress.clear()
        await self._progress.wait()

    def room_made(self) -> None:
        """The uplink freed space in the outbox."""
        if self.refused:
            self._arrived.set()

    async def run(self) -> None:
        """Commit what arrives, until cancelled."""
        while True:
            self._pulse.beat()
            if not self._arrived.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pulse.idle):
                        await self._arrived.wait()
                continue
            if not self._hurry.is_set():
                try:
                    async with asyncio.timeout(DELAY):
                        await self._hurry.wait()
                except TimeoutError:
                    pass  # nothing urgent came: the group has had its time to gather
            group = self._next_group()
            if group:
                self._busy = True
                await self._commit(group)
                self._busy = False

    async def drain(self) -> None:
        """Wait until nothing is in hand that can be committed."""
        while self._busy or (self._waiting and not self.refused):
            await self.progress()

    def _next_group(self) -> list[_Waiting]:
        """What to commit now, oldest first. A full outbox takes only what carries an alarm."""
        self._tell_room(self._outbox.has_room(Lane.TELEMETRY))
        if not self.refused:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_INTAKES))]
        elif self._alarms and self._outbox.has_room(Lane.ALARM):
            group, rest = [], deque[_Waiting]()
            for waiting in self._waiting:
                (rest if waiting.telemetry and not waiting.alarm else group).append(waiting)
            self._waiting = rest
        else:
            group = []
        self._alarms -= sum(1 for waiting in group if waiting.alarm)
        if not self._waiting or self.refused:
            self._arrived.clear()
        if not self._alarms and len(self._waiting) < EAGER_INTAKES:
            self._hurry.clear()
        return group

    def _tell_room(self, room: bool) -> None:
        if self.refused is room:
            self.refused = not room
            if room:
                log.info("the outbox has room again; telemetry is taken")
            else:
                log.error("the outbox is full; telemetry waits at its devices, alarms go on")

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        samples: dict[Lane, list[Sample]] = {}
        deliveries: dict[str, list[tuple[int, int]]] = {}
        for waiting in group:
            if waiting.alarm:
                samples.setdefault(Lane.ALARM, []).extend(waiting.alarm)
            if waiting.telemetry:
                samples.setdefault(Lane.TELEMETRY, []).extend(waiting.telemetry)
            if waiting.intake.delivery is not None:
                deliveries.setdefault(waiting.port.name, []).append(waiting.intake.delivery)
        if samples or deliveries:
            await self._commit_surely(Group(samples, deliveries))
        for waiting in group:
            waiting.port.waiting -= 1
            waiting.port.taken += len(waiting.alarm) + len(waiting.telemetry)
            if waiting.intake.ack is not None:
                waiting.intake.ack()
        self._progress.set()
        self._committed()

    async def _commit_surely(self, group: Group) -> None:
        """Commit `group` however long it takes; nothing is acknowledged meanwhile."""
        loop = asyncio.get_running_loop()
        delay = 0.1
        while True:
            try:
                await loop.run_in_executor(self._worker, self._outbox.commit, group, self._clock())
            except OutboxUnavailable as error:
                if self.problem != str(error):
                    self.problem = str(error)
                    log.critical("the outbox cannot be written, nothing is acknowledged: %s", error)
                self._pulse.beat(asleep=delay)
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries
                delay = min(delay * 2, 5.0)
            else:
                if self.problem:
                    self.problem = ""
                    log.info("the outbox can be written again")
                return
