"""What the engine says: findings, and the words for an alarm's condition and severity."""

from enum import StrEnum

import msgspec

from readings.sample import Scalar


class Severity(StrEnum):
    """How bad, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the worst: for sorting and comparing."""
        return list(Severity).index(self)


class Condition(StrEnum):
    """The condition half of an alarm (ALARMS.md); the operator half is acknowledgement."""

    NORMAL = "normal"
    PENDING = "pending"
    PREALARM = "prealarm"
    ACTIVE = "active"
    RECOVERING = "recovering"
    LATCHED = "latched"


class FindingKind(StrEnum):
    """What changed. One reading or tick may yield several findings, in order."""

    PREALARM = "prealarm"
    RAISED = "raised"
    SEVERITY = "severity"
    """Severity of a firing alarm rose or fell (another level)."""
    LATCHED = "latched"
    """The condition went away; the alarm stays until a person resets it."""
    CLEARED = "cleared"
    """The occurrence is over: condition gone, nothing latched."""
    RECORD = "record"
    """Began and went while it could not be seen (a replay): from `Finding.since` to `Finding.time`.

    A record of what happened; nobody is dispatched. `condition` is LATCHED when it must be reset still.
    """
    FLAPPING = "flapping"
    """It changes too often; until SETTLED its findings are marked and not notified one by one."""
    SETTLED = "settled"
    """It has been quiet for a while; `condition` says in which state it came to rest."""
    SUPPRESSED = "suppressed"
    """A firing alarm fell under an inhibitor (`Finding.suppressed_by`)."""
    RELEASED = "released"
    """The inhibitor is gone and the alarm still fires: notify now, once."""
    ENDED = "ended"
    """Closed because the rule or the device is gone; `reason` says which."""
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"


class Ending(StrEnum):
    """Why an alarm ended without its condition having gone (`Finding.reason`)."""

    RULE_REMOVED = "rule_removed"
    RULE_DISABLED = "rule_disabled"
    DEVICE_REMOVED = "device_removed"
    NOT_WATCHED = "not_watched"
    """The rule no longer matches the device, or the device's type lost the point."""
    SCHEDULE = "schedule"
    """The hours in which the rule holds are over (kind CLEARED or LATCHED)."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """A reading that spoke for the finding."""

    device: str
    point: str
    value: Scalar
    time: int
    event: str = ""


class Finding(msgspec.Struct, frozen=True):
    """One change in the life of one alarm.

    `alarm` is the identity (rule id and key values, ``smoke:kitchen-3``) and `occurrence` counts its
    lives, so ``(alarm, occurrence)`` names one row in the alarm list for ever. Times in nanoseconds
    since 1970-01-01 UTC: `time` is event time, `noticed` the `now` that the engine was given.

    A latched alarm whose condition comes back is RAISED again in the same occurrence.

    `labels` holds what grouping, inhibiting and the desk need: device, device_type, device_class, place,
    building, fire_zone, edge, grid1, grid2, grid3 (missing where they do not apply).
    """

    kind: FindingKind
    alarm: str
    occurrence: int
    rule: str
    version: int
    severity: Severity
    condition: Condition
    time: int
    noticed: int
    labels: dict[str, str]
    evidence: tuple[Evidence, ...] = ()
    late: bool = False
    replayed: bool = False
    no_data: bool = False
    """The companion alarm that says: this device is not being watched."""
    reason: str = ""
    actor: str = ""
    since: int = 0
    """When this occurrence began (event time); 0 where that says nothing."""
    suppressed_by: str = ""
    """Do not notify: the inhibiting alarm, or ``flapping``. State and history go on as usual."""

    @property
    def id(self) -> str:
        """The occurrence as one word: ``smoke:kitchen-3#2``."""
        return f"{self.alarm}#{self.occurrence}"

    @property
    def earlier_id(self) -> str:
        """The occurrence before this one, whether or not there was one."""
        return f"{self.alarm}#{self.occurrence - 1}"
