"""Alarms, what they were raised on and what became of them."""

from datetime import datetime

from pydantic import Field

from gateway.api.schemas.base import POINT_CLASS, Schema, Text
from readings.sample import Scalar
from rules.findings import Condition, FindingKind, Severity


class EvidenceOut(Schema):
    """A reading that spoke for an alarm."""

    device: str
    device_name: Text
    point: str
    device_class: str = Field("", description=POINT_CLASS)
    value: Scalar | None
    unit: str
    time: datetime
    event: str = ""


class AlarmOut(Schema):
    """One occurrence of an alarm."""

    id: str = Field(examples=["smoke:d-000123#1"])
    rule: str
    rule_label: Text
    severity: Severity = Field(description="How bad it is now.")
    worst: Severity = Field(description="The worst it ever was.")
    condition: Condition
    open: bool = Field(description="Firing, latched, or cleared but not acknowledged.")
    acknowledged: bool
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    raised_at: datetime
    changed_at: datetime
    cleared_at: datetime | None = None
    late: bool
    replayed: bool
    no_data: bool
    device: str
    device_name: Text
    place: str
    place_name: Text
    building: str
    grid: str
    grids: list[str]
    case: str = Field("", description="Number of its case, if it has one.")
    resettable: bool = Field(
        description="A person may end it: latched with the condition gone, or somebody else's."
    )
    watcher: str = Field("", description="Who raised it from outside; empty: a rule of ours.")
    url: str = Field("", description="Where that watcher tells more.")


class FindingOut(Schema):
    """One change in an alarm's life."""

    kind: FindingKind
    time: datetime
    severity: Severity
    condition: Condition
    evidence: list[EvidenceOut]
    actor: str = ""
    reason: str = ""


class AlarmDetail(AlarmOut):
    """An alarm with its timeline and what it was raised on."""

    findings: list[FindingOut]
    evidence: list[EvidenceOut]


class AlarmPage(Schema):
    """A page of alarms, worst and newest first."""

    items: list[AlarmOut]
    total: int
    next: str | None = Field(description="Pass as `after` for the next page.")


class Operation(Schema):
    """An operator's act on an alarm."""

    actor: str = Field(
        min_length=1, max_length=100, description="Id of the person who acts.", examples=["so-1"]
    )
    note: str = Field("", max_length=2000)
