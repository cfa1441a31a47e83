"""What must hold for every stream: restarts, repetitions and order change nothing; a fire is never lost."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from readings import Reading
from rules.commands import Acknowledge, Refused, Reset
from rules.findings import Condition, Finding, FindingKind

RULES = """
rules:
  - id: smoke
    match: {device_type: smoke}
    when: {point: smoke, value: true}
    latch: true
    late: {raise: 15m}
    confirm: {within: [building, fire_zone], count: 2, window: 60s}
    no_data: {after: 2m}
    severity: critical
  - id: hot
    match: {device_type: environment}
    levels:
      - {severity: critical, when: {point: temperature, op: ">", value: 70}, clear: {op: "<", value: 65}, for: 20s}
      - {severity: medium, when: {point: temperature, op: ">", value: 60}, clear: {op: "<", value: 55}, for: 1m}
    max_gap: 40s
    keep_for: 15s
    flap: {transitions: 4, window: 5m}
    late: {raise: 5m}
  - id: held
    match: {device_type: door}
    when: {point: open, value: true}
    for: 30s
    schedule: {from: "08:01", to: "08:04"}
  - id: seen
    match: {device_type: camera}
    when: {all: [{point: event, value: person}, {point: score, op: ">=", value: 0.5}]}
    repeat: {count: 2, window: 30s}
    keep_for: 40s
  - id: building
    match: {device_type: smoke}
    key: [building]
    when: {point: smoke, value: true}
  - id: offline
    match: {device_type: edge}
    no_data: {after: 90s}
inhibits:
  - {source: {rule: offline}, target: {kind: no_data}, equal: [edge], linger: 30s}
