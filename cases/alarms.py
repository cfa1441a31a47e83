"""The alarm list: one row per occurrence, made of the engine's findings.

The engine owns the condition; the row adds what people did (acknowledged, reset) and what the list needs.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from rules.findings import Condition, Finding, FindingKind, Severity

FIRING: Final = frozenset({Condition.PREALARM, Condition.ACTIVE, Condition.RECOVERING})
STANDING: Final = FIRING | {Condition.LATCHED}
"""Not over: firing, or latched until somebody resets it."""

OUTSIDE: Final = "@"
"""Begins the name of who raised an alarm, where it was no rule (`cases.outside`); no rule's id begins so."""

UNLISTED_RANK: Final = 9
"""Where an alarm sorts that is over and seen: behind every open one."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence of an alarm. Times in nanoseconds since 1970-01-01 UTC, event time.

    `open` means it stays in the list: firing, latched, or over but seen by nobody yet. `severity` is
    the present one, `worst` the worst it ever had.
    """

    id: str
    alarm: str
    occurrence: int
    rule: str
    version: int
    severity: Severity
    worst: Severity
    condition: Condition
    labels: dict[str, str]
    raised: int
    noticed: int
    """When the engine noticed it (the gateway's clock)."""
    changed: int
    cleared: int | None = None
    acknowledged: bool = False
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    reset_at: int | None = None
    reset_by: str = ""
    open: bool = True
    ended: str = ""
    """Why it ended without its condition having gone (`rules.findings.Ending`), else empty."""
    record: bool = False
    """It began and went unseen: happened from `raised` to `cleared`."""
    late: bool = False
    replayed: bool = False
    no_data: bool = False
    flapping: bool = False
    prealarm: bool = False
    """It began as a pre-alarm: one detector that no second one had confirmed."""
    suppressed_by: str = ""
    case: str = ""
    findings: int = 0

    @property
    def standing(self) -> bool:
        """Whether it keeps a case from being closed."""
        return self.condition in STANDING

    @property
    def resettable(self) -> bool:
        """A person may end it: latched with the condition gone, or somebody's who may never end it."""
        return self.condition is Condition.LATCHED or (bool(self.watcher) and self.standing)

    @property
    def watcher(self) -> str:
        """Who raised it from outside (`cases.outside`); empty for an alarm of our own rules."""
        return self.rule.removeprefix(OUTSIDE) if self.rule.startswith(OUTSIDE) else ""

    @property
    def rank(self) -> int:
        """Its place in the list: open ones by severity, all others behind them."""
        return self.severity.rank if self.open else UNLISTED_RANK

    @property
    def device(self) -> str:
        """The device, if it is about one."""
        return self.labels.get("device", "")

    @property
    def grids(self) -> tuple[str, str, str]:
        """The grids of its place, level 1 to 3; empty where unknown."""
        return (
            self.labels.get("grid1", ""),
            self.labels.get("grid2", ""),
            self.labels.get("grid3", ""),
        )


def first_seen(finding: Finding) -> Alarm:
    """The row of an occurrence that `finding` is the first to speak of."""
    return Alarm(
        id=finding.id,
        alarm=finding.alarm,
        occurrence=finding.occurrence,
        rule=finding.rule,
        version=finding.version,
        severity=finding.severity,
        worst=finding.severity,
        condition=finding.condition,
        labels=finding.labels,
        raised=finding.since or finding.time,
        noticed=finding.noticed,
        changed=finding.time,
        late=finding.late,
        replayed=finding.replayed,
        no_data=finding.no_data,
    )


def after(alarm: Alarm, finding: Finding) -> Alarm:
    """`alarm` as it is after `finding`."""
    now = replace(
        alarm,
        version=finding.version,
        severity=finding.severity,
        worst=min(alarm.worst, finding.severity, key=lambda severity: severity.rank),
        condition=finding.condition,
        changed=finding.time,
        late=alarm.late or finding.late,
        replayed=alarm.replayed or finding.replayed,
        suppressed_by=finding.suppressed_by,
        findings=alarm.findings + 1,
    )
    now = _by_kind(now, alarm, finding)
    return replace(now, open=_stays_listed(now))


def _by_kind(now: Alarm, before: Alarm, finding: Finding) -> Alarm:
    match finding.kind:
        case FindingKind.PREALARM | FindingKind.RAISED:
            again = before.condition is not Condition.RECOVERING
            prealarm = now.prealarm or finding.kind is FindingKind.PREALARM
            return replace(_unseen(now) if again else now, cleared=None, prealarm=prealarm)
        case FindingKind.SEVERITY if finding.severity.rank < before.severity.rank:
            return _unseen(now)
        case FindingKind.LATCHED | FindingKind.CLEARED:
            return replace(now, cleared=finding.time)
        case FindingKind.RECORD:
            return replace(now, record=True, cleared=finding.time)
        case FindingKind.ENDED:
            return replace(now, cleared=now.cleared or finding.time, ended=finding.reason or "ended")
        case FindingKind.ACKNOWLEDGED:
            return _seen(now, finding)
        case FindingKind.RESET:
            seen = now if now.acknowledged else _seen(now, finding)
            return replace(
                seen, reset_at=finding.time, reset_by=finding.actor, cleared=seen.cleared or finding.time
            )
        case FindingKind.FLAPPING:
            return replace(now, flapping=True)
        case FindingKind.SETTLED:
            return replace(now, flapping=False)
        case _:
            return now


def _seen(alarm: Alarm, finding: Finding) -> Alarm:
    return replace(alarm, acknowledged=True, acknowledged_at=finding.time, acknowledged_by=finding.actor)


def _unseen(alarm: Alarm) -> Alarm:
    return replace(alarm, acknowledged=False, acknowledged_at=None, acknowledged_by="")


def _stays_listed(alarm: Alarm) -> bool:
    if alarm.standing:
        return True
    return not (alarm.acknowledged or alarm.ended or alarm.record)
