"""Rules as people write them (ALARMS.md). Every key that is accepted has an effect; others are refused."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from language import N_
from registry.grids import Calendar, TimeOfDay, weekdays
from registry.model import Id, Invalid, Model, Text
from rules.conditions import Condition, comparisons, with_point
from rules.durations import DAY, MINUTE, SECOND, Duration
from rules.findings import Severity

Label = Literal[
    "device",
    "device_type",
    "device_class",
    "place",
    "building",
    "fire_zone",
    "edge",
    "grid1",
    "grid2",
    "grid3",
]
"""What an alarm is labelled with. ``device_id``, ``edge_id`` and ``place_id`` are taken as well."""

_ALIASES: Final = {"device_id": "device", "edge_id": "edge", "place_id": "place", "zone": "fire_zone"}


def _label(value: Any) -> Any:
    return _ALIASES.get(value, value) if isinstance(value, str) else value


def _labels(value: Any) -> Any:
    if isinstance(
        value, dict
    ):  # {key: building, zone: fire_zone}: the words before the colons are for people
        value = list(value.values())
    elif isinstance(value, str):
        value = [value]
    return [_label(item) for item in value] if isinstance(value, list | tuple) else value


Labels = Annotated[tuple[Label, ...], BeforeValidator(_labels)]


class Filter(Model):
    """Which ids are meant: these ones, those that begin so, all but some."""

    one_of: tuple[str, ...] = Field((), description="Exactly these.")
    starts_with: str = Field("", description="Everything that begins with it.")
    none_of: tuple[str, ...] = Field((), description="But not these.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"one_of": (value,)}
        return {"one_of": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _says_something(self) -> "Filter":
        if not self.one_of and not self.starts_with and not self.none_of:
            raise Invalid(N_("an empty filter matches nothing; leave it out to match everything"))
        return self

    def accepts(self, *names: str) -> bool:
        """Whether something with these `names` (a type and its class, a grid and its parents) is meant."""
        if any(name in self.none_of for name in names):
            return False
        if not self.one_of and not self.starts_with:
            return True
        begins = self.starts_with
        return any(name in self.one_of or bool(begins and name.startswith(begins)) for name in names)


class Match(Model):
    """Which devices the rule watches: all that every given filter accepts."""

    device_type: Filter | None = Field(None, description="Id of a device type, or a device class.")
    device: Filter | None = Field(None, description="Device ids.")
    place: Filter | None = Field(None, description="Place ids.")
    building: Filter | None = None
    edge: Filter | None = None
    grid: Filter | None = Field(None, description="Grid ids of any level: a grid means all it contains.")


class Level(Model):
    """One step of a levelled rule, with its own threshold, hysteresis and patience."""

    severity: Severity
    when: Condition
    clear: Condition | None = Field(None, description="Ends it; without: as soon as `when` is false.")
    for_: Duration = Field(0, alias="for", description="How long `when` must hold.")

    @model_validator(mode="before")
    @classmethod
    def _clear_knows_its_point(cls, value: Any) -> Any:
        if isinstance(value, dict) and "clear" in value:
            return {**value, "clear": with_point(value["clear"], value.get("when"))}
        return value


class Late(Model):
    """What readings may do that are older than the newest one."""

    raise_: Duration = Field(alias="raise", description="They may raise while not older than this.")


class NoData(Model):
    """The companion alarm: nothing usable has been heard."""

    after: Duration | None = Field(None, description="Silence; without: the device type's own limit.")
    severity: Severity = Severity.HIGH


class Confirm(Model):
    """A pre-alarm first; the alarm when enough detectors say the same, or nobody looks."""

    distinct: Annotated[Literal["device"], BeforeValidator(_label)] = "device"
    within: Labels = Field(description="Detectors with these labels in common confirm each other.")
    count: int = Field(2, ge=2, le=10)
    window: Duration = 60 * SECOND
    first: Literal["prealarm"] = "prealarm"
    unacknowledged: Duration = Field(15 * SECOND, description="An unseen pre-alarm becomes an alarm.")
    acknowledged: Duration = Field(180 * SECOND, description="Time to investigate a seen one.")


class Schedule(Model):
    """When the rule may raise. Outside, its condition counts as false."""

    tz: str = Field("", description="Time zone; without: the site's.")
    days: str = Field("mon-sun", description="Days on which the hours begin: mon-fri, or [mon-fri, sun].")
    from_: TimeOfDay = Field("00:00", alias="from")
    to: TimeOfDay = Field("24:00", description="Before `from` means overnight.")
    calendar: str = Field("", description="Instead of hours: a calendar of the site.")
    place: Literal["", "closed"] = Field(
        "", description="Instead of hours: while the device's place is closed."
    )
    on_open: Literal["evaluate_last", "wait"] = Field(
        "evaluate_last", description="At the beginning: judge the last known value, or wait for the next."
    )

    @model_validator(mode="before")
    @classmethod
    def _days_as_text(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("days"), list):
            return {**value, "days": ",".join(map(str, value["days"]))}
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "Schedule":
        weekdays(self.days)
        hours = bool({"days", "from_", "to", "tz"} & self.model_fields_set)
        if hours + bool(self.calendar) + bool(self.place) != 1:
            raise Invalid(N_("a schedule is either hours (days, from, to), a `calendar`, or `place: closed`"))
        if hours:
            self.hours("check")
        return self

    def hours(self, name: str) -> Calendar:
        """The hours as a calendar; raises `Invalid` when they are empty."""
        return Calendar(id=name, days=self.days, start=self.from_, end=self.to)


class Flap(Model):
    """When an alarm changes too often to be told every time."""

    transitions: int = Field(4, ge=2, le=32)
    window: Duration = Field(10 * MINUTE, gt=0)


class Repeat(Model):
    """How often within `window` it must happen."""

    count: int = Field(ge=2, le=32)
    window: Duration = Field(gt=0)


class Manage(Model):
    """What operators may do about the alarm."""

    shelve: bool = True
    silence_max: Duration = 8 * 60 * MINUTE
    role: str = Field("", description="The role that answers for it; empty: whoever is on duty.")


class Group(Model):
    """How notices are bundled."""

    by: Labels = ("building",)
    wait: Duration = 5 * SECOND
    immediate: tuple[Severity, ...] = (Severity.CRITICAL,)
    interval: Duration = 60 * SECOND
    repeat: Duration = 5 * MINUTE


class CaseTemplate(Model):
    """The case that the alarm opens or joins."""

    category: str = Field(description="Id of one of the site's case categories.")
    merge_by: Labels = ("place",)
    window: Duration = 30 * MINUTE
    priority: Literal["P1", "P2", "P3", "P4"] = "P3"


class InhibitTarget(Model):
    """Which alarms are muted."""

    kind: Literal["any", "no_data"] = "any"
    rule: Filter | None = Field(None, description="Alarms of these rules; without: of all.")


class Inhibit(Model):
    """While this rule's alarm fires, the targets with the same labels are not notified."""

    target: InhibitTarget
    equal: Labels = Field(min_length=1, description="Labels that must exist on both and be the same.")
    linger: Duration = Field(
        2 * MINUTE, le=DAY, description="How long it outlives its source: devices need a moment to be heard."
    )


