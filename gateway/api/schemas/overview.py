"""The five-second answer and the map."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gateway.api.schemas.alarms import AlarmOut
from gateway.api.schemas.base import Schema, Text
from rules.findings import Severity


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
    over: dict[Severity, int] = Field(
        {}, description="Those among them whose condition has gone: to be reset or acknowledged."
    )
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
    person: Text = Field({}, description="Who acknowledged the alarm, or who has the case now.")


class OverviewOut(Schema):
    """Everything the overview shows."""

    time: datetime
    totals: Totals
    tiles: list[Tile]
    changes: list[Change] = Field(description="Newest first, at most 50.")
    burning: list[AlarmOut] = Field(
        description="Open critical and high alarms, worst and newest first, at most 20."
    )
