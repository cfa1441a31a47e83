"""What is in quarantine, and what is done with it."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gateway.api.schemas.base import Schema
from readings.lanes import Lane
from readings.sample import Scalar


class QuarantineOut(Schema):
    """What one stage could not use of one source and point for one reason."""

    stage: str = Field(description="Who keeps it: the normaliser, or the writer of a store.")
    edge: str
    lane: Lane
    source: str
    point: str
    reason: str
    detail: str = Field(description="The latest entry's reason, in the language of Accept-Language.")
    remedy: str = Field(description="What to do about it, in the language of Accept-Language.")
    retryable: bool = Field(description="Whether a retry could bring it in once its cause is mended.")
    entries: int
    count: int = Field(description="Samples; messages where nobody could read them.")
    tries: int = Field(description="How often it was tried again, at most.")
    first: datetime
    last: datetime


class QuarantinedSample(Schema):
    """A sample in quarantine, as its driver sent it."""

    point: str
    value: Scalar
    unit: str
    event: str
    device_time: datetime | None = Field(description="By the device's own clock, where it has one.")
    edge_time: datetime


class QuarantineEntry(Schema):
    """One entry: what came together, with the bytes."""

    id: str
    stage: str
    edge: str
    lane: Lane
    source: str
    point: str
    reason: str
    detail: str = Field(description="In the language of Accept-Language.")
    since: datetime
    tries: int
    tried: datetime | None
    size: int = Field(description="Bytes; `hex` and `text` show the first 4,096 of them.")
    hex: str
    text: str = Field(description="The bytes as text, where they are text; else empty.")
    samples: list[QuarantinedSample] = Field(description="What the bytes hold, the first 100 samples.")


class QuarantinePage(Schema):
    """Entries of a selection, oldest first."""

    items: list[QuarantineEntry]
    next: str | None = Field(description="`after` of the next page; null on the last.")


class QuarantineSelection(Schema):
    """Which entries are meant; what is empty does not matter."""

    stage: str = Field("", max_length=100)
    edge: str = Field("", max_length=200)
    source: str = Field("", max_length=500, description="``*`` stands for any text.")
    point: str = Field("", max_length=500)
    reason: str = Field("", max_length=100)
    entries: list[str] = Field([], max_length=1000, description="Ids of single entries.")


class QuarantineOrder(Schema):
    """What is to be done with what is in quarantine now."""

    kind: Literal["retry", "drop"]
    selection: QuarantineSelection
    actor: str = Field(max_length=100, description="Id of the person who wants it.")
    note: str = Field("", max_length=1000)


class QuarantineAct(Schema):
    """A retry, a drop, or what went by age and size, and what came of it."""

    id: str
    kind: Literal["retry", "drop", "expire"]
    at: datetime
    actor: str
    note: str
    selection: QuarantineSelection
    state: Literal["waiting", "running", "done", "stopped"]
    problem: str = Field(description="Why it stopped before its end; what it had done stays done.")
    entries: int = Field(description="Entries that it is about …")
    done: int = Field(description="… and so many of them are dealt with.")
    left: int = Field(description="Entries that were meant, but can never be tried.")
    passed: int = Field(description="Samples that became readings, or points that the store took.")
    duplicates: int = Field(description="Samples that were known already.")
    refused: int = Field(description="Samples that are still not usable, and stay.")
    dropped: int
