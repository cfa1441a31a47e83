"""The life of one alarm: NORMAL, PENDING, PREALARM, ACTIVE, RECOVERING, LATCHED (ALARMS.md).

What the readings mean is decided before (`steps`); here it is decided what follows from it, and said.
"""

from rules.commands import Acknowledge, Refused, Reset
from rules.confirm import Confirmation
from rules.findings import Condition, Ending, FindingKind, Severity
from rules.flapping import count_flip, settle
from rules.inhibitions import Inhibitions
from rules.replay import PATIENCE
from rules.speech import Speech, no_alarm, reset_refusal
from rules.state import Instance
from rules.steps import switch_off, worst
from rules.timers import AWAY, CONFIRM, HOLD, KEEP, LINGER, Timers, cancel
from rules.watch import Turn, Watch


class Machine:
    """Moves alarms from condition to condition and says so. One per engine."""

    def __init__(
        self, timers: Timers, speech: Speech, confirmation: Confirmation, inhibitions: Inhibitions
    ) -> None:
        self._timers = timers
        self._say = speech
        self._confirmation = confirmation
        self._inhibitions = inhibitions
        self.firing: dict[str, Watch] = {}
        """Every alarm that has been told and is not over."""

    def conclude(self, watch: Watch, found: Instance, at: int, turn: Turn, *, late: bool = False) -> None:
        """The levels have been judged at event time `at`: draw the consequences."""
        index = worst(found.steps)
        condition = found.condition
        if index is not None:
            self._is_true(watch, found, watch.steps[index].severity, at, turn, late=late)
        elif condition in (Condition.NORMAL, Condition.PENDING):
            pending = any(state.since for state in found.steps)
            found.condition = Condition.PENDING if pending else Condition.NORMAL
        elif condition is Condition.ACTIVE or (condition is Condition.PREALARM and not watch.latch):
            # A latched pre-alarm stays what it is: it is looked into, or its time runs out.
            if watch.keep:
                found.condition = Condition.RECOVERING
                cancel(found, CONFIRM)
                self._timers.set(watch.alarm, found, KEEP, at + watch.keep, turn.now)
            else:
                self.finish(watch, found, at, turn)

    def _is_true(
        self, watch: Watch, found: Instance, severity: Severity, at: int, turn: Turn, *, late: bool
    ) -> None:
        condition = found.condition
        if not found.firing or condition is Condition.LATCHED:
            self.begin(watch, found, severity, at, turn, late=late)
            return
        if condition is Condition.RECOVERING:
            found.condition = Condition.ACTIVE
            cancel(found, KEEP)
        if severity != found.severity:
            self._change_severity(watch, found, severity, at, turn)
        if condition is Condition.PREALARM and found.detected == at:
            for other in self._confirmation.confirmed(watch, at):
                self._activate(other, at, turn)

    def begin(
        self, watch: Watch, found: Instance, severity: Severity, at: int, turn: Turn, *, late: bool = False
    ) -> None:
        """A new occurrence at event time `at`, or the same one again when it is latched or flapping."""
        if found.condition is not Condition.LATCHED and not (found.flapping and found.occurrence):
            found.occurrence += 1
        found.severity, found.version = severity, watch.rule.version
        found.raised, found.acknowledged, found.late = at, False, late
        found.replayed, found.labels = turn.replayed, dict(watch.labels)
        found.no_data = watch.silence is not None
        found.condition = Condition.ACTIVE
        agreeing = [watch]
        if watch.confirm is not None:
            found.detected = max(found.detected, at)
            agreeing = self._confirmation.confirmed(watch, at)
            if not agreeing:
                found.condition = Condition.PREALARM
                start = at if turn.now - at <= AWAY else turn.now
                due = start + watch.confirm.unacknowledged
                self._timers.set(watch.alarm, found, CONFIRM, due, turn.now)
        if turn.past and not late:
            found.held = True
            found.evidence = turn.evidence or watch.evidence()
            self._timers.set(watch.alarm, found, HOLD, turn.now + PATIENCE[severity], turn.now)
        else:
            self._tell(watch, found, at, turn)
        for other in agreeing:
            if other is not watch:
                self._activate(other, at, turn)

    def _tell(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        """Say that it fires, and let it inhibit what it explains."""
        kind = FindingKind.PREALARM if found.condition is Condition.PREALARM else FindingKind.RAISED
        self.firing[watch.alarm] = watch
        found.suppressed_by = self._inhibitions.inhibitor(watch)
        self._say(watch, found, kind, at, turn, evidence=found.evidence or turn.evidence or watch.evidence())
        found.evidence = ()
        self._flip(watch, found, at, turn)
        if self._inhibitions.is_source(watch):
            cancel(found, LINGER)
            self._inhibitions.begin(watch)
            self._suppress(self._inhibitions.targets(watch, self.firing.values()), at, turn)

    def release(self, watch: Watch, found: Instance, turn: Turn) -> None:
        """Tell now what was held back: it still fires."""
        found.held = False
        cancel(found, HOLD)
        if watch.confirm is not None and found.condition is Condition.PREALARM:
            # People get their seconds from when they are told.
            due = turn.now + watch.confirm.unacknowledged
            self._timers.set(watch.alarm, found, CONFIRM, due, turn.now)
        self._tell(watch, found, found.raised, turn)
        self._say.touch(watch)

    def _activate(self, watch: Watch, at: int, turn: Turn) -> None:
        """A pre-alarm becomes the alarm."""
        found = watch.instance
        if found is None or found.condition is not Condition.PREALARM:
            return
        found.condition = Condition.ACTIVE
        found.acknowledged = False
        cancel(found, CONFIRM)
        if not found.held:
            found.version = watch.rule.version
            self._say(watch, found, FindingKind.RAISED, at, turn, evidence=watch.evidence())
        if not watch.pulse and worst(found.steps) is None:
            self.finish(watch, found, at, turn)
        self._say.touch(watch)

    def investigated(self, watch: Watch, found: Instance, due: int, turn: Turn) -> None:
        """The time of a pre-alarm has run out.

        Nobody looked, or it still burns: it is an alarm. Somebody looked and it has gone: what remains
        is the reset.
        """
        if found.condition is not Condition.PREALARM:
            return
        if found.acknowledged and not watch.pulse and worst(found.steps) is None:
            self.finish(watch, found, due, turn)
        else:
            self._activate(watch, due, turn)

    def reconsider(self, watches: list[Watch], at: int, turn: Turn) -> None:
        """A detector has failed: its partners' pre-alarms may need one voice less."""
        for watch in watches:
            for partner in list(self._confirmation.group(watch).values()):
                found = partner.instance if partner is not None else None
                if partner is None or found is None or found.condition is not Condition.PREALARM:
                    continue
                if found.detected and self._confirmation.confirmed(partner, found.detected):
                    self._activate(partner, max(at, found.raised), turn)

    def finish(self, watch: Watch, found: Instance, at: int, turn: Turn, *, reason: str = "") -> None:
        """The condition has gone at event time `at`; a latch keeps the alarm."""
        found.ended = max(at, found.raised)
        for name in (KEEP, CONFIRM, HOLD):
            cancel(found, name)
        latched = watch.latch
        found.condition = Condition.LATCHED if latched else Condition.NORMAL
        if found.held:
            found.held = False
            if latched:  # somebody must still inspect and reset it
                self.firing[watch.alarm] = watch
            self._say(
                watch, found, FindingKind.RECORD, found.ended, turn, reason=reason, evidence=found.evidence
            )
            found.evidence = ()
        else:
            kind = FindingKind.LATCHED if latched else FindingKind.CLEARED
            self._say(watch, found, kind, found.ended, turn, reason=reason)
            self._flip(watch, found, found.ended, turn)
        if not latched:
            self._forget(watch, found, turn)
        self._say.touch(watch)

    def settled(self, watch: Watch, found: Instance, due: int, turn: Turn) -> None:
        """A whole window has passed without a change."""
        if found.flapping:
            settle(found)
            self._say(watch, found, FindingKind.SETTLED, due, turn)
            self._say.touch(watch)

    def lingered(self, watch: Watch, at: int, turn: Turn) -> None:
        """An inhibitor is over for good: what it muted and still fires is told now, once."""
        self._inhibitions.end(watch)
        for target in self._inhibitions.targets(watch, list(self.firing.values())):
            found = target.instance
            if found is not None and found.suppressed_by == watch.alarm:
                found.suppressed_by = self._inhibitions.inhibitor(target)
                if not found.suppressed_by:
                    self._say(target, found, FindingKind.RELEASED, max(at, found.raised), turn)
                self._say.touch(target)

    def acknowledge(self, watch: Watch, command: Acknowledge, turn: Turn) -> None:
        """Note that somebody has seen it; a pre-alarm then gets its time to investigate."""
        found = watch.instance
        if found is None or not found.occurrence or found.held or found.acknowledged:
            return
        found.acknowledged = True
        if watch.confirm is not None and found.condition is Condition.PREALARM:
            due = turn.now + watch.confirm.acknowledged
            self._timers.set(watch.alarm, found, CONFIRM, due, turn.now)
        self._say(
            watch, found, FindingKind.ACKNOWLEDGED, turn.now, turn, reason=command.note, actor=command.actor
        )
        self._say.touch(watch)

    def reset(self, watch: Watch, command: Reset, turn: Turn) -> None:
        """End a latched alarm whose condition is FALSE; raises `Refused`."""
        found = watch.instance
        refusal = reset_refusal(watch, found, command)
        if found is None or refusal is not None:
            raise Refused(refusal or no_alarm(watch.alarm))
        found.condition = Condition.NORMAL
        found.ended = max(found.ended, turn.now)
        cancel(found, CONFIRM)
        self._say(watch, found, FindingKind.RESET, turn.now, turn, reason=command.note, actor=command.actor)
        self._forget(watch, found, turn)
        self._say.touch(watch)

    def end(self, alarm: str, found: Instance, reason: Ending, turn: Turn) -> None:
        """Its rule or device is gone: close it, and keep nothing but its count."""
        if found.firing:
            kind = FindingKind.RECORD if found.held else FindingKind.ENDED
            found.condition = Condition.NORMAL
            self._say.of_record(alarm, found, kind, turn.now, turn, reason=reason)
        switch_off(found.steps)
        found.timers, found.hits, found.flips = {}, [], []
        found.held = found.flapping = found.verdict = False
        found.labels, found.evidence, found.suppressed_by = {}, (), ""
        found.condition, found.late_since = Condition.NORMAL, 0
        found.ended = max(found.ended, turn.now)

    def _forget(self, watch: Watch, found: Instance, turn: Turn) -> None:
        """The occurrence is over."""
        told = self.firing.pop(watch.alarm, None) is not None
        found.labels, found.suppressed_by = {}, ""
        if told and self._inhibitions.is_source(watch):
            due = turn.now + self._inhibitions.linger(watch)
            self._timers.set(watch.alarm, found, LINGER, due, turn.now)

    def _change_severity(
        self, watch: Watch, found: Instance, severity: Severity, at: int, turn: Turn
    ) -> None:
        worse = severity.rank < Severity(found.severity).rank
        found.severity = severity
        if worse:
            found.acknowledged = False
        if found.held:
            hurry = turn.now + PATIENCE[severity]
            if hurry < found.timers[HOLD].due:
                self._timers.set(watch.alarm, found, HOLD, hurry, turn.now)
        else:
            self._say(watch, found, FindingKind.SEVERITY, at, turn, evidence=watch.evidence())

    def _suppress(self, targets: list[Watch], at: int, turn: Turn) -> None:
        for target in targets:
            found = target.instance
            if found is not None and not found.suppressed_by:
                found.suppressed_by = self._inhibitions.inhibitor(target)
                self._say(target, found, FindingKind.SUPPRESSED, max(at, found.raised), turn)
                self._say.touch(target)

    def _flip(self, watch: Watch, found: Instance, at: int, turn: Turn) -> None:
        if count_flip(watch.alarm, found, watch.flap, at, turn.now, self._timers):
            self._say(watch, found, FindingKind.FLAPPING, at, turn)
