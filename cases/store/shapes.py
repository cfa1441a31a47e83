"""What the store is asked with, and what it answers. Times in nanoseconds since 1970-01-01 UTC."""

from typing import Final, Generic, Literal, TypeVar

import msgspec

from cases.alarms import Alarm
from cases.case import Case, Entry
from rules.findings import Condition, Evidence, FindingKind, Severity

Item = TypeVar("Item")

FINDING_EVIDENCE: Final = "finding"
"""The kind of evidence that no person has given."""


class AlarmFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alarms. Empty means any. `grid` is a grid of any level; `since` counts `Alarm.raised`."""

    state: Literal["open", "closed", "all"] = "open"
    acknowledged: bool | None = None
    severities: tuple[Severity, ...] = ()
    grid: str = ""
    place: str = ""
    device: str = ""
    rule: str = ""
    case: str = ""
    since: int | None = None


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases. Empty means any. `text` is part of number, title, place or building."""

    state: Literal["open", "closed", "overdue", "all"] = "open"
    category: str = ""
    priority: str = ""
    grid: str = ""
    place: str = ""
    officer: str = ""
    holder: str = ""
    text: str = ""


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A part of a list. `next` goes into `after` of the next call; None at the end.

    `total` counts everything the filter finds.
    """

    items: list[Item]
    total: int
    next: str | None = None


class FindingRow(msgspec.Struct, frozen=True):
    """One change in an alarm's life, as stored."""

    seq: int
    alarm: str
    kind: FindingKind
    time: int
    noticed: int
    severity: Severity
    condition: Condition
    version: int
    late: bool
    replayed: bool
    reason: str
    actor: str
    suppressed_by: str
    evidence: tuple[Evidence, ...]


class EvidenceRow(msgspec.Struct, frozen=True):
    """One piece of a case's evidence.

    `kind` is `FINDING_EVIDENCE` (with `alarm` and the `readings` that spoke) or the kind of what a person
    added (note, photo, reading, signature; `text` is the note or the reference).
    """

    case: str
    time: int
    kind: str
    alarm: str = ""
    want: str = ""
    text: str = ""
    actor: str = ""
    readings: tuple[Evidence, ...] = ()


class HistoryRow(msgspec.Struct, frozen=True):
    """A line of a case's history with its place in the chain: `number` counts from 1 per case."""

    number: int
    entry: Entry
    prev_hash: str
    hash: str


class CaseFile(msgspec.Struct, frozen=True):
    """A case with everything that is kept about it, as far as one page needs it.

    `evidence` are the findings that spoke for it, `proofs` all that people have shown.
    """

    case: Case
    history: list[HistoryRow]
    evidence: list[EvidenceRow]
    evidence_total: int
    proofs: list[EvidenceRow]
    alarms: list[Alarm]


class Tally(msgspec.Struct, frozen=True):
    """The counts of one grid, with everything below it."""

    grid: str
    worst: Severity | None = None
    alarms: int = 0
    unacknowledged: int = 0
    cases: int = 0
    overdue: int = 0


class Totals(msgspec.Struct, frozen=True):
    """The counts of the whole site."""

    alarms: dict[Severity, int]
    over: dict[Severity, int]
    """Those among them whose condition has gone: latched, or over and seen by nobody."""
    unacknowledged: int
    cases: int
    unaccepted: int
    overdue: int


class Changed(msgspec.Struct, frozen=True):
    """An alarm or case that changed; `change` grows with every transaction."""

    change: int
    kind: Literal["alarm", "case"]
    id: str
    time: int


class ChangedRows(msgspec.Struct, frozen=True):
    """Alarms and cases that changed in some transactions, as they are now; `upto` is the last of these."""

    upto: int
    alarms: list[Alarm]
    cases: list[Case]


class Done(msgspec.Struct, frozen=True):
    """Which batches of one edge and lane the engine has seen: ranges (first, last), both included."""

    ranges: tuple[tuple[int, int], ...] = ()


class EngineRecord(msgspec.Struct, frozen=True):
    """The rule engine as it was when it last committed.

    `positions` are stream sequences by stream; `done` is by (edge, lane).
    """

    instances: dict[str, bytes]
    marks: bytes
    positions: dict[str, int]
    done: dict[tuple[str, str], Done]
