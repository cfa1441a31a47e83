"""What a reading means for one alarm: levels, schedules, repeats, events, lateness; then the machine acts."""

from rules.condition_machine import Machine
from rules.findings import Condition, Ending, Evidence
from rules.repeats import count_hit, enough
from rules.speech import Speech
from rules.state import Instance, StepState
from rules.steps import advance, due, switch_off, worst
from rules.timers import (
    CLOSE,
    CONFIRM,
    HOLD,
    KEEP,
    LINGER,
    OPEN,
    SETTLE,
    Timers,
    cancel,
    reached,
    step_timer,
)
from rules.verdicts import Values
from rules.watch import Turn, Watch


class Judgement:
    """Judges alarms by readings and by deadlines. One per engine."""

    def __init__(
        self, instances: dict[str, Instance], timers: Timers, speech: Speech, machine: Machine
    ) -> None:
        self._instances = instances
        self._timers = timers
        self._speech = speech
        self._machine = machine

    def record(self, watch: Watch) -> Instance:
        """The alarm's record; a new one when it has none yet."""
        found = watch.instance
        if found is None:
            found = self._instances[watch.alarm] = watch.instance = Instance(
                device=watch.device.plan.device.id,
                stamp=watch.stamp,
                steps=[StepState() for _ in watch.steps],
            )
        return found

    def state(self, watch: Watch, at: int, turn: Turn) -> None:
        """Judge a condition that lasts by the current values, which hold since event time `at`."""
        found = self.record(watch)
        self.pass_time(watch, found, at, turn)
        verdict = watch.anything(watch.values())
        if watch.openings is not None and not watch.openings.holds(at):
            if verdict is not None:
                found.verdict = verdict
            self._await_opening(watch, found, at, turn)
            self._speech.touch(watch)
            return
        repeat = watch.rule.repeat
        if repeat is not None and verdict is True and worst(found.steps) is None:
            if not found.verdict:
                count_hit(found, repeat, at, "")
            found.verdict = True
            if not enough(found.hits, repeat):
                self._speech.touch(watch)
                return
        self._advance(watch, found, at, turn)
        if verdict is not None:
            found.verdict, found.anew = verdict, False
        self._speech.touch(watch)

    def _advance(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        max_gap = watch.rule.max_gap
        values = watch.values()
        advance(found.steps, watch.steps, values, at, max_gap=max_gap, anew=found.anew)
        if worst(found.steps) is not None and watch.anything(values) is True:
            found.detected = max(found.detected, at) if watch.confirm is not None else 0
        self._machine.conclude(watch, found, at, turn)
        if found.held and found.firing and not turn.past and worst(found.steps) is not None:
            self._machine.release(watch, found, turn)
        self.arm(watch, found, at, turn)

    def arm(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        """Set the deadlines that the levels and the schedule ask for, and cancel the others."""
        alive = False
        for index, (state, step) in enumerate(zip(found.steps, watch.steps, strict=True)):
            alive = alive or state.on or bool(state.since)
            name = step_timer(index)
            wanted = due(state, step, watch.rule.max_gap)
            if wanted is None:
                cancel(found, name)
            elif name not in found.timers or found.timers[name].due != wanted:
                self._timers.set(watch.alarm, found, name, wanted, turn.now)
        if watch.openings is None:
            return
        closing = watch.openings.next_change(at) if alive else None
        if closing is None:
            cancel(found, CLOSE)
        elif CLOSE not in found.timers or found.timers[CLOSE].due != closing:
            self._timers.set(watch.alarm, found, CLOSE, closing, turn.now)

    def _await_opening(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        schedule, opening = watch.rule.schedule, None
        if watch.openings is not None and schedule is not None and schedule.on_open == "evaluate_last":
            opening = watch.openings.next_change(at) if found.verdict else None
        if opening is None:
            cancel(found, OPEN)
        else:
            self._timers.set(watch.alarm, found, OPEN, opening, turn.now)

    def pulse(self, watch: Watch, values: Values, at: int, event: str, turn: Turn) -> None:
        """Judge an event: TRUE is a moment that is over at once, FALSE says nothing."""
        if watch.openings is not None and not watch.openings.holds(at):
            return
        if watch.anything(values) is not True:
            if watch.instance is not None:
                self.pass_time(watch, watch.instance, at, turn)
            return
        found = self.record(watch)
        self.pass_time(watch, found, at, turn)
        repeat = watch.rule.repeat
        if repeat is not None:
            fresh = count_hit(found, repeat, at, event)
            self._speech.touch(watch)
            if not enough(found.hits, repeat) or (not fresh and not found.firing):
                return
        self._strike(watch, found, values, at, turn)

    def _strike(
        self, watch: Watch, found: Instance, values: Values, at: int, turn: Turn, *, late: bool = False
    ) -> None:
        for state, step in zip(found.steps, watch.steps, strict=True):
            state.on = state.on or step.when(values) is True
        found.detected = max(found.detected, at) if watch.confirm is not None else 0
        lasts = max(at + watch.keep, found.timers[KEEP].due if KEEP in found.timers else 0)
        self._timers.set(watch.alarm, found, KEEP, lasts, turn.now)
        self._machine.conclude(watch, found, at, turn, late=late)
        if found.held and not turn.past:
            self._machine.release(watch, found, turn)
        self._speech.touch(watch)

    def late(
        self, watch: Watch, values: Values, at: int, newest: int, evidence: tuple[Evidence, ...], turn: Turn
    ) -> None:
        """Judge a reading that is older than the `newest`: it may raise, it never clears.

        What lies before the end of the last occurrence has been told already.
        """
        rule = watch.rule
        if rule.late is None or newest - at > rule.late.raise_:
            return
        if watch.openings is not None and not watch.openings.holds(at):
            return
        found = watch.instance
        if found is not None and (found.firing or at <= found.ended):
            return
        verdict = watch.anything(values)
        if verdict is None or (verdict is False and (found is None or not found.late_since)):
            return
        found = self.record(watch)
        if watch.pulse or rule.repeat is not None:
            if verdict and (
                rule.repeat is None
                or (count_hit(found, rule.repeat, at, _event(evidence)) and enough(found.hits, rule.repeat))
            ):
                turn.evidence = evidence
                if watch.pulse:
                    self._strike(watch, found, values, at, turn, late=True)
                else:
                    self._raise_late(watch, found, values, at, 0, turn)
        elif verdict:
            self._extend_late_run(found, at, newest, rule.max_gap)
            turn.evidence = evidence
            self._raise_late(watch, found, values, at, found.late_seen - found.late_since, turn)
        elif at > found.late_since:
            found.late_since = found.late_seen = 0
        turn.evidence = None
        self._speech.touch(watch)

    def _extend_late_run(self, found: Instance, at: int, newest: int, max_gap: int | None) -> None:
        """Late readings hold for as long as they follow each other undisturbed."""
        gap = at - found.late_seen
        goes_on = found.late_since and newest == found.late_newest and gap >= 0
        if not goes_on or (max_gap is not None and gap > max_gap):
            found.late_since = at
        found.late_seen, found.late_newest = at, newest

    def _raise_late(
        self, watch: Watch, found: Instance, values: Values, at: int, held: int, turn: Turn
    ) -> None:
        for state, step in zip(found.steps, watch.steps, strict=True):
            if held >= step.hold and step.when(values) is True:
                state.on = True
        if worst(found.steps) is not None:
            found.late_since = found.late_seen = 0
            self._machine.conclude(watch, found, at, turn, late=True)
            self.arm(watch, found, at, turn)

    def pass_time(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        """Fire what is due up to event time `at`, before a reading of that time speaks."""
        while found.timers and (name := reached(found, due=at)) is not None:
            self.fire(watch, found, name, turn)

    def fire(self, watch: Watch, found: Instance, name: str, turn: Turn) -> None:
        """A deadline is reached; what follows has the deadline's own time."""
        at = found.timers.pop(name).due
        machine = self._machine
        match name:
            case _ if name == KEEP:
                if watch.pulse:
                    switch_off(found.steps)
                if found.firing and found.condition is not Condition.LATCHED:
                    machine.finish(watch, found, at, turn)
            case _ if name == CONFIRM:
                machine.investigated(watch, found, at, turn)
            case _ if name == HOLD:
                if found.held:
                    machine.release(watch, found, turn)
            case _ if name == SETTLE:
                machine.settled(watch, found, at, turn)
            case _ if name == LINGER:
                machine.lingered(watch, at, turn)
            case _ if name == OPEN:
                self._open(watch, found, at, turn)
            case _ if name == CLOSE:
                self._close(watch, found, at, turn)
            case _:
                self._held_long_enough(watch, found, int(name.removeprefix("for")), at, turn)
        self._speech.touch(watch)

    def _held_long_enough(self, watch: Watch, found: Instance, index: int, at: int, turn: Turn) -> None:
        found.steps[index].on = True
        found.steps[index].held = watch.steps[index].hold
        for state in found.steps[index:]:
            state.on = state.on or bool(state.since)
        if watch.confirm is not None:
            found.detected = max(found.detected, at)
        self._machine.conclude(watch, found, at, turn)
        self.arm(watch, found, at, turn)

    def _open(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        """The hours begin: the last known value counts as said now."""
        if found.verdict and not watch.pulse:
            self._advance(watch, found, at, turn)

    def _close(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        """The hours are over: the condition counts as false, whatever the values say."""
        switch_off(found.steps)
        if found.firing and found.condition is not Condition.LATCHED:
            self._machine.finish(watch, found, at, turn, reason=Ending.SCHEDULE)
        elif found.condition is Condition.PENDING:
            found.condition = Condition.NORMAL
        self.arm(watch, found, at, turn)
        self._await_opening(watch, found, at, turn)


def _event(evidence: tuple[Evidence, ...]) -> str:
    return next((spoken.event for spoken in evidence if spoken.event), "")
