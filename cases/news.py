"""What a finding means to the case that has its alarm: the lines of history that the system writes.

Findings that say the same are told in one line, however many they are.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cases.alarms import Alarm
from cases.states import Act
from language import N_, Message
from rules.findings import Condition, Finding, FindingKind, Severity

NAMED_ALARMS: Final = 5
"""So many alarms a line names; it counts the others."""

_JOINED: Final = N_("Another alarm joined: {alarms}")
_SEVERAL_JOINED: Final = N_("{count} more alarms joined: {alarms}")
_RECORDED: Final = N_("Happened and was over while nobody could be told: {alarms}")
_AGAIN: Final = N_("Raised again: {alarms}")
_CONFIRMED: Final = N_("Pre-alarm confirmed, an alarm now: {alarms}")
_ROSE: Final = N_("Severity rose from {before} to {after}: {alarms}")
_FELL: Final = N_("Severity fell from {before} to {after}: {alarms}")
_RELEASED: Final = N_("No longer held back by another alarm: {alarms}")
_ENDINGS: Final = {
    FindingKind.CLEARED: N_("Alarm over: {alarms}"),
    FindingKind.LATCHED: N_("Condition gone, to be reset after inspection: {alarms}"),
    FindingKind.RESET: N_("Alarm reset: {alarms}"),
    FindingKind.ACKNOWLEDGED: N_("Alarm acknowledged: {alarms}"),
    FindingKind.ENDED: N_("Alarm ended without its condition having gone: {alarms}"),
}


class Told(NamedTuple):
    """One sentence about alarms; `note` are the words of a person or of the engine that go beside it."""

    act: Act
    template: str
    before: str = ""
    after: str = ""
    note: str = ""


OPENING: Final = Told(Act.FOLD, "")
"""The finding that opened the case: the opening line speaks of it."""


@dataclass(slots=True)
class News:
    """What one sentence is about: how many findings, how many alarms new to the case, their names."""

    first: Finding
    alarms: dict[str, None] = field(default_factory=dict)
    findings: int = 0
    linked: int = 0
    last: int = 0
    severity: Severity | None = None
    priority: str = ""

    def message(self, told: Told) -> Message:
        """The sentence."""
        several = told.template == _JOINED and len(self.alarms) > 1
        values: dict[str, object] = {"alarms": self._named()}
        if several:
            values["count"] = len(self.alarms)
        if told.before:
            values |= {"before": told.before, "after": told.after}
        return Message(_SEVERAL_JOINED if several else told.template, values)

    def _named(self) -> str:
        names = [*self.alarms]
        more = len(names) - NAMED_ALARMS
        shown = ", ".join(names[:NAMED_ALARMS])
        return f"{shown} … (+{more})" if more > 0 else shown


def joining(before: Alarm, finding: Finding, *, linked: bool, earlier: bool) -> Told:
    """What `finding` says that a case takes in; `before` is its alarm as it was.

    `linked`: the alarm belongs to the case already; `earlier`: the same alarm's last occurrence does.
    """
    if finding.kind is FindingKind.RECORD:
        return Told(Act.FOLD, _RECORDED)
    if not linked:
        return Told(Act.ALARM, _AGAIN) if earlier else Told(Act.FOLD, _JOINED)
    if finding.kind is FindingKind.RELEASED:
        return Told(Act.ALARM, _RELEASED)
    if finding.kind is FindingKind.SEVERITY:
        template = _ROSE if finding.severity.rank < before.severity.rank else _FELL
        return Told(Act.ALARM, template, before.severity.value, finding.severity.value)
    confirmed = before.condition is Condition.PREALARM and finding.kind is FindingKind.RAISED
    return Told(Act.ALARM, _CONFIRMED if confirmed else _AGAIN)


def changing(finding: Finding) -> Told | None:
    """What `finding` says of an alarm that goes, or that somebody did; None when it says nothing."""
    template = _ENDINGS.get(finding.kind)
    if template is None:
        return None
    note = " · ".join(part for part in (finding.actor, finding.reason) if part)
    return Told(Act.ALARM, template, note=note)


def held_back(finding: Finding) -> bool:
    """Whether an inhibitor's case stands for it already; a flapping alarm speaks for itself."""
    return finding.suppressed_by not in ("", "flapping") and finding.kind is not FindingKind.RELEASED


def calls(before: Alarm, finding: Finding) -> bool:
    """Whether somebody has to go and look because of `finding`: something begins, or gets worse."""
    if held_back(finding):
        return False
    if finding.kind is FindingKind.SEVERITY:
        return finding.severity.rank < before.severity.rank
    return finding.kind in (FindingKind.PREALARM, FindingKind.RAISED, FindingKind.RELEASED)
