"""The quarantine as people look at it, over all stages: groups, entries, what they hold, what was done.

Read from the stages' own files, also while they work. Every function may block and raises `StoreUnavailable`.
"""

import base64
import binascii
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ingest import quarantine_acts, quarantine_table
from ingest.audit import STORES
from ingest.database import StoreUnavailable, open_reader
from ingest.quarantine import HOPELESS, UNCOUNTED, EntryId, QuarantineRow, Reason, Selection
from ingest.quarantine_acts import Act, Outcome
from ingest.quarantine_keepers import NORMALISER
from language import Message
from readings import Lane, Sample, wire

FILES: Final = {NORMALISER: "ledger.db", "influx": STORES["influx"]}
"""The file of each stage that has a quarantine, in the data folder."""


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """What came of one source and point and cannot be used by one stage for one reason.

    `count` are samples (for bytes that are no batch: messages), `tries` the most that one of its `entries`
    was tried again; `detail` and `lane` are the latest entry's; times in nanoseconds since 1970-01-01 UTC.
    """

    stage: str
    edge: str
    lane: Lane
    source: str
    point: str
    reason: Reason
    detail: Message
    entries: int
    count: int
    tries: int
    first: int
    last: int

    @property
    def may_be_tried(self) -> bool:
        """Whether a retry could ever bring it in."""
        return self.reason not in HOPELESS


class Entry(NamedTuple):
    """One entry and what people call it."""

    id: EntryId
    row: QuarantineRow


class Held(NamedTuple):
    """What an entry holds: bytes as they came from a device or for a store, or samples, or both."""

    raw: bytes
    samples: tuple[Sample, ...]


def groups(data: Path, selection: Selection, limit: int = 100) -> list[QuarantineGroup]:
    """What is in quarantine under the core's folder `data`, latest first."""
    found: list[QuarantineGroup] = []
    for stage, connection in _stages(data):
        where, values = quarantine_table.conditions(stage, selection)
        # SQLite takes the other columns of a group from the row that has the maximum
        rows = connection.execute(
            "SELECT edge, lane, source, point, reason, detail, count(*), sum(max(samples, 1)), max(tries),"  # noqa: S608
            f" min(first), max(last), max(id) FROM quarantine WHERE {where}"
            " GROUP BY edge, source, point, reason ORDER BY max(id) DESC LIMIT ?",
            (*values, limit),
        )
        found += [
            QuarantineGroup(
                stage, edge, Lane(lane), source, point, Reason(reason), Message(*json.loads(detail)), *numbers
            )
            for edge, lane, source, point, reason, detail, *numbers, _ in rows
        ]
    return sorted(found, key=lambda group: -group.last)[:limit]


def total(data: Path) -> int:
    """Samples (messages where nobody could read them) in quarantine."""
    return sum(
        quarantine_table.totals(connection, stage, Selection()).samples for stage, connection in _stages(data)
    )


def entries(data: Path, selection: Selection, after: EntryId | None, limit: int) -> list[Entry]:
    """At most `limit` entries that follow `after`, stage by stage, oldest first."""
    found: list[Entry] = []
    stages = [*FILES]
    for stage, connection in _stages(data):
        if after is not None and after.stage in FILES and stages.index(stage) < stages.index(after.stage):
            continue
        start = after.number if after is not None and after.stage == stage else 0
        rows = quarantine_table.read(
            connection, stage, selection, after=start, limit=limit - len(found), max_bytes=_AT_ONCE
        )
        found += [Entry(EntryId(stage, row.id), row) for row in rows]
        if len(found) >= limit or (rows and sum(len(row.entry.raw) for row in rows) >= _AT_ONCE):
            break
    return found


def held(row: QuarantineRow) -> Held:
    """The bytes and samples of an entry, as far as they can be told apart."""
    entry = row.entry
    if entry.reason in UNCOUNTED or entry.reason is Reason.REFUSED_BY_STORE:
        return Held(entry.raw, ())
    try:
        samples = wire.decode_samples(entry.raw).samples
    except wire.MalformedBatch:
        return Held(entry.raw, ())
    if entry.reason is Reason.MALFORMED:
        return Held(b"".join(map(_as_came, samples)), ())
    return Held(entry.raw, samples)


def acts(data: Path, limit: int = 100, one: str | None = None) -> list[tuple[Act, Outcome]]:
    """What was done with the quarantine, newest first; or only the act with the id `one`."""
    found = [
        act
        for _, connection in _stages(data)
        for act in quarantine_acts.read(connection, limit=limit, one=one)
    ]
    return quarantine_acts.merge(found)[:limit]


_AT_ONCE: Final = 1024 * 1024
"""Raw bytes of one page of entries, about."""


def _as_came(sample: Sample) -> bytes:
    """The bytes that an edge could not parse: they travel as Base64."""
    text = str(sample.value)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "surrogatepass")


def _stages(data: Path) -> Iterator[tuple[str, sqlite3.Connection]]:
    """Each stage with its file, open for reading; one without a file, or without the tables, is left out."""
    for stage, name in FILES.items():
        path = data / name
        if not path.exists():
            continue
        try:
            with closing(open_reader(path)) as connection:
                if _has_tables(connection):
                    yield stage, connection
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error


def _has_tables(connection: sqlite3.Connection) -> bool:
    names: Sequence[str] = [
        name for (name,) in connection.execute("SELECT name FROM pragma_table_info('quarantine')")
    ]
    return "tries" in names
