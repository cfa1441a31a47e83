"""Cases, their history, and what may be done with them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gateway.api.schemas.alarms import AlarmOut, EvidenceOut
from gateway.api.schemas.base import POINT_CLASS, Schema, Text
from gateway.api.schemas.site import PersonOut
from registry.categories import EvidenceKind
from registry.grids import Role
from rules.findings import Severity


class Choice(Schema):
    """One of the values that a field may have."""

    value: str = Field(examples=["fire-team"])
    label: str = Field(examples=["Fire brigade"], description="In the language of Accept-Language.")


class FieldOut(Schema):
    """Something an action asks for, and the control that fits it.

    text: words; choice and people: one of `choices`; units: several of them; date: a day; duration:
    ``4h``, ``1d``; flag: ``true`` when confirmed; case: another case's number, `choices` are likely ones;
    proof: a piece of evidence (`proof` is its kind), which goes into `evidence` with this field's `want`.
    """

    name: str = Field(examples=["units"], description="Key in `values`; reason, note, evidence: of the body.")
    label: str = Field(examples=["Departments"], description="In the language of Accept-Language.")
    kind: Literal["text", "choice", "date", "duration", "flag", "people", "units", "case", "proof"]
    want: str = Field("", examples=["scene"], description="Which wanted proof it answers; empty: another.")
    proof: EvidenceKind | None = Field(None, description="What sort of proof it is, where it is one.")
    hint: str = Field("", description="What to write, in the language of Accept-Language.")
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
    forward: bool = Field(False, description="It takes the case on along its way; such come first.")
    yours: bool = Field(
        True, description="The person asked for (`actor`) may do it; true when nobody was named."
    )


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
    place_officer: PersonOut | None = Field(
        None, description="The grid officer nearest to the place, whoever has the case."
    )
    officer: PersonOut | None = Field(
        description="The grid officer responsible now: who was sent, then who accepted."
    )
    holder: str = Field(
        "", examples=["unit:fire-team"], description="Who has it now: a person's id, `unit:<id>` or `centre`."
    )
    holder_name: Text = Field({}, description="The same as a name: a person, a unit or the smart centre.")
    opened_at: datetime
    changed_at: datetime
    due_at: datetime | None
    closed_at: datetime | None = None
    alarms: int
    worst: Severity | None = Field(None, description="The worst that any of its alarms ever was.")
    drill: bool = False


class WantedOut(Schema):
    """A proof that the category asks of the handler before the case can be verified."""

    id: str = Field(examples=["scene"], description="What `want` of the evidence given for it says.")
    label: Text
    kind: EvidenceKind
    required: bool = Field(description="Without it the case cannot be reported as handled.")
    done: bool = Field(description="It is there, or the readings show it.")
    itself: bool = Field(description="The readings show it: every linked alarm is over.")


class ProofOut(Schema):
    """A piece of evidence that a person gave."""

    time: datetime
    actor: str
    actor_name: str
    kind: EvidenceKind
    text: str = Field(description="The note, or the number of the photo or paper.")
    want: str = Field("", description="Which wanted proof it was given for.")
    label: Text = Field({}, description="What that proof is called.")
    void: bool = Field(
        False, description="It was given before a rework or a new alarm: it proves nothing now."
    )


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
    label: str = Field("", description="What the action is called, in the language of Accept-Language.")
    said: str = Field("", description="The system's own sentence, in the language of Accept-Language.")
    reason: str = ""
    note: str = Field("", description="The words of whoever acted.")
    holder_name: Text = Field({}, description="Who has the case after this line; empty: nobody.")
    proofs: list[ProofOut] = Field([], description="The evidence that was given with it.")


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
    evidence: list[EvidenceOut] = Field(description="The readings that its alarms were raised on.")
    wanted: list[WantedOut] = Field([], description="The proofs that its category asks for.")
    proofs: list[ProofOut] = Field([], description="What people have shown, oldest first.")
    nearby: list[NearbyOut] = Field([], description="What else watches the spot; their series say more.")
    actions: list[ActionOut]
    rework: int = 0


class CasePage(Schema):
    """A page of cases."""

    items: list[CaseOut]
    total: int
    next: str | None


class EvidenceIn(Schema):
    """A piece of evidence, as a person gives it."""

    want: str = Field("", max_length=100, examples=["scene"], description="The wanted proof it answers.")
    kind: EvidenceKind = Field(
        EvidenceKind.NOTE, description="What it is; one given for a wanted proof is of that proof's kind."
    )
    text: str = Field(
        min_length=1,
        max_length=2000,
        examples=["IMG_2043"],
        description="A note, or the number of a photo or paper.",
    )


class CaseAction(Schema):
    """Something a person does with a case; the case's `actions` say what is possible and what it asks."""

    action: str = Field(examples=["accept"])
    actor: str = Field(min_length=1, max_length=100, examples=["go-001"])
    on_behalf_of: str = Field("", max_length=100)
    reason: str = Field("", max_length=2000)
    note: str = Field("", max_length=4000)
    evidence: list[EvidenceIn] = Field([], max_length=50)
    values: dict[str, str] = Field(
        {},
        examples=[{"review": "2026-12-01"}],
        description="What else the action asks for, by the names of its fields.",
    )
