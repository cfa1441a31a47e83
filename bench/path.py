"""Readings a second through the whole path: batches as edges send them → bus → normaliser → store and rules.

A burst first shows what the path can about take; then the load offers somewhat more than that for the whole
time, so that the path never waits for it and little backlog gathers. What counts is what the store *and* the
rules have committed: from the end of the warm-up until everything sent is done.
"""

import signal
import time
from collections.abc import Mapping
from typing import Final

from bench.community import matched, traffic
from bench.counting import Course, StoredAndRuled, follow
from bench.figures import CannotMeasure, Conditions, Figure, Goal
from bench.installation import Installation, Load, Shares, installation
from bench.load_process import BATCH, batches
from gateway.configuration import load_configuration
from rules.model import Rule

GOAL: Final = Goal(50_000, "at least")
OVERLOAD: Final = 1.15
CORE: Final = ("ingest", "gateway")
WARM_UP: Final = 0.2
"""Part of the time after which the counting begins."""
BURST: Final = 3.0
RAISES: Final = 3
"""How often the load is raised when the path keeps up with it."""


async def measure(conditions: Conditions) -> list[Figure]:
    """The sustained rate, with what each process used of the machine's cores."""
    async with installation(conditions) as place:
        conditions.tell("starting ingest and gateway")
        await place.start_core(conditions.profile)
        counter = StoredAndRuled(place.folder / "gateway")
        try:
            sender = Sender(place, counter)
            conditions.tell("a burst, to learn about how much it takes")
            guess = await sender.send(0, min(BURST, conditions.seconds), 0)
            if conditions.profile is not None:
                for role in CORE:
                    place.processes[role].send_signal(signal.SIGUSR2)
            for _ in range(RAISES):
                offered = guess.rate * OVERLOAD
                conditions.tell(f"offering {offered:,.0f} readings/s for {conditions.seconds:g} s")
                shares = Shares(place.processes)
                found = await sender.send(offered, conditions.seconds, WARM_UP * conditions.seconds)
                used = shares.tell()
                costs = {role: shares.micros(role, found.readings) for role in CORE}
                if found.rate < offered * 0.97:
                    break
                guess = found
            memory = ", ".join(f"{name} {place.resident(name)[1]:.0f} MB" for name in (*CORE, "nats-server"))
        finally:
            counter.close()
        said = traffic(place.site)
        rules = {rule.id: rule for rule in load_configuration(place.folder / "site").rules}
        per_reading = _rules_per_reading(place, rules)
        note = (
            f"{len(place.site.devices)} devices, {sum(len(each.series) for each in said)} series, "
            f"{len(rules)} rules ({per_reading:.1f} look at a reading), batches of {BATCH}; offered "
            f"{found.offered:,.0f}/s, drained {found.drained:.1f} s after the end; cores: {used}; "
            f"peak: {memory}"
        )
        if conditions.profile is not None:
            note += "; while sampled for the profile"
    return [
        Figure("path", "readings stored and ruled, sustained", found.rate, "/s", GOAL, note),
        *(Figure("path", f"{role}: processor time per reading", cost, "µs") for role, cost in costs.items()),
    ]


class Sent:
    """What one load came to."""

    def __init__(self, readings: int, rate: float, offered: float, drained: float) -> None:
        self.readings = readings
        self.rate = rate
        self.offered = offered
        self.drained = drained


class Sender:
    """Sends loads one after the other, with numbers that go on."""

    def __init__(self, place: Installation, counter: StoredAndRuled, *, without: str = "") -> None:
        """`without` is an edge that is not to be spoken for: it runs itself."""
        self._place = place
        self._counter = counter
        self._without = without
        self._next: dict[str, int] = {}
        self._done = 0

    async def start(self, rate: float, seconds: float) -> Load:
        """Begin to send, `rate` readings a second."""
        place = self._place
        plan = batches(
            place.folder / "site",
            place.nats.url,
            "core",  # one load speaks for many edges
            place.secret("core"),
            rate,
            seconds,
            self._next,
            without=self._without,
        )
        return await place.load(plan)

    async def send(self, rate: float, seconds: float, warm_up: float) -> Sent:
        """Send and wait until everything is stored and ruled."""
        course, before = Course(), self._done
        load = await self.start(rate, seconds)
        await follow(self._both, course, lambda done: done > before or not load.running)
        since = time.monotonic() + warm_up
        await follow(self._both, course, lambda _: not load.running)
        result = await load.result()
        stopped = time.monotonic()
        self._next = result["next_seq"]  # type: ignore[assignment]  # the one member that is no number
        total = before + int(result["readings"]) // BATCH
        await follow(self._both, course, lambda done: done >= total)
        if course.last > total:
            raise CannotMeasure(f"{course.last} batches done, but only {total} sent")
        self._done = total
        offered = result["readings"] / max((result["ended"] - result["began"]) / 1e9, 1e-9)
        return Sent(int(result["readings"]), course.rate(since) * BATCH, offered, time.monotonic() - stopped)

    def _both(self) -> int:
        return min(self._counter())


def _rules_per_reading(place: Installation, rules: Mapping[str, Rule]) -> float:
    site = place.site
    readings = [
        (device.id, point.name)
        for said in traffic(site)
        for source, native in said.series
        if (device := site.device_at(said.edge, source)) and (point := site.native_point(device, native))
    ]
    return matched(rules, site, readings)
