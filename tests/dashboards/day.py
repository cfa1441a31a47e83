"""A day of the reference community, told by the simulators' devices and judged by the real rules and desk.

`spoken` is what the devices said, in the simulators' own words; figures on dashboards are compared with
sums over it and with the operations database, never with what InfluxDB says.
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from cases.case import Case
from cases.desk import Desk
from cases.states import State
from cases.store import OperationsStore
from gateway.configuration import load_configuration
from readings import Reading, Scalar
from registry.device_types import Kind
from registry.devices import Device
from registry.site import Site
from rules.compile import compile_rules
from rules.engine import Engine
from rules.model import Rule
from rules.state import EngineState
from simulators.casting import Ensemble
from simulators.community import write_community
from simulators.device import Change, Glide, Hold, Occur, SimulatedDevice
from simulators.scenario import load_scenario
from simulators.timeline import Stage, timeline

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
STEP = 10 * MINUTE
"""How often a device that is asked regularly says all its points."""
AT_NIGHT = "door-forced-at-night"
NIGHT = (1, 2, 3)
"""Local hours in which every place that is ever closed is closed."""
STORIES = {9: "kitchen-fire", 15: "noisy-detector"}
"""What else happens, in hours from the beginning, whatever time of day that is."""


@dataclass
class Day:
    """Everything that was said from `start` to `end` (ns), in order, and what came of it."""

    site: Site
    rules: list[Rule]
    start: int
    end: int
    store: OperationsStore
    spoken: list[Reading] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    def of(self, device_class: str, point: str) -> Iterator[tuple[Device, Reading]]:
        """The readings of a point of all devices of a class."""
        for reading in self.spoken:
            device = self.site.devices[reading.device]
            if reading.point == point and self.site.type_of(device).device_class == device_class:
                yield device, reading

    def count(self, device_class: str, point: str, value: Scalar) -> int:
        """How many readings of a point had this value."""
        return sum(reading.value == value for _, reading in self.of(device_class, point))


def live(folder: Path, end: int, devices: int = 150) -> Day:
    """The 24 hours up to `end` (ns since 1970 UTC)."""
    write_community(
        folder / "site", devices=devices, seed=7, broker_url="mqtt://127.0.0.1:1883", serial_dir="/dev"
    )
    configuration = load_configuration(folder / "site")
    site = configuration.site
    assert site is not None
    assert configuration.sound, configuration.problems
    store = OperationsStore(f"sqlite:///{folder / 'operations.db'}")
    store.migrate()
    day = Day(site, configuration.rules, end - 24 * HOUR, end, store)
    day.spoken = sorted(_spoken(day), key=lambda reading: (reading.time, reading.device, reading.point))
    _judge(day)
    _work(day)
    return day


def _spoken(day: Day) -> Iterator[Reading]:
    site = day.site
    players = {
        device.id: SimulatedDevice(device, site.type_of(device), "7") for device in site.devices.values()
    }
    changes = sorted(_changes(day), key=lambda change: change[0])
    for device in players.values():
        own = [(at, change) for at, devices, change in changes if device.id in devices]
        yield from _life(device, day, own)
        yield from _events(device, day)


def _changes(day: Day) -> Iterator[tuple[int, tuple[str, ...], Change]]:
    site = day.site
    stage = Stage(Ensemble(site.devices, site.types, site.places), load_scenario, random.Random(7))
    others = ((day.start + hour * HOUR, name) for hour, name in STORIES.items())
    for begin, name in ((_night(day), AT_NIGHT), *others):
        for action in timeline(load_scenario(name), stage):
            if action.change is not None:
                yield begin + int(action.at * SECOND), action.devices, action.change


def _night(day: Day) -> int:
    """A moment at night, at least an hour after the beginning and two before the end."""
    later = (day.start + hour * HOUR for hour in range(1, 23))
    return next(at for at in later if datetime.fromtimestamp(at / SECOND, day.site.zone).hour in NIGHT)


def _life(device: SimulatedDevice, day: Day, changes: list[tuple[int, Change]]) -> Iterator[Reading]:
    """What it says of its points: all of them every `STEP`, and at once what changes."""
    points = [point for point in device.type.points if point.kind in (Kind.NUMBER, Kind.BINARY)]
    first = day.start + zlib.crc32(device.id.encode()) % STEP
    moments: list[tuple[int, Change | None]] = [(at, None) for at in range(first, day.end, STEP)]
    for at, change in sorted([*moments, *changes], key=lambda moment: moment[0]):
        said = points
        match change:
            case None:
                pass
            case Hold(values):
                device.apply(change, at)
                said = [point for point in points if point.name in values]
            case Glide(name):
                device.apply(change, at)
                said = [point for point in points if point.name == name]
            case Occur(word, score):
                event = device.event_point()
                if event is not None:
                    yield Reading(device.id, event.name, word, at, at, at)
                said = []
                if any(point.name == "score" for point in points):
                    yield Reading(device.id, "score", score, at, at, at)
                    yield Reading(device.id, "zone", "stairs", at, at, at)
            case _:
                device.apply(change, at)
                said = []
        for point in said:
            value = device.value(point.name, at)
            number = float(value) if point.kind is Kind.NUMBER else bool(value)
            yield Reading(device.id, point.name, number, at, at, at)


def _events(device: SimulatedDevice, day: Day) -> Iterator[Reading]:
    """People at doors and before cameras, some each hour."""
    event = device.event_point()
    if event is None:
        return
    words = (
        ("granted", "granted", "granted", "denied")
        if device.type.device_class == "door"
        else ("person", "car", "umbrella")
    )
    for hour in range(24):
        chance = random.Random(f"{device.id}/{hour}")
        for _ in range(chance.randrange(4)):
            at = day.start + hour * HOUR + chance.randrange(HOUR)
            yield Reading(device.id, event.name, chance.choice(words), at, at, at)
            if device.type.device_class == "camera":
                yield Reading(device.id, "zone", chance.choice(("gate", "yard")), at, at, at)


def _judge(day: Day) -> None:
    """The engine and the desk, minute by minute."""
    engine = Engine(compile_rules(day.rules, day.site), EngineState.restore({}, b""))
    desk = Desk(day.site, day.rules)
    at, waiting = day.start, iter(day.spoken)
    upcoming = next(waiting, None)
    while at < day.end:
        at += MINUTE
        heard = []
        while upcoming is not None and upcoming.time <= at:
            heard.append(upcoming)
            upcoming = next(waiting, None)
        findings = engine.feed(heard, at) + engine.tick(at)
        with day.store.transaction() as tx:
            desk.report(findings, tx, at)
            desk.tick(tx, at)


def _work(day: Day) -> None:
    """People close the first case in time and the second one late; the others stay open."""
    with day.store.reading() as ask:
        from cases.store import CaseFilter

        found = sorted(
            ask.cases(CaseFilter(state="all"), limit=500).items, key=lambda case: (case.opened, case.id)
        )
    changed = []
    for number, case in enumerate(found[:2]):
        closed = case.opened + HOUR
        clock = replace(case.clock, stopped=closed, overdue=closed - MINUTE if number else None)
        changed.append(
            replace(
                case, state=State.CLOSED, accepted=case.opened + MINUTE, closed=closed, clock=clock, timers=()
            )
        )
    with day.store.transaction() as tx:
        tx.put_cases([(case, ()) for case in changed])
    day.cases = changed + found[2:]