"""  # noqa: E501 - a table of levels reads best unbroken

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Step:
    """After `wait` seconds: a batch of readings, a command, or nothing but a tick."""

    wait: int
    readings: tuple[tuple[str, str, Any, int, str], ...] = ()
    """Device, point, value, age in seconds, event."""
    replayed: bool = False
    command: str = ""
    alarm: str = ""
    asleep: bool = False


SAID = st.one_of(
    st.tuples(
        st.sampled_from(["smoke-a", "smoke-b"]),
        st.just("smoke"),
        st.sampled_from([True, True, False, float("nan")]),
    ),
    st.tuples(
        st.just("temp-a"),
        st.just("temperature"),
        st.sampled_from([20.0, 58.0, 62.0, 68.0, 75.0, float("nan")]),
    ),
    st.tuples(st.just("door-a"), st.just("open"), st.booleans()),
    st.tuples(st.just("cam-yard"), st.just("event"), st.sampled_from(["person", "car"])),
    st.tuples(st.just("cam-yard"), st.just("score"), st.sampled_from([0.2, 0.9])),
    st.tuples(st.just("edge-1"), st.just("link"), st.just(True)),
)
READING = st.tuples(
    SAID, st.sampled_from([0, 0, 0, 0, 1, 3, 20, 100, 400, -10, -100]), st.sampled_from(["", "e1", "e2"])
).map(lambda drawn: (*drawn[0], drawn[1], drawn[2]))
WAIT = st.sampled_from([0, 1, 2, 5, 10, 15, 20, 45, 61, 120])
STEP = st.one_of(
    st.builds(
        Step,
        wait=WAIT,
        readings=st.lists(READING, min_size=1, max_size=5).map(tuple),
        replayed=st.booleans(),
        asleep=st.booleans(),
    ),
    st.builds(
        Step,
        wait=WAIT,
        command=st.sampled_from(["acknowledge", "reset"]),
        alarm=st.sampled_from(["smoke:smoke-a", "smoke:smoke-b", "hot:temp-a", "building:B7"]),
    ),
    st.builds(Step, wait=WAIT, asleep=st.booleans()),
)
STREAM = st.lists(STEP, max_size=14)

Make = Callable[..., Any]
relaxed = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)


def batches(steps: Iterable[Step], start: int) -> list[tuple[int, Step, list[Reading]]]:
    """The steps on the clock. No two readings of a point share a time: they would contradict each other."""
    now, made, used = start, [], 0
    for step in steps:
        now += step.wait * SECOND
        readings = []
        for device, point, value, age, event in step.readings:
            used += 1
            time = now - age * SECOND + used * 1000
            taken = time if step.replayed else now
            readings.append(
                Reading(device, point, value, time, now, taken, 0, event if device == "cam-yard" else "")
            )
        made.append((now, step, readings))
    return made


def live(
    story: Any,
    steps: Iterable[Step],
    *,
    restart: Callable[[int], bool] = lambda _index: False,
    order: Callable[[list[Reading]], list[Reading]] = list,
    times: int = 1,
) -> list[Finding]:
    """Everything that is found while `story` lives through `steps`."""
    for index, (now, step, readings) in enumerate(batches(steps, story.clock)):
        if not step.asleep:
            story.pass_time(now)
        story.clock = now
        if restart(index):
            story.restart()
        if readings:
            for _ in range(times):
                story.feed(order(readings), now, replayed=step.replayed)
        elif step.command:
            made = (
                Reset(step.alarm, "li", "looked")
                if step.command == "reset"
                else Acknowledge(step.alarm, "li")
            )
            try:
                story.done(story.engine.command(made, now))
            except Refused:
                story.findings += story.engine.tick(now)
        else:
            story.done(story.engine.tick(now))
    story.pass_time(story.clock + 400 * SECOND)
    return story.findings


@relaxed
@given(steps=STREAM, restarts=st.sets(st.integers(0, 13)))
def test_a_restart_at_any_point_changes_nothing(starts: Make, steps: list[Step], restarts: set[int]) -> None:
    straight = live(starts(RULES), steps)
    broken = live(starts(RULES), steps, restart=restarts.__contains__)
    assert broken == straight


@relaxed
@given(steps=STREAM)
def test_a_batch_that_comes_twice_counts_once(starts: Make, steps: list[Step]) -> None:
    # Readings far ahead are all judged at their arrival: two of them there contradict each other.
    assume(all(reading[3] > -30 for step in steps for reading in step.readings))
    assert live(starts(RULES), steps, times=2) == live(starts(RULES), steps)


@relaxed
@given(steps=STREAM)
def test_the_order_inside_a_batch_does_not_matter(starts: Make, steps: list[Step]) -> None:
    backwards = live(starts(RULES), steps, order=lambda readings: readings[::-1])
    assert backwards == live(starts(RULES), steps)


@relaxed
@given(steps=STREAM)
def test_no_sequence_of_readings_and_commands_loses_a_burning_fire(starts: Make, steps: list[Step]) -> None:
    story = starts(RULES)
    live(story, steps)
    now = story.clock
    for device in ("smoke-a", "smoke-b"):
        reading = Reading(device, "smoke", True, now + 5 * SECOND, now, now)
        story.feed([reading], now)
    burning = [f for f in story.findings if f.rule == "smoke" and not f.no_data]
    for device in ("smoke-a", "smoke-b"):
        last = [f for f in burning if f.alarm == f"smoke:{device}"][-1]
        assert last.condition is Condition.ACTIVE
        assert not last.suppressed_by


@relaxed
@given(steps=STREAM)
def test_a_firing_alarm_ends_in_one_way_only(starts: Make, steps: list[Step]) -> None:
    """What has been raised stays raised until a clear, a reset or an end says otherwise, once."""
    firing: set[str] = set()
    for finding in live(starts(RULES), steps):
        match finding.kind:
            case FindingKind.PREALARM | FindingKind.RAISED:
                firing.add(finding.id)
            case FindingKind.CLEARED | FindingKind.RESET:
                latched_record = finding.kind is FindingKind.RESET
                assert finding.id in firing or latched_record
                firing.discard(finding.id)
            case FindingKind.RECORD:
                assert finding.id not in firing or finding.condition is Condition.LATCHED
            case FindingKind.LATCHED | FindingKind.SEVERITY:
                assert finding.id in firing
    assert len({finding.partition("#")[0] for finding in firing}) == len(firing)


@relaxed
@given(steps=STREAM)
def test_a_record_is_small(starts: Make, steps: list[Step]) -> None:
    story = starts(RULES)
    live(story, steps)
    assert max((len(record) for record in story.stored.instances.values()), default=0) <= 1_000


@pytest.mark.parametrize("alarm", ["smoke:nobody", "nothing:smoke-a"])
def test_a_command_for_an_unknown_alarm_is_refused(starts: Make, alarm: str) -> None:
    story = starts(RULES)
    with pytest.raises(Refused, match="does not fire"):
        story.engine.command(Reset(alarm, "li", "looked"), story.clock)
