"""What other systems are told: rows of an outbox, each delivered at least once under a constant id.

Nothing is sent here. A row's id depends on what happened and who is told, so making it twice makes it
once, and a receiver that sees it twice can tell.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from cases.alarms import Alarm
from cases.case import Case, Entry
from cases.states import Act
from rules.findings import Finding, FindingKind, Severity

QUIET_ACTS: Final = frozenset({Act.FOLD, Act.ALARM, Act.NOTE, Act.EVIDENCE, Act.ON_MY_WAY})
"""What happens too often, or only matters inside the house."""

TOLD_FINDINGS: Final = frozenset(
    {
        FindingKind.PREALARM,
        FindingKind.RAISED,
        FindingKind.SEVERITY,
        FindingKind.CLEARED,
        FindingKind.RECORD,
        FindingKind.RELEASED,
        FindingKind.ENDED,
        FindingKind.RESET,
    }
)


class DeliveryState(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; a person may try it again."""


class Receiver(msgspec.Struct, frozen=True):
    """Somebody who is told. `kinds` are beginnings of message kinds (``case.``, ``alarm.raised``)."""

    id: str
    kinds: tuple[str, ...] = ("case.",)
    severities: frozenset[Severity] = frozenset(Severity)
    grids: frozenset[str] = frozenset()
    """Only about these grids (of any level); empty: all."""

    def wants(self, kind: str, grids: Iterable[str], severity: Severity | None = None) -> bool:
        """Whether a message of `kind` about something in `grids` goes there."""
        return (
            kind.startswith(self.kinds)
            and (severity is None or severity in self.severities)
            and (not self.grids or not self.grids.isdisjoint(grids))
        )


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one receiver. `subject` is the case or alarm it is about: order holds per subject."""

    id: str
    receiver: str
    kind: str
    subject: str
    payload: str
    created: int
    due: int
    attempts: int = 0
    state: DeliveryState = DeliveryState.WAITING
    error: str = ""


def about_case(
    receivers: Sequence[Receiver], case: Case, entry: Entry, number: int, now: int
) -> list[Delivery]:
    """The messages about one line of a case's history; `number` is the line's."""
    kind = f"case.{entry.act.value}"
    if entry.act in QUIET_ACTS:
        return []
    chosen = [receiver for receiver in receivers if receiver.wants(kind, case.grids)]
    if not chosen:
        return []
    payload = _json(
        {
            "case": case.id,
            "entry": number,
            "state": entry.to_state.value,
            "from": entry.from_state.value,
            "category": case.category,
            "priority": case.priority,
            "place": case.place,
            "grids": [*case.grids],
            "officer": case.officer,
            "units": [*case.units],
            "due": case.clock.due,
            "drill": case.drill,
            "time": entry.time,
        }
    )
    return [_row(receiver, f"{case.id}:{number}", kind, case.id, payload, now) for receiver in chosen]


def about_alarm(receivers: Sequence[Receiver], alarm: Alarm, finding: Finding, now: int) -> list[Delivery]:
    """The messages about one change of an alarm; none while it is suppressed."""
    if finding.suppressed_by or finding.kind not in TOLD_FINDINGS:
        return []
    kind = f"alarm.{finding.kind.value}"
    grids = alarm.grids
    chosen = [receiver for receiver in receivers if receiver.wants(kind, grids, finding.severity)]
    if not chosen:
        return []
    payload = _json(
        {
            "alarm": alarm.id,
            "rule": alarm.rule,
            "version": finding.version,
            "severity": finding.severity.value,
            "condition": finding.condition.value,
            "labels": alarm.labels,
            "late": finding.late,
            "replayed": finding.replayed,
            "no_data": finding.no_data,
            "reason": finding.reason,
            "case": alarm.case,
            "time": finding.time,
        }
    )
    event = f"{alarm.id}:{alarm.findings}"
    return [_row(receiver, event, kind, alarm.id, payload, now) for receiver in chosen]


def _row(receiver: Receiver, event: str, kind: str, subject: str, payload: str, now: int) -> Delivery:
    return Delivery(
        id=f"{event}:{receiver.id}",
        receiver=receiver.id,
        kind=kind,
        subject=subject,
        payload=payload,
        created=now,
        due=now,
    )


def _json(payload: dict[str, object]) -> str:
    return msgspec.json.encode(payload).decode()
