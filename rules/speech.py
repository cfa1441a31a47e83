"""Saying it: findings from an alarm's record, and the sentences of refusals."""

from language import N_, Message
from rules.commands import Reset
from rules.findings import Condition, Evidence, Finding, FindingKind, Severity
from rules.state import Instance
from rules.watch import Turn, Watch

FLAPPING = "flapping"
"""`Finding.suppressed_by` while an alarm changes too often to be told each time."""

_ALWAYS_TOLD = frozenset(
    {FindingKind.FLAPPING, FindingKind.SETTLED, FindingKind.RESET, FindingKind.ACKNOWLEDGED}
)


class Speech:
    """Writes findings into the turn, and notes which records have to be stored."""

    def __init__(self) -> None:
        self.dirty: set[str] = set()
        """Alarms to store."""
        self.heard: set[str] = set()
        """Devices to store."""

    def touch(self, watch: Watch) -> None:
        """The record of this alarm has changed."""
        self.dirty.add(watch.alarm)
        watch.rest()

    def __call__(
        self,
        watch: Watch,
        found: Instance,
        kind: FindingKind,
        at: int,
        turn: Turn,
        *,
        reason: str = "",
        actor: str = "",
        evidence: tuple[Evidence, ...] = (),
    ) -> None:
        """Say what happened to an alarm at event time `at`."""
        turn.findings.append(
            Finding(
                kind=kind,
                alarm=watch.alarm,
                occurrence=found.occurrence,
                rule=watch.rule.id,
                version=watch.rule.version,
                severity=Severity(found.severity),
                condition=found.condition,
                time=at,
                noticed=turn.now,
                labels=dict(found.labels or watch.labels),
                evidence=evidence,
                late=found.late,
                replayed=found.replayed or turn.replayed,
                no_data=watch.silence is not None,
                reason=reason,
                actor=actor,
                since=found.raised,
                suppressed_by=_suppressed_by(found, kind),
            )
        )

    def of_record(
        self, alarm: str, found: Instance, kind: FindingKind, at: int, turn: Turn, *, reason: str
    ) -> None:
        """The same for an alarm whose rule or device is gone: from its record alone."""
        turn.findings.append(
            Finding(
                kind=kind,
                alarm=alarm,
                occurrence=found.occurrence,
                rule=alarm.partition(":")[0],
                version=found.version,
                severity=Severity(found.severity),
                condition=found.condition,
                time=at,
                noticed=turn.now,
                labels=dict(found.labels),
                late=found.late,
                replayed=found.replayed or turn.replayed,
                no_data=found.no_data,
                reason=reason,
                since=found.raised,
                suppressed_by=_suppressed_by(found, kind),
            )
        )


SILENCE_SUFFIX = ":no-data"
"""Ends the identity of the companion alarm of a rule that judges values as well."""


def reset_refusal(watch: Watch, found: Instance | None, command: Reset) -> Message | None:
    """Why the alarm may not be reset now; None when it may."""
    if found is None or not found.firing:
        return no_alarm(watch.alarm)
    if not command.note.strip():
        return Message(N_("a reset needs a note: what did you find?"))
    if found.verdict:
        return Message(N_("alarm {alarm} cannot be reset: its condition still holds"), {"alarm": watch.alarm})
    resettable = found.condition is Condition.LATCHED or (
        found.condition is Condition.PREALARM and watch.latch and not watch.pulse
    )
    if not resettable or found.held:
        return Message(N_("alarm {alarm} is not latched; it ends by itself"), {"alarm": watch.alarm})
    return None


def no_alarm(alarm: str) -> Message:
    """There is nothing to reset."""
    return Message(N_("alarm {alarm} does not fire"), {"alarm": alarm})


def _suppressed_by(found: Instance, kind: FindingKind) -> str:
    if found.suppressed_by:
        return found.suppressed_by
    return FLAPPING if found.flapping and kind not in _ALWAYS_TOLD else ""
