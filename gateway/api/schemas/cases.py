"""Cases, their history, and what may be done with them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gateway.api.schemas.alarms import AlarmOut, EvidenceOut
from gateway.api.schemas.base import POINT_CLASS, Schema, Text
from gateway.api.schemas.site import PersonOut
from registry.grids import Role


class Choice(Schema):
    """One of the values that a field may have."""

    value: str = Field(examples=["fire-team"])
    label: str = Field(examples=["Fire brigade"], description="In the language of Accept-Language.")


class FieldOut(Schema):
    """Something an action asks for, and the control that fits it.

    text: words; choice and people: one of `choices`; units: several of them; date: a day; duration:
    ``4h``, ``1d``; flag: ``true`` when confirmed; case: another case's number, `choices` are likely ones.
    """

    name: str = Field(examples=["units"], description="Key in `values`; reason, note, evidence: of the body.")
    label: str = Field(examples=["Departments"], description="In the language of Accept-Language.")
    kind: Literal["text", "choice", "date", "duration", "flag", "people", "units", "case"]
    choices: list[Choice] = Field([], description="Values to choose from, with what people call them.")
    required: bool


class ActionOut(Schema):
    """Something that may be done with a case now, and what it asks for."""

    action: str = Field(examples=["accept"])
    label: str = Field("", description="What the action is called, in the language of Accept-Language.")
    to: str = Field(examples=["in_progress"], description="The state it leads to.")
    roles: list[Role]
    needs: list[str] = Field(examples=[["reason", "evidence"]], description="Fields that must be given.")
    fields: list[FieldOut] = Field([], description="What its form asks for, those needed first.")
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
    holder: str = Field(
        "", examples=["unit:fire-team"], description="Who has it now: a person's id, `unit:<id>` or `centre`."
    )
    holder_name: Text = Field({}, description="The same as a name: a person, a unit or the smart centre.")
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


class NearbyOut(Schema):
    """A point that watches the spot of a case too: a thermometer, a camera."""

    device: str = Field(examples=["linbin-8-2-6-kitchen-climate"])
    device_name: Text
    point: str = Field(examples=["temperature"])
    device_class: str = Field("", description=POINT_CLASS)


class CaseDetail(CaseOut):
    """A case's page: everything an officer needs to act and a verifier to close."""

    closing_standard: Text
    accept_by: datetime | None = None
    history: list[EntryOut]
    alarm_list: list[AlarmOut]
    evidence: list[EvidenceOut]
    nearby: list[NearbyOut] = Field([], description="What else watches the spot; their series say more.")
    actions: list[ActionOut]
    rework: int = 0


class CasePage(Schema):
    """A page of cases."""

    items: list[CaseOut]
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