class Rule(Model):
    """One rule. Its alarms are identified by its id and the values of `key`."""

    id: Id
    version: int = Field(1, ge=1)
    enabled: bool = True
    label: Text = Field({}, description="What people call it, by language.")
    match: Match = Match()
    key: Labels = Field(("device",), min_length=1)
    when: Condition | None = None
    clear: Condition | None = Field(None, description="Ends it; without: as soon as `when` is false.")
    levels: tuple[Level, ...] = ()
    for_: Duration = Field(0, alias="for", description="How long `when` must hold.")
    max_gap: Duration | None = Field(None, gt=0, description="Longer silence does not count towards `for`.")
    keep_for: Duration = Field(0, description="How long it stays after its condition has gone.")
    latch: bool = Field(False, description="It stays until a person resets it after inspection.")
    repeat: Repeat | None = None
    late: Late | None = None
    no_data: NoData | None = None
    confirm: Confirm | None = None
    schedule: Schedule | None = None
    flap: Flap | None = None
    severity: Severity = Severity.MEDIUM
    manage: Manage = Manage()
    group: Group = Group()
    case: CaseTemplate | None = Field(None, description="Without: the alarm opens no case.")
    inhibits: tuple[Inhibit, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _clear_knows_its_point(cls, value: Any) -> Any:
        if isinstance(value, dict) and "clear" in value:
            return {**value, "clear": with_point(value["clear"], value.get("when"))}
        return value

    @model_validator(mode="after")
    def _parts_agree(self) -> "Rule":
        if self.when is not None and self.levels:
            raise Invalid(N_("`when` and `levels` exclude each other"))
        if self.when is None and not self.levels and self.no_data is None:
            raise Invalid(N_("a rule needs `when`, `levels` or `no_data`"))
        if self.levels and {"for_", "severity", "clear"} & self.model_fields_set:
            raise Invalid(N_("with `levels`, `severity`, `for` and `clear` belong into each level"))
        severities = [level.severity for level in self.levels]
        if len(set(severities)) != len(severities):
            raise Invalid(N_("two levels have the same severity"))
        if not self.watches and (unused := self._judging()):
            raise Invalid(N_("`{key}` has no effect in a rule that only has `no_data`"), key=unused[0])
        if self.confirm is not None and self.key != ("device",):
            raise Invalid(N_("`confirm` counts detectors, so the key must be the device"))
        if self.late is not None and "device" not in self.key:
            raise Invalid(N_("`late` needs the device in the key: a shared alarm has no order of its own"))
        if self.schedule is not None and self.schedule.place and not {"device", "place"} & {*self.key}:
            raise Invalid(N_("`schedule: {{place: closed}}` needs the device or the place in the key"))
        if self.max_gap is not None and not any(level.for_ for level in self.steps):
            raise Invalid(N_("`max_gap` has no effect without `for`"))
        if self.repeat is not None and (self.levels or self.for_):
            raise Invalid(N_("`repeat` goes with a plain `when` without `for`"))
        return self

    def _judging(self) -> list[str]:
        judging = ("clear", "for_", "max_gap", "keep_for", "latch", "repeat", "late", "confirm", "schedule")
        return [name.rstrip("_") for name in judging if name in self.model_fields_set]

    @property
    def watches(self) -> bool:
        """Whether it judges values at all, not only silence."""
        return self.when is not None or bool(self.levels)

    @property
    def steps(self) -> tuple[Level, ...]:
        """The levels, worst first; a plain rule has one."""
        if self.when is not None:
            step = Level.model_construct(severity=self.severity, when=self.when, clear=self.clear)
            return (step.model_copy(update={"for_": self.for_}),)
        return tuple(sorted(self.levels, key=lambda level: level.severity.rank))

    @property
    def points(self) -> frozenset[str]:
        """Every point that its conditions look at."""
        found = {c.point for step in self.steps for c in comparisons(step.when)}
        found |= {c.point for step in self.steps if step.clear for c in comparisons(step.clear)}
        return frozenset(found)
