"""Rules against a site: what would silently never match, and what was probably meant."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from language import N_, Message
from registry.device_types import DeviceType, Kind
from registry.problems import Problem, did_you_mean, in_reading_order
from registry.site import Site
from rules.conditions import All, Comparison, comparisons
from rules.loading import source_of
from rules.model import Filter, Level, Rule
from rules.thresholds import adjustable, override_name, override_names
from rules.verdicts import fits, specialised

_OTHERWISE: Final = Path("rules")


def check_rules(rules: Sequence[Rule], site: Site) -> list[Problem]:
    """Everything in `rules` that does not fit `site`, with lines when `rules` came from `load_rules`.

    An unknown device type, class, point, place, grid, edge, category or calendar; a comparison that a
    point's kind cannot answer; an event without an end; an override of a device that changes nothing.
    A rule whose types the site knows but has no device of is no problem.
    """
    check = _Check(rules, site)
    for rule in rules:
        check.rule(rule)
    check.overrides()
    return in_reading_order(check.problems)


class _Check:
    def __init__(self, rules: Sequence[Rule], site: Site) -> None:
        self.problems: list[Problem] = []
        self._rules = rules
        self._site = site

    def rule(self, rule: Rule) -> None:
        """One rule."""
        site, match = self._site, rule.match
        classes = {kind.device_class for kind in site.types.values()}
        buildings = {place.building for place in site.places.values() if place.building}
        self._filter(
            rule,
            match.device_type,
            {*site.types, *classes},
            "device_type",
            N_("there is no device type or class `{name}`"),
        )
        self._filter(rule, match.device, site.devices, "device", N_("there is no device `{name}`"))
        self._filter(rule, match.place, site.places, "place", N_("there is no place `{name}`"))
        self._filter(rule, match.building, buildings, "building", N_("there is no building `{name}`"))
        self._filter(rule, match.edge, site.edges, "edge", N_("there is no edge `{name}`"))
        self._filter(rule, match.grid, site.grids, "grid", N_("there is no grid `{name}`"))
        types = [kind for kind in site.types.values() if _is_meant(match.device_type, kind)]
        if types:
            for where, level in _levels(rule):
                self._level(rule, level, where, types)
            self._events(rule, types)
        self._references(rule)

    def _filter(
        self, rule: Rule, wanted: Filter | None, known: Iterable[str], key: str, template: str
    ) -> None:
        if wanted is None:
            return
        names = set(known)
        for name in (*wanted.one_of, *wanted.none_of):
            if name not in names:
                self._unknown(rule, ("match", key), template, name, names)
        if wanted.starts_with and not any(name.startswith(wanted.starts_with) for name in names):
            text = Message(N_("nothing here begins with `{prefix}`"), {"prefix": wanted.starts_with})
            self._add(rule, ("match", key, "starts_with"), text)

    def _level(
        self, rule: Rule, level: Level, where: tuple[str | int, ...], types: Sequence[DeviceType]
    ) -> None:
        points = {point.name for kind in types for point in kind.points}
        bad = False
        for comparison in [*comparisons(level.when), *(comparisons(level.clear) if level.clear else ())]:
            if comparison.point not in points:
                self._unknown(
                    rule, (*where, "when"), N_("there is no point `{name}`"), comparison.point, points
                )
                bad = True
            elif not any(_answers(kind, comparison) for kind in types):
                text = Message(
                    N_("the point `{point}` cannot be compared by `{op}` with {value}"),
                    {"point": comparison.point, "op": comparison.op, "value": comparison.value},
                )
                self._add(rule, (*where, "when"), text)
                bad = True
        usable = [kind for kind in types if specialised(level.when, _kinds(kind)) is not None]
        if not bad and not usable:
            text = Message(N_("no device type has all the points of this condition"))
            self._add(rule, (*where, "when"), text)

    def _events(self, rule: Rule, types: Sequence[DeviceType]) -> None:
        kinds = {point.name: point.kind for kind in types for point in kind.points}
        if not any(kinds.get(point) is Kind.EVENT for point in rule.points):
            return
        if not rule.keep_for and not rule.latch:
            text = Message(
                N_("an event has no end: say how long the alarm stays with `keep_for`, or `latch`")
            )
            self._add(rule, ("when",), text)
        if any(level.for_ for level in rule.steps):
            self._add(rule, ("for",), Message(N_("an event is a moment and cannot last; use `repeat`")))
        if any(level.clear is not None for level in rule.steps):
            self._add(rule, ("clear",), Message(N_("an event has no end; use `keep_for`")))
        for level in rule.steps:
            if not _momentary(level, kinds):
                text = Message(N_("an event and a state can only be joined by `all`"))
                self._add(rule, ("when",), text)

    def _references(self, rule: Rule) -> None:
        site, schedule = self._site, rule.schedule
        if rule.case is not None and site.categories and rule.case.category not in site.categories:
            self._unknown(
                rule,
                ("case", "category"),
                N_("there is no case category `{name}`"),
                rule.case.category,
                site.categories,
            )
        if schedule is not None and schedule.calendar and schedule.calendar not in site.calendars:
            self._unknown(
                rule,
                ("schedule", "calendar"),
                N_("there is no calendar `{name}`"),
                schedule.calendar,
                site.calendars,
            )
        if schedule is not None and schedule.tz and schedule.tz not in available_timezones():
            self._unknown(
                rule,
                ("schedule", "tz"),
                N_("there is no time zone `{name}`"),
                schedule.tz,
                available_timezones(),
            )
        known = {other.id for other in self._rules}
        for index, inhibit in enumerate(rule.inhibits):
            for name in inhibit.target.rule.one_of if inhibit.target.rule is not None else ():
                if name not in known:
                    self._unknown(
                        rule,
                        ("inhibits", index, "target", "rule"),
                        N_("there is no rule `{name}`"),
                        name,
                        known,
                    )

    def overrides(self) -> None:
        """Thresholds of devices that no rule asks for: they stand in the registry, not in a rule file."""
        names = override_names(self._rules)
        fixed = {override_name(r, s) for r in self._rules for s in r.steps if not adjustable(s.when)}
        for device in self._site.devices.values():
            for name in device.overrides:
                if name in names:
                    continue
                text = (
                    Message(N_("`{name}` has no single threshold that could be overridden"), {"name": name})
                    if name in fixed
                    else Message(N_("no rule has the threshold `{name}`"), {"name": name})
                )
                where = f"{device.id}.overrides"
                hint = did_you_mean(name, names)
                self.problems.append(Problem(Path("devices.csv"), 1, None, where, name, text, hint))

    def _unknown(
        self, rule: Rule, where: tuple[str | int, ...], template: str, name: str, known: Iterable[str]
    ) -> None:
        self._add(rule, where, Message(template, {"name": name}), did_you_mean(name, known))

    def _add(
        self, rule: Rule, where: tuple[str | int, ...], text: Message, hint: Message | None = None
    ) -> None:
        source = source_of(self._rules, rule)
        if source is not None:
            self.problems.append(source.problem(*where, message=text, suggestion=hint))
        else:
            spot = ".".join([rule.id, *map(str, where)])
            self.problems.append(Problem(_OTHERWISE, 1, None, spot, "", text, hint))


def _levels(rule: Rule) -> list[tuple[tuple[str | int, ...], Level]]:
    if rule.levels:
        return [(("levels", index), level) for index, level in enumerate(rule.levels)]
    return [((), level) for level in rule.steps]


def _is_meant(wanted: Filter | None, kind: DeviceType) -> bool:
    return wanted is None or wanted.accepts(kind.id, kind.device_class)


def _kinds(kind: DeviceType) -> dict[str, Kind]:
    return {point.name: point.kind for point in kind.points}


def _answers(kind: DeviceType, comparison: Comparison) -> bool:
    kinds = _kinds(kind)
    return comparison.point in kinds and fits(comparison, kinds[comparison.point])


def _momentary(level: Level, kinds: dict[str, Kind]) -> bool:
    """Whether its condition is about a moment: events only, or events and states under `all`."""
    found = {kinds.get(c.point) is Kind.EVENT for c in comparisons(level.when)}
    if len(found) == 1:
        return True
    return isinstance(level.when, All) and all(
        len({kinds.get(c.point) is Kind.EVENT for c in comparisons(part)}) == 1 for part in level.when.all
    )
