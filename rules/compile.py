"""From rules and a site to a program: which rules a device is under, as closures, resolved once.

Rules are found through the device's type, and inside a device through the point, so a reading meets only
the rules that look at its point. What a device is under is worked out when it is first asked for and kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from zlib import crc32

from registry.calendars import Hours
from registry.device_types import DeviceType, Kind
from registry.devices import Device
from registry.grids import Place
from registry.site import Site
from rules.conditions import comparisons
from rules.durations import SECOND
from rules.findings import Severity
from rules.model import Inhibit, Label, Match, NoData, Rule, Schedule
from rules.schedule import Openings
from rules.thresholds import overridden
from rules.verdicts import Test, any_of, compiled, never, specialised

_NO_EFFECT_ON_STATE = {"label", "manage", "group", "case", "inhibits", "version"}


_PlanKey = tuple[str, str, tuple[tuple[str, float], ...]]
"""Rule, device type and the thresholds of a device's own."""


@dataclass(frozen=True, slots=True)
class Step:
    """A level as closures; times in ns."""

    severity: Severity
    when: Test
    clear: Test | None
    hold: int


@dataclass(frozen=True, eq=False)
class WatchPlan:
    """How one rule watches devices of one type with the same thresholds."""

    rule: Rule
    steps: tuple[Step, ...]
    points: frozenset[str]
    events: frozenset[str]
    """The event points among them."""
    pulse: bool
    """It looks at an event point: TRUE is a moment, and there is no FALSE that ends it."""
    stamp: int
    """Changes when the rule's meaning for these devices changes."""
    anything: Test
    """TRUE when any step's `when` is; for the quick look."""


@dataclass(frozen=True, eq=False)
class SilencePlan:
    """How one rule watches that devices of one type are heard."""

    rule: Rule
    no_data: NoData
    after: int
    points: tuple[str, ...]
    """The points that must be known; empty: any point of the device."""
    stamp: int


@dataclass(frozen=True, eq=False)
class DevicePlan:
    """Everything about one device that the engine needs."""

    device: Device
    labels: Mapping[str, str]
    kinds: Mapping[str, Kind]
    watches: tuple[tuple[WatchPlan, Openings | None], ...]
    silences: tuple[SilencePlan, ...]


@dataclass(eq=False)
class Program:
    """Compiled rules. Immutable for its users; what it caches changes no answer."""

    rules: Mapping[str, Rule]
    site: Site
    _devices: dict[str, DevicePlan] = field(default_factory=dict)
    _plans: dict[tuple[str, str, tuple[tuple[str, float], ...]], WatchPlan | None] = field(
        default_factory=dict
    )
    _openings: dict[tuple[str, str], Openings | None] = field(default_factory=dict)
    _groups: dict[tuple[str, tuple[Label, ...]], dict[tuple[str, ...], tuple[str, ...]]] = field(
        default_factory=dict
    )

    def device(self, device_id: str) -> DevicePlan | None:
        """The plan for a device; None when the site does not know it."""
        plan = self._devices.get(device_id)
        if plan is None and (device := self.site.devices.get(device_id)) is not None:
            plan = self._devices[device_id] = self._resolved(device)
        return plan

    def group(self, rule: Rule, labels: tuple[Label, ...], values: Mapping[str, str]) -> tuple[str, ...]:
        """The devices that `rule` watches and that have these `labels` in common with `values`.

        Devices that have none of the labels are in nobody's group: the answer is empty.
        """
        groups = self._groups.get((rule.id, labels))
        if groups is None:
            found: dict[tuple[str, ...], list[str]] = {}
            for device in self._matched(rule):
                plan = self.device(device.id)
                if plan is not None and any(watch.rule is rule for watch, _ in plan.watches):
                    found.setdefault(tuple(plan.labels.get(label, "") for label in labels), []).append(
                        device.id
                    )
            groups = self._groups[rule.id, labels] = {key: tuple(ids) for key, ids in found.items()}
        wanted = tuple(values.get(label, "") for label in labels)
        return groups.get(wanted, ()) if any(wanted) else ()

    def members(self, rule: Rule) -> list[str]:
        """The devices whose type `rule` may match."""
        return [device.id for device in self._matched(rule)]

    @cached_property
    def inhibits(self) -> tuple[tuple[str, Inhibit], ...]:
        """Every inhibit with the rule whose alarm is its source."""
        return tuple((rule.id, inhibit) for rule in self.rules.values() for inhibit in rule.inhibits)

    @cached_property
    def watched_for_silence(self) -> tuple[str, ...]:
        """Ids of the devices whose silence some rule wants to know."""
        wanting = {
            type_id for type_id, rules in self._by_type.items() if any(r.no_data is not None for r in rules)
        }
        devices = (device for device in self.site.devices.values() if device.type in wanting)
        return tuple(device.id for device in devices if (plan := self.device(device.id)) and plan.silences)

    @cached_property
    def _kinds(self) -> Mapping[str, Mapping[str, Kind]]:
        return {
            kind.id: {point.name: point.kind for point in kind.points} for kind in self.site.types.values()
        }

    @cached_property
    def _by_type(self) -> Mapping[str, tuple[Rule, ...]]:
        active = [rule for rule in self.rules.values() if rule.enabled]
        return {
            kind.id: tuple(rule for rule in active if _type_accepted(rule.match, kind))
            for kind in self.site.types.values()
        }

    def _matched(self, rule: Rule) -> Iterable[Device]:
        kinds = {type_id for type_id, rules in self._by_type.items() if rule in rules}
        return [device for device in self.site.devices.values() if device.type in kinds]

    def _resolved(self, device: Device) -> DevicePlan:
        kind, place = self.site.types[device.type], self.site.places[device.place]
        labels = labels_of(self.site, device)
        watches, silences = [], []
        for rule in self._by_type[kind.id]:
            if not _accepted(rule.match, labels):
                continue
            plan = self._watch_plan(rule, kind, device)
            if plan is not None:
                openings = self._openings_of(rule, place)
                if rule.schedule is None or openings is not None:
                    watches.append((plan, openings))
            if rule.no_data is not None and (plan is not None or not rule.watches):
                silences.append(_silence_plan(rule, rule.no_data, kind, plan))
        return DevicePlan(device, labels, self._kinds[kind.id], tuple(watches), tuple(silences))

    def _watch_plan(self, rule: Rule, kind: DeviceType, device: Device) -> WatchPlan | None:
        own: tuple[tuple[str, float], ...] = ()
        if device.overrides:
            mine = (item for item in device.overrides.items() if item[0].partition(".")[0] == rule.id)
            own = tuple(sorted(mine))
        key = (rule.id, kind.id, own)
        if key not in self._plans:
            self._plans[key] = _watch_plan(rule, kind, dict(own))
        return self._plans[key]

    def _openings_of(self, rule: Rule, place: Place) -> Openings | None:
        """When the rule holds at `place`; None when it always or never does."""
        if rule.schedule is None:
            return None
        key = (rule.id, place.id if rule.schedule.place else "")
        if key not in self._openings:
            hours = self._hours(rule, rule.schedule, place)
            self._openings[key] = Openings(hours) if hours is not None else None
        return self._openings[key]

    def _hours(self, rule: Rule, schedule: Schedule, place: Place) -> Hours | None:
        if schedule.place:
            return self.site.hours.get(place.closed)
        if schedule.calendar:
            return self.site.hours.get(schedule.calendar)
        return Openings.hours(schedule.hours(rule.id), schedule.tz or self.site.timezone)


