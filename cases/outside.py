"""Alarms of somebody who watches the platform from outside, such as Grafana, in the same list as our own.

They have no rule of ours, no device and no case. Whoever watches says when such an alarm begins and when it
is over; a person may end one that nobody will end any more. Notices may come twice, late, or only once all is
over: the list is the same in the end.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from cases.alarms import OUTSIDE, Alarm
from rules.commands import Acknowledge, Refused, Reset
from rules.findings import Condition, Finding, FindingKind, Severity
from rules.speech import no_alarm

NAME: Final = "name_"
"""Begins the labels that hold an alarm's name by language."""
URL: Final = "url"
"""The label with the address at which its watcher tells more."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a watcher says of one of its alarms. Times in nanoseconds since 1970-01-01 UTC.

    `key` is the watcher's own name for it, the same each time it comes back.
    """

    watcher: str
    key: str
    names: Mapping[str, str]
    severity: Severity
    firing: bool
    began: int
    ended: int = 0
    about: str = ""
    url: str = ""
    """Where the watcher tells more."""

    @property
    def rule(self) -> str:
        """What stands where an alarm of ours has its rule."""
        return f"{OUTSIDE}{self.watcher}"

    @property
    def alarm(self) -> str:
        """The alarm's identity."""
        return f"{self.rule}:{self.key}"


def said(notice: Notice, last: Alarm | None, now: int) -> Finding | None:
    """What `notice` adds to what is known; None when that is nothing. `last` is its latest occurrence."""
    if notice.firing:
        if last is not None and (last.standing or _told_before(notice, last)):
            return None
        return _first(notice, last, FindingKind.RAISED, Condition.ACTIVE, notice.began, now)
    if last is not None and last.standing:
        late = 0 < notice.ended < last.raised  # of an occurrence before this one
        return None if late else _about(last, FindingKind.CLEARED, Condition.NORMAL, notice.ended or now, now)
    if last is not None and last.raised >= notice.began:
        return None
    over = max(notice.ended, notice.began)
    return _first(notice, last, FindingKind.RECORD, Condition.NORMAL, over, now)


def commanded(command: Acknowledge | Reset, alarm: Alarm | None, now: int) -> Finding | None:
    """What an operator's act makes of the latest occurrence; None when somebody had seen it already.

    Raises `rules.commands.Refused` for one that never was, and for a reset of one that is over.
    """
    if alarm is None or (isinstance(command, Reset) and not alarm.standing):
        raise Refused(no_alarm(command.alarm))
    kind, condition = FindingKind.ACKNOWLEDGED, alarm.condition
    if isinstance(command, Reset):
        kind, condition = FindingKind.RESET, Condition.NORMAL
    elif alarm.acknowledged:
        return None
    return _about(alarm, kind, condition, now, now, actor=command.actor, reason=command.note)


def _told_before(notice: Notice, last: Alarm) -> bool:
    """Whether it comes late: of an occurrence that its watcher has ended since. What a person ended and still
    fires is another one.
    """
    return last.reset_at is None and notice.began <= last.raised


def _first(
    notice: Notice, last: Alarm | None, kind: FindingKind, condition: Condition, time: int, now: int
) -> Finding:
    return Finding(
        kind=kind,
        alarm=notice.alarm,
        occurrence=last.occurrence + 1 if last is not None else 1,
        rule=notice.rule,
        version=0,
        severity=notice.severity,
        condition=condition,
        time=time,
        noticed=now,
        labels={URL: notice.url, **{f"{NAME}{language}": name for language, name in notice.names.items()}},
        reason=notice.about,
        since=notice.began,
    )


def _about(
    alarm: Alarm,
    kind: FindingKind,
    condition: Condition,
    time: int,
    now: int,
    *,
    actor: str = "",
    reason: str = "",
) -> Finding:
    return Finding(
        kind=kind,
        alarm=alarm.alarm,
        occurrence=alarm.occurrence,
        rule=alarm.rule,
        version=alarm.version,
        severity=alarm.severity,
        condition=condition,
        time=time,
        noticed=now,
        labels=alarm.labels,
        actor=actor,
        reason=reason,
    )
