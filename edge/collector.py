"""Group commit: many intakes, one transaction, then their acknowledgements.

An alarm is committed as soon as the disk is free; telemetry waits up to `DELAY` for company. While a
commit runs in the worker thread the next group gathers. Back-pressure is per source: a driver whose
intakes wait is not asked for more, the others go on.

While the outbox cannot be written or is full, what carries an alarm is tried first and by itself, and
nothing is acknowledged that is not safe (`edge.safekeeping`). What was polled promises nothing to anybody:
when too much of it waits, the oldest telemetry is left out and counted, so that polling goes on and an
alarm on the same line is still seen.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from edge.intake import Intake
from edge.outbox import Group, Outbox
from edge.routes import Routes
from edge.safekeeping import Safekeeping
from readings import Lane, Sample
from supervision.watchdog import Pulse, Watchdog

DELAY: Final = 0.02
GROUP_INTAKES: Final = 500
"""A group is closed at so many intakes."""
EAGER_INTAKES: Final = 300
"""With so many waiting, telemetry waits no longer."""
PORT_INTAKES: Final = 800
"""A source with so many uncommitted intakes is not asked for more."""
_LONGEST_REST: Final = 5.0
"""Seconds between attempts to keep what nothing could keep."""

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
            if not self._collector.relieve(self):
                await self._collector.progress()


class Collector:
    """Turns intakes into committed batches. `committed` is called after each commit."""

    def __init__(
        self,
        keeping: Safekeeping,
        outbox: Outbox,
        routes: Routes,
        *,
        committed: Callable[[], None] = lambda: None,
        pulse: Pulse | None = None,
    ) -> None:
        self.refused = False
        """Telemetry is not taken: the outbox is full."""
        self.not_taken = 0
        """Samples that were polled and left out since the start, because nothing could keep them."""
        self._keeping = keeping
        self._outbox = outbox
        self._routes = routes
        self._committed = committed
        self._pulse = pulse or Watchdog(0).pulse("collector")
        self._waiting: deque[_Waiting] = deque()
        self._alarms = 0
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        self._alarm_arrived = asyncio.Event()
        self._progress = asyncio.Event()
        self._busy = False
        self._stuck = False
        """The last group could not be kept."""

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
            if alarm:
                self._alarms += 1
                self._alarm_arrived.set()
            self._waiting.append(_Waiting(port, intake, alarm, telemetry))
            port.waiting += 1
        if self._waiting:
            self._arrived.set()
            if self._alarms or len(self._waiting) >= EAGER_INTAKES:
                self._hurry.set()

    async def progress(self) -> None:
        """Wait until a group was kept, or could not be."""
        self._progress.clear()
        await self._progress.wait()

    def room_made(self) -> None:
        """The uplink freed space in the outbox."""
        if self.refused:
            self._arrived.set()

    def relieve(self, port: Port) -> bool:
        """Leave out old telemetry of `port` that nobody waits for, while nothing can keep it.

        False when telemetry can be kept, or there is none that could be left out.
        """
        if not self._stuck and not (self.refused and not self._keeping.has_way_around):
            return False
        spare = port.waiting - PORT_INTAKES // 2
        rest = deque[_Waiting]()
        for waiting in self._waiting:
            polled = waiting.intake.ack is None and waiting.intake.delivery is None
            if spare > 0 and waiting.port is port and polled and not waiting.alarm:
                spare -= 1
                port.waiting -= 1
                self.not_taken += len(waiting.telemetry)
            else:
                rest.append(waiting)
        relieved = len(rest) < len(self._waiting)
        self._waiting = rest
        return relieved

    async def run(self) -> None:
        """Keep what arrives, until cancelled."""
        failures = 0
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
            chosen, on_disk = self._choose()
            if not chosen:
                continue
            self._busy = True
            self._stuck = not await self._keep(chosen, on_disk=on_disk)
            self._busy = False
            self._progress.set()
            if not self._stuck:
                failures = 0
                continue
            self._put_back(chosen)
            if self._alarms and not all(waiting.alarm for waiting in chosen):
                continue  # alarms by themselves
            await self._rest(min(0.1 * 2**failures, _LONGEST_REST))
            failures += 1

    async def drain(self) -> None:
        """Wait until nothing is in hand that can be committed."""
        while self._busy or (self._waiting and not self.refused):
            await self.progress()

    def _choose(self) -> tuple[list[_Waiting], bool]:
        """What to keep now, oldest first, and whether on disk.

        Only what carries an alarm where that is all that may fit; past the outbox when it is full.
        """
        self._tell_room(self._outbox.has_room(Lane.TELEMETRY))
        chosen: list[_Waiting] = []
        on_disk = True
        if self._alarms and (self._stuck or self.refused) and self._outbox.has_room(Lane.ALARM):
            rest = deque[_Waiting]()
            for waiting in self._waiting:
                (rest if waiting.telemetry and not waiting.alarm else chosen).append(waiting)
            self._waiting = rest
        elif not self.refused or self._keeping.has_way_around:
            chosen = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_INTAKES))]
            on_disk = not self.refused
        self._alarms -= sum(1 for waiting in chosen if waiting.alarm)
        self._alarm_arrived.clear()
        if not self._waiting or not chosen:
            self._arrived.clear()
        if not self._alarms and len(self._waiting) < EAGER_INTAKES:
            self._hurry.clear()
        return chosen, on_disk

    def _put_back(self, chosen: Sequence[_Waiting]) -> None:
        self._waiting.extendleft(reversed(chosen))
        self._alarms += sum(1 for waiting in chosen if waiting.alarm)
        self._arrived.set()

    def _tell_room(self, room: bool) -> None:
        if self.refused is room:
            self.refused = not room
            self._progress.set()  # who waits for room may leave something out
            if room:
                log.info("the outbox has room again; telemetry is taken")
            else:
                log.error("the outbox is full; telemetry waits at its devices, alarms go on")

    async def _keep(self, chosen: Sequence[_Waiting], *, on_disk: bool) -> bool:
        """Acknowledge `chosen` once all of it is safe; False when it cannot be made so now."""
        samples: dict[Lane, list[Sample]] = {}
        deliveries: dict[str, list[tuple[int, int]]] = {}
        urgent = True
        for waiting in chosen:
            if waiting.alarm:
                samples.setdefault(Lane.ALARM, []).extend(waiting.alarm)
            if waiting.telemetry:
                samples.setdefault(Lane.TELEMETRY, []).extend(waiting.telemetry)
                urgent = urgent and bool(waiting.alarm)
            if waiting.intake.delivery is not None:
                deliveries.setdefault(waiting.port.name, []).append(waiting.intake.delivery)
        group = Group(samples, deliveries, urgent)
        if (samples or deliveries) and not await self._keeping.keep(group, on_disk=on_disk):
            return False
        for waiting in chosen:
            waiting.port.waiting -= 1
            waiting.port.taken += len(waiting.alarm) + len(waiting.telemetry)
            if waiting.intake.ack is not None:
                waiting.intake.ack()
        self._committed()
        return True

    async def _rest(self, seconds: float) -> None:
        """Let time pass before the next attempt, unless an alarm comes."""
        self._pulse.beat(asleep=seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds * random.uniform(0.5, 1.0)):  # noqa: S311 - spreads retries
                await self._alarm_arrived.wait()