def compile_rules(rules: Sequence[Rule], site: Site) -> Program:
    """The program for `rules` at `site`. Raises nothing: what does not fit the site simply never matches.

    Ask `check_rules` what that is.
    """
    return Program({rule.id: rule for rule in rules}, site)


def labels_of(site: Site, device: Device) -> dict[str, str]:
    """The labels of a device's alarms; those without a value are left out."""
    place = site.places[device.place]
    path = site.grid_path(place.id)
    labels = {
        "device": device.id,
        "device_type": device.type,
        "device_class": site.types[device.type].device_class,
        "place": place.id,
        "building": place.building,
        "fire_zone": place.fire_zone,
        "edge": device.edge,
        **{f"grid{grid.level}": grid.id for grid in path},
    }
    return {name: value for name, value in labels.items() if value}


def _type_accepted(match: Match, kind: DeviceType) -> bool:
    wanted = match.device_type
    return wanted is None or wanted.accepts(kind.id, kind.device_class)


def _accepted(match: Match, labels: Mapping[str, str]) -> bool:
    for wanted, label in (
        (match.device, "device"),
        (match.place, "place"),
        (match.building, "building"),
        (match.edge, "edge"),
    ):
        if wanted is not None and not wanted.accepts(labels.get(label, "")):
            return False
    grids = [labels[name] for name in ("grid1", "grid2", "grid3") if name in labels]
    return match.grid is None or match.grid.accepts(*grids)


def _watch_plan(rule: Rule, kind: DeviceType, overrides: Mapping[str, float]) -> WatchPlan | None:
    kinds = {point.name: point.kind for point in kind.points}
    steps, looked_at = [], set()
    for level in overridden(rule, overrides):
        when = specialised(level.when, kinds)
        if when is None:  # kept, so that a level has the same index for every type
            steps.append(Step(level.severity, never, None, level.for_))
            continue
        clear = specialised(level.clear, kinds) if level.clear is not None else None
        looked_at |= {c.point for c in comparisons(when)}
        looked_at |= {c.point for c in comparisons(clear)} if clear is not None else set()
        steps.append(Step(level.severity, compiled(when), compiled(clear) if clear else None, level.for_))
    if all(step.when is never for step in steps):
        return None
    events = frozenset(point for point in looked_at if kinds[point] is Kind.EVENT)
    text = rule.model_dump_json(exclude=_NO_EFFECT_ON_STATE) + repr(sorted(overrides.items()))
    return WatchPlan(
        rule=rule,
        steps=tuple(steps),
        points=frozenset(looked_at),
        events=events,
        pulse=bool(events),
        stamp=crc32(text.encode()),
        anything=any_of([step.when for step in steps if step.when is not never]),
    )


def _silence_plan(rule: Rule, no_data: NoData, kind: DeviceType, watch: WatchPlan | None) -> SilencePlan:
    kinds = {point.name: point.kind for point in kind.points}
    steady: tuple[str, ...] = ()
    if watch is not None and not watch.pulse:
        steady = tuple(sorted(point for point in watch.points if kinds[point] is not Kind.EVENT))
    after = no_data.after
    if after is None:
        after = round((kind.silent_after or 3 * kind.interval) * SECOND)
    return SilencePlan(rule, no_data, after, steady, crc32(f"{rule.id} {no_data.severity}".encode()))
