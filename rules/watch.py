"""What the engine keeps in memory per device and per alarm, built from the program and the state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from readings.sample import Scalar
from registry.device_types import Kind
from rules.compile import DevicePlan, SilencePlan, Step, WatchPlan
from rules.findings import Condition, Evidence, Finding
from rules.model import Confirm, Flap, Rule
from rules.schedule import Openings
from rules.state import DeviceMarks, Instance
from rules.verdicts import Test, Values, Verdict, never


class Watch:
    """One alarm that may be: a rule and one set of key values."""

    __slots__ = (
        "alarm",
        "anything",
        "bindings",
        "complete",
        "confirm",
        "flap",
        "instance",
        "keep",
        "labels",
        "latch",
        "openings",
        "pulse",
        "quiet",
        "rule",
        "silence",
        "stamp",
        "steps",
    )

    def __init__(self, rule: Rule, alarm: str, labels: Mapping[str, str]) -> None:
        self.rule = rule
        self.alarm = alarm
        self.labels = labels
        self.instance: Instance | None = None
        self.quiet = True
        """Nothing is going on and nothing is waited for: only TRUE can change that."""
        self.bindings: list[Binding] = []
        self.complete = True
        """All devices that share this alarm are bound."""
        self.steps: tuple[Step, ...] = ()
        self.anything: Test = never
        self.pulse = False
        self.stamp = 0
        self.openings: Openings | None = None
        self.silence: SilencePlan | None = None
        self.latch = False
        self.keep = 0
        self.confirm: Confirm | None = None
        self.flap: Flap | None = rule.flap

    @property
    def device(self) -> "DeviceRuntime":
        """The device it is about; for a shared alarm the first one."""
        return self.bindings[0].device

    def bind(self, binding: "Binding") -> None:
        """Add a device; the second one makes this a shared alarm."""
        self.bindings.append(binding)
        plan, rule = binding.plan, self.rule
        if plan is None:
            return
        self.stamp, self.pulse, self.openings = plan.stamp, plan.pulse, binding.openings
        self.latch, self.keep, self.confirm = rule.latch, rule.keep_for, rule.confirm
        if self.complete:
            self.steps, self.anything = plan.steps, plan.anything
        else:
            self.steps = tuple(_shared_step(self, index, step) for index, step in enumerate(plan.steps))
            self.anything = _shared(self, lambda other: other.anything)

    def values(self) -> Values:
        """The values that judge it (a shared alarm looks at its devices itself)."""
        return self.device.values

    def rest(self) -> None:
        """Work out `quiet` after the record has changed."""
        found = self.instance
        self.quiet = found is None or not (
            found.condition is not Condition.NORMAL or found.timers or found.verdict or found.late_since
        )

    def evidence(self) -> tuple[Evidence, ...]:
        """The newest readings of what it looks at, of the devices that say yes."""
        found: list[Evidence] = []
        for binding in self.bindings:
            if binding.plan is None or (
                not self.complete and not binding.plan.anything(binding.device.values)
            ):
                continue
            for point in sorted(binding.plan.points):
                mark = binding.device.marks.points.get(point)
                if mark is not None and mark.value is not None:
                    found.append(
                        Evidence(binding.device.plan.device.id, point, mark.value, mark.time, mark.event)
                    )
        return tuple(found[:8])


class Binding:
    """One device under one alarm."""

    __slots__ = ("anything", "device", "openings", "plan", "watch")

    def __init__(
        self, watch: Watch, device: "DeviceRuntime", plan: WatchPlan | None, openings: Openings | None
    ) -> None:
        self.watch = watch
        self.device = device
        self.plan = plan
        self.openings = openings
        self.anything: Test = plan.anything if plan is not None else never


class DeviceRuntime:
    """One device: its last values, and what looks at them."""

    __slots__ = ("by_point", "confirming", "kinds", "marks", "name", "plan", "silences", "unheard", "values")

    def __init__(self, plan: DevicePlan, marks: DeviceMarks) -> None:
        self.plan = plan
        self.marks = marks
        self.name = plan.device.id
        self.kinds: Mapping[str, Kind] = plan.kinds
        self.values: dict[str, Scalar | None] = {
            point: mark.value for point, mark in marks.points.items() if point in plan.kinds
        }
        self.by_point: dict[str, tuple[Binding, ...]] = {}
        self.silences: list[Watch] = []
        self.unheard: list[Watch] = []
        """The silence alarms that fire or wait to: a known reading may end them."""
        self.confirming: list[Watch] = []

    def last_known(self, silence: SilencePlan) -> int:
        """Since when the rule has not been able to see: the oldest of its points, or any point."""
        marks = self.marks
        if not silence.points:
            return max(marks.heard, marks.seeded)
        known = [marks.points[point].known if point in marks.points else 0 for point in silence.points]
        return max(min(known), marks.seeded)

    @property
    def faulted(self) -> bool:
        """Whether it cannot be counted on as a second detector: silent, unknown or in fault."""
        if any(watch.instance is not None and watch.instance.firing for watch in self.silences):
            return True
        points = {p for watch in self.confirming for b in watch.bindings if b.plan for p in b.plan.points}
        marks = [mark for point, mark in self.marks.points.items() if point in points]
        return any(mark.fault or mark.value is None for mark in marks)


@dataclass(slots=True)
class Turn:
    """One call of the engine: what time it is, and what has been found so far."""

    now: int
    replayed: bool = False
    findings: list[Finding] = field(default_factory=list)
    past: bool = False
    """The reading at hand is old: more of its time is still to come (`rules.replay`)."""
    evidence: tuple[Evidence, ...] | None = None
    """Instead of the newest readings: the late ones that speak."""


def _shared(watch: Watch, test_of: Callable[[WatchPlan], Test]) -> Test:
    """TRUE when any device says so; devices that never spoke say nothing."""

    def test(_values: Values) -> Verdict:
        verdict: Verdict = False
        for binding in watch.bindings:
            values = binding.device.values
            if binding.plan is not None and values:
                found = test_of(binding.plan)(values)
                if found is True:
                    return True
                if found is None:
                    verdict = None
        return verdict

    return test


def _shared_step(watch: Watch, index: int, step: Step) -> Step:
    """A level of a shared alarm: on when any device's is, over when every device's is."""

    def over(_values: Values) -> Verdict:
        states = [
            clear(binding.device.values)
            for binding in watch.bindings
            if binding.plan is not None
            and binding.device.values
            and index < len(binding.plan.steps)
            and (clear := binding.plan.steps[index].clear) is not None
        ]
        return all(state is True for state in states)

    when = _shared(watch, lambda plan: plan.steps[index].when if index < len(plan.steps) else never)
    return Step(step.severity, when, over if step.clear is not None else None, step.hold)
