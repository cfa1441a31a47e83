"""How the platform itself is doing."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gateway.api.schemas.base import Schema, Text
from readings.lanes import Lane


class Component(Schema):
    """A part of the gateway and how it fares."""

    name: str = Field(examples=["writer embedded"])
    state: Literal["ok", "degraded", "down"]
    detail: str = ""


class Queue(Schema):
    """Batches of readings that one reader has yet to do."""

    name: str = Field(examples=["READINGS_ALARM → rules"], description="Stream and reader by their ids.")
    label: str = Field(examples=["readings → rules and cases"], description="The same for people.")
    lane: Lane
    waiting: int = Field(description="Not taken yet: a backlog when it grows.")
    in_hand: int = Field(description="Taken, and acknowledged when what follows from them is kept.")


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


class DeviceClockOut(Schema):
    """A device whose own clock differs from its edge's."""

    device: str
    place_name: Text
    edge: str
    offset_seconds: float = Field(description="How far it is ahead; negative: behind.")


class ClocksOut(Schema):
    """The clocks of devices that tell a time, each against its edge's."""

    compared: int = Field(description="Devices that have told a time since the ingest process began.")
    tolerance_seconds: float = Field(description="Those that differ by more are listed.")
    off: int = Field(description="How many differ by more.")
    items: list[DeviceClockOut] = Field(description="They, the most wrong first.")


class BookRow(Schema):
    """One account: what an edge took of one device and where it is now."""

    edge: str
    lane: Lane
    source: str
    taken: int
    waiting: int
    in_stream: int
    stored: int
    expired: int = Field(0, description="Let go by age or for room: no longer in the store.")
    quarantined: int
    dropped: int = Field(0, description="Was in quarantine until somebody dropped it.")
    duplicates: int
    thinned: int = Field(0, description="Left out by the edge because its outbox was nearly full.")
    lost: int = Field(0, description="Known to be lost with a core that was restored from a backup.")
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
    expired: int = Field(0, description="Let go by age or for room: no longer in the store.")
    quarantined: int
    dropped: int = Field(0, description="Was in quarantine until somebody dropped it.")
    duplicates: int
    thinned: int = Field(0, description="Left out by the edges because their outboxes were nearly full.")
    lost: int = Field(0, description="Known to be lost with a core that was restored from a backup.")
    first_difference: str = Field("", description="The first stage that does not balance.")
    accounts: int = Field(0, description="How many accounts there are; `rows` are the first of them.")
    rows: list[BookRow] = Field(description="Accounts that do not balance first; at most `limit`.")


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
    processes: list[ProcessOut] = Field(description="The core's processes that are heard.")


class HealthOut(Schema):
    """For a load balancer or a watchdog."""

    status: Literal["ok", "degraded", "down"]
    components: list[Component]
