"""What travels over the API. Times are RFC 3339 in UTC; series carry epoch milliseconds for charts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from readings.lanes import Lane
from readings.sample import Scalar
from registry.device_types import Kind
from registry.grids import GridKind, Role
from rules.findings import Condition, FindingKind, Severity

Text = Annotated[dict[str, str], Field(examples=[{"zh": "临滨苑 8 栋", "en": "Linbin Garden, building 8"}])]
"""A name by language, ``{"zh": …, "en": …}``."""


class Schema(BaseModel):
    """Base of every body: unknown keys in requests are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Schema):
    """An error as RFC 9457 describes it (``application/problem+json``)."""

    type: str = Field("about:blank", examples=["urn:gridwarden:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field("", description="In the language of Accept-Language.")
    instance: str = Field("", examples=["/api/v1/cases/BH-20261123-0001"])
    errors: list[dict[str, str]] = Field([], description="Where the request was wrong, field by field.")


# ---------------------------------------------------------------------------------------- the site


class GridOut(Schema):
    """One grid of the tree."""

    id: str = Field(examples=["R1-03-07"])
    name: Text
    kind: GridKind
    level: int = Field(ge=1, le=3)
    parent: str | None
    officer: str | None = Field(description="Id of the person responsible.")


class PersonOut(Schema):
    """Somebody who handles cases."""

    id: str
    name: str
    role: Role
    unit: str = ""
    phone: str = ""


class CategoryOut(Schema):
    """A category of cases."""

    id: str
    label: Text
    closing_standard: Text


class RuleOut(Schema):
    """A rule as people read it."""

    id: str
    version: int
    label: Text
    severity: Severity
    sentence: str = Field(description="The rule as one sentence, in the language of Accept-Language.")


class SiteOut(Schema):
    """The community: loaded once by a client, reloaded when `revision` changes."""

    name: Text
    timezone: str = Field(examples=["Asia/Shanghai"])
    languages: list[str]
    revision: str = Field(description="Changes whenever the site folder was reloaded with changes.")
    version: str = Field(description="GridWarden's version.")
    grids: list[GridOut]
    people: list[PersonOut]
    categories: list[CategoryOut]
    rules: list[RuleOut]
    devices: int


# ------------------------------------------------------------------------------------- the overview


class Tile(Schema):
    """One grid of the overview's map: its worst state and its counts, including the grids below it."""

    grid: str
    worst: Severity | None = Field(description="Worst severity among open alarms; none: calm.")
    alarms: int = Field(description="Open alarms.")
    unacknowledged: int
    cases: int = Field(description="Open cases.")
    overdue: int = Field(description="Open cases past their limit.")
    devices: int
    silent: int = Field(description="Devices not heard in time: not being watched.")


class Totals(Schema):
    """The five-second answer: is anything burning, who is on it, what is not being watched."""

    alarms: dict[Severity, int] = Field(description="Open alarms by severity.")
    unacknowledged: int
    cases_open: int
    cases_unaccepted: int = Field(description="Open cases that nobody has accepted yet.")
    cases_overdue: int
    devices: int
    silent: int
    never_heard: int = Field(description="Devices that have not spoken since the start of the records.")
    edges: int
    edges_down: int


class Change(Schema):
    """Something that happened lately: an alarm or a case that changed."""

    time: datetime
    kind: Literal["alarm", "case"]
    id: str
    what: str = Field(
        examples=["raised", "dispatched"], description="A finding's kind or a case's new state."
    )
    severity: Severity | None = None
    title: Text
    place: Text
    grid: str = ""
    person: str = ""


class OverviewOut(Schema):
    """Everything the overview shows."""

    time: datetime
    totals: Totals
    tiles: list[Tile]
    changes: list[Change] = Field(description="Newest first, at most 50.")
    burning: list["AlarmOut"] = Field(
        description="Open critical and high alarms, worst and newest first, at most 20."
    )


# -------------------------------------------------------------------------------------- the devices


class Value(Schema):
    """The latest value of one point."""

    point: str
    label: Text
    kind: Kind
    value: Scalar | None = Field(description="None when the device said NaN.")
    unit: str = Field(examples=["Cel"], description="UCUM code.")
    time: datetime
    quality: list[str] = Field(examples=[["clock_suspect"]])
    lane: Lane


class DeviceState(StrEnum):
    """Whether a device is being heard."""

    OK = "ok"
    SILENT = "silent"
    NEVER = "never"


class DeviceOut(Schema):
    """A device in a list."""

    id: str
    name: Text
    type: str
    device_class: str
    place: str
    place_name: Text
    building: str
    floor: str
    grid: str = Field(description="Level-3 grid.")
    edge: str
    source: str = Field(description="Native address on its edge.", examples=["z2m/kitchen smoke"])
    state: DeviceState
    last_heard: datetime | None
    worst: Severity | None = Field(description="Worst open alarm of the device.")


class PointOut(Schema):
    """What a point of a device's type means."""

    point: str
    label: Text
    kind: Kind
    unit: str
    lane: Lane
    minimum: float | None
    maximum: float | None


class DeviceDetail(DeviceOut):
    """A device's page."""

    type_label: Text
    vendor: str
    model: str
    interval: float = Field(description="Seconds within which it is expected to speak.")
    grids: list[str] = Field(description="Ids of its grids, level 1 to 3.")
    officer: PersonOut | None
    points: list[PointOut]
    latest: list[Value]
    alarms: list["AlarmOut"] = Field(description="Open and recent alarms of this device.")


class SeriesOut(Schema):
    """A point's history: either raw values or one row per bucket (so that a spike never disappears)."""

    device: str
    point: str
    unit: str
    kind: Kind
    start: int = Field(description="Epoch milliseconds.")
    end: int = Field(description="Epoch milliseconds.")
    cut: bool = Field(False, description="There is more than is given at once: ask with `buckets`.")
    raw: list[tuple[int, Scalar | None]] | None = Field(None, description="[time ms, value], oldest first.")
    buckets: list[tuple[int, float, float, float, int]] | None = Field(
        None, description="[bucket start ms, minimum, maximum, mean, count], oldest first."
    )


# ---------------------------------------------------------------------------------------- the alarms


class EvidenceOut(Schema):
    """A reading that spoke for an alarm."""

    device: str
    device_name: Text
    point: str
    value: Scalar | None
    unit: str
    time: datetime
    event: str = ""


class AlarmOut(Schema):
    """One occurrence of an alarm."""

    id: str = Field(examples=["smoke:d-000123#1"])
    rule: str
    rule_label: Text
    severity: Severity
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
        description="Latched and the condition gone: a person may reset it after inspection."
    )


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


# ----------------------------------------------------------------------------------------- the cases


class ActionOut(Schema):
    """Something that may be done with a case now, and what it asks for."""

    action: str = Field(examples=["accept"])
    label: str = Field("", description="What the action is called, in the language of Accept-Language.")
    to: str = Field(examples=["in_progress"], description="The state it leads to.")
    roles: list[Role]
    needs: list[str] = Field(examples=[["reason", "evidence"]], description="Fields that must be given.")
    refused: str = Field("", description="Why it cannot be done yet although it is this role's to do.")


class CaseOut(Schema):
    """A case in a list."""

    number: str = Field(examples=["BH-20261123-0001"])
    title: Text
    category: str
    category_label: Text
    priority: str = Field(examples=["P1"])
    state: str = Field(examples=["dispatched"])
    open: bool
    overdue: bool
    place: str
    place_name: Text
    building: str
    grid: str
    grids: list[str]
    officer: PersonOut | None
    holder: str = Field("", description="Who has it now: a person, department or level.")
    opened_at: datetime
    changed_at: datetime
    due_at: datetime | None
    closed_at: datetime | None = None
    alarms: int
    drill: bool = False


class EntryOut(Schema):
    """One line of a case's history; never changed, never removed."""

    seq: int
    time: datetime
    actor: str
    actor_name: str
    role: str
    on_behalf_of: str = ""
    from_state: str
    to_state: str
    action: str
    reason: str = ""
    note: str = ""


class CaseDetail(CaseOut):
    """A case's page: everything an officer needs to act and a verifier to close."""

    closing_standard: Text
    accept_by: datetime | None = None
    history: list[EntryOut]
    alarm_list: list[AlarmOut]
    evidence: list[EvidenceOut]
    actions: list[ActionOut]
    rework: int = 0


class CasePage(Schema):
    """A page of cases."""

    items: list[CaseOut]
    total: int
    next: str | None


class DevicePage(Schema):
    """A page of devices."""

    items: list[DeviceOut]
    total: int
    next: str | None


class CaseAction(Schema):
    """Something a person does with a case; `available actions` of the case say what is possible."""

    action: str = Field(examples=["accept"])
    actor: str = Field(min_length=1, max_length=100, examples=["go-001"])
    on_behalf_of: str = Field("", max_length=100)
    reason: str = Field("", max_length=2000)
    note: str = Field("", max_length=4000)
    evidence: list[str] = Field([], max_length=50, description="References of photos or documents.")
    values: dict[str, str] = Field(
        {}, description="What else the action needs, e.g. review_date, lead, parent."
    )


# ---------------------------------------------------------------------------------------- the system


class Component(Schema):
    """A part of the gateway and how it fares."""

    name: str = Field(examples=["writer embedded"])
    state: Literal["ok", "degraded", "down"]
    detail: str = ""


class Queue(Schema):
    """Messages waiting somewhere."""

    name: str = Field(examples=["READINGS_ALARM → rules"])
    lane: Lane
    messages: int
    bytes: int | None = None
    oldest_seconds: float | None = None


class Rate(Schema):
    """Readings a second through a stage, over the last ten seconds."""

    stage: str = Field(examples=["normalised"])
    lane: Lane
    per_second: float


class EdgeOut(Schema):
    """An edge agent as its own health readings tell it."""

    id: str
    name: str
    link: bool
    last_heard: datetime | None
    waiting_batches: int | None
    oldest_waiting_seconds: float | None
    clock_offset_seconds: float | None
    cpu_temperature: float | None
    disk_free_bytes: float | None
    devices: int


class BookRow(Schema):
    """One account: what an edge took of one device and where it is now."""

    edge: str
    lane: Lane
    source: str
    taken: int
    waiting: int
    in_stream: int
    stored: int
    quarantined: int
    duplicates: int
    difference: int = Field(description="0 when the account balances.")


class BooksOut(Schema):
    """The books: proof that nothing is lost and nothing counts twice."""

    time: datetime
    balanced: bool
    proved: bool = Field(True, description="The streams were read too; else their content was concluded.")
    taken: int
    waiting: int
    in_stream: int
    stored: int
    quarantined: int
    duplicates: int
    first_difference: str = Field("", description="The first stage that does not balance.")
    rows: list[BookRow] = Field(description="Accounts that do not balance first; at most `limit`.")


class QuarantineOut(Schema):
    """What could not be understood, grouped by source, point and reason."""

    edge: str
    source: str
    point: str
    reason: str
    detail: str = Field(description="A sentence in the language of Accept-Language.")
    count: int
    first: datetime
    last: datetime
    raw: str = Field(description="The latest raw value or bytes, printable part.")


class ProcessOut(Schema):
    """A process of this installation."""

    name: str
    pid: int
    memory_bytes: int
    cpu_percent: float


class SystemOut(Schema):
    """The system page."""

    time: datetime
    version: str
    started_at: datetime
    components: list[Component]
    queues: list[Queue]
    rates: list[Rate]
    edges: list[EdgeOut]
    quarantined: int
    process: ProcessOut


class HealthOut(Schema):
    """For a load balancer or a watchdog."""

    status: Literal["ok", "degraded", "down"]
    components: list[Component]


# -------------------------------------------------------------------------------------- the live feed


class LiveAlarm(Schema):
    """SSE event ``alarm``: an alarm changed."""

    alarm: AlarmOut


class LiveCase(Schema):
    """SSE event ``case``: a case changed."""

    case: CaseOut


class LiveReading(Schema):
    """One value in the SSE event ``readings`` (only for devices asked for with ``?device=``)."""

    device: str
    point: str
    value: Scalar | None
    time: int = Field(description="Epoch milliseconds.")


OverviewOut.model_rebuild()
DeviceDetail.model_rebuild()
