"""The table that holds the quarantine of one stage, in the stage's own SQLite file.

Lists of 100,000 entries are grouped from the index alone; the raw bytes are read for what is shown or tried.
Functions that change something run in the caller's transaction and raise `sqlite3.Error`.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from ingest import bulk
from ingest.quarantine import HOPELESS, Quarantined, QuarantineRow, Reason, Selection
from language import Message
from readings import Lane

_COLUMNS: Final = (
    "id, edge, lane, seq, source, point, reason, detail, raw, samples, first, last, at,"
    " received, device, tries, tried"
)
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, edge TEXT NOT NULL,
    lane TEXT NOT NULL, seq INTEGER NOT NULL, source TEXT NOT NULL, point TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, raw BLOB NOT NULL, samples INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, at INTEGER NOT NULL, received INTEGER NOT NULL, device TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, tried INTEGER NOT NULL DEFAULT 0)
"""
_INDEX: Final = """
CREATE INDEX IF NOT EXISTS quarantine_groups
    ON quarantine (edge, source, point, reason, samples, first, last, at, tries)
"""


class Totals(NamedTuple):
    """How much a selection is: entries, samples (messages where nobody could read them), the last id."""

    entries: int
    samples: int
    last: int


def prepare(connection: sqlite3.Connection) -> None:
    """Make the table, or bring one of an older version up to date."""
    columns = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('quarantine')")}
    if columns and "tries" not in columns:
        connection.execute("ALTER TABLE quarantine RENAME TO quarantine_before")
        connection.execute("DROP INDEX IF EXISTS quarantine_source")
    connection.execute(_TABLE)
    if columns and "tries" not in columns:
        connection.execute(
            f"INSERT INTO quarantine ({_COLUMNS})"  # noqa: S608
            " SELECT id, edge, lane, seq, source, point, reason,"
            " detail, raw, samples, first, last, at, at, '', 0, 0 FROM quarantine_before"
        )
        connection.execute("DROP TABLE quarantine_before")
    connection.execute(_INDEX)


def insert(connection: sqlite3.Connection, rows: Iterable[QuarantineRow]) -> None:
    """Put rows in; one with id 0 gets the next number, which was never used before."""
    values: list[Any] = []
    for row in rows:
        e = row.entry
        values += (row.id or None, e.edge, e.lane.value, e.seq, e.source, e.point, e.reason.value)
        values += (_packed(e.detail), e.raw, e.samples, e.first, e.last, row.at, e.received, e.device)
        values += (row.tries, row.tried)
    bulk.insert(connection, f"INSERT INTO quarantine ({_COLUMNS})", 17, values)


def delete(connection: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Delete rows; how many there were."""
    return connection.execute(
        "DELETE FROM quarantine WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),)
    ).rowcount


def refuse(connection: sqlite3.Connection, again: Sequence[tuple[int, Reason, Message]], now: int) -> int:
    """Note that rows were tried at `now` and refused again, and why; how many there were."""
    found = [(number, reason.value, _packed(detail)) for number, reason, detail in again]
    return connection.execute(
        "UPDATE quarantine SET tries = tries + 1, tried = ?, reason = fresh.reason, detail = fresh.detail"
        " FROM (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS reason,"
        " json_extract(value, '$[2]') AS detail FROM json_each(?)) AS fresh WHERE quarantine.id = fresh.id",
        (now, json.dumps(found)),
    ).rowcount


def totals(
    connection: sqlite3.Connection, stage: str, selection: Selection, *, hopeless: bool = True
) -> Totals:
    """How much of `stage` a selection is, with or without what can never be tried."""
    where, values = conditions(stage, selection, hopeless=hopeless)
    entries, samples, last = connection.execute(
        f"SELECT count(*), coalesce(sum(max(samples, 1)), 0), coalesce(max(id), 0)"  # noqa: S608
        f" FROM quarantine WHERE {where}",
        values,
    ).fetchone()
    return Totals(entries, samples, last)


def read(
    connection: sqlite3.Connection,
    stage: str,
    selection: Selection,
    *,
    after: int = 0,
    upto: int | None = None,
    lane: Lane | None = None,
    hopeless: bool = True,
    limit: int = 100,
    max_bytes: int | None = None,
) -> list[QuarantineRow]:
    """Rows of a selection with an id above `after` and not above `upto`, oldest first.

    Together they have about `max_bytes` raw bytes at most, but there is at least one row.
    """
    where, values = conditions(stage, selection, hopeless=hopeless)
    if lane is not None:
        where, values = f"{where} AND lane = ?", [*values, lane.value]
    if upto is not None:
        where, values = f"{where} AND id <= ?", [*values, upto]
    return _some(
        connection.execute(
            f"SELECT {_COLUMNS} FROM quarantine WHERE id > ? AND {where} ORDER BY id LIMIT ?",  # noqa: S608
            (after, *values, limit),
        ),
        max_bytes,
    )


def expired(
    connection: sqlite3.Connection, *, before: int, max_bytes: int, limit: int, at_once: int
) -> list[QuarantineRow]:
    """The oldest rows that came in before `before`, or that are too many for `max_bytes` of raw bytes.

    At most `limit` of them, and about `at_once` raw bytes.
    """
    (kept,) = connection.execute("SELECT coalesce(sum(length(raw)), 0) FROM quarantine").fetchone()
    rows = _some(
        connection.execute(f"SELECT {_COLUMNS} FROM quarantine ORDER BY id LIMIT ?", (limit,)),  # noqa: S608
        at_once,
    )
    found = []
    for row in rows:
        if row.at >= before and kept <= max_bytes:
            break
        found.append(row)
        kept -= len(row.entry.raw)
    return found


def _some(rows: Iterable[tuple[Any, ...]], max_bytes: int | None) -> list[QuarantineRow]:
    found: list[QuarantineRow] = []
    size = 0
    for row in rows:
        found.append(_row(row))
        size += len(found[-1].entry.raw)
        if max_bytes is not None and size >= max_bytes:
            break
    return found


def conditions(stage: str, selection: Selection, *, hopeless: bool = True) -> tuple[str, list[Any]]:
    """`selection` as an SQL condition on the table of `stage`, and its values."""
    parts: list[str] = []
    values: list[Any] = []
    if not hopeless:
        parts.append(f"reason NOT IN ({', '.join('?' * len(HOPELESS))})")
        values += sorted(HOPELESS)
    if selection.stage not in ("", stage):
        parts.append("0")
    for column in ("edge", "point", "reason"):
        if wanted := getattr(selection, column):
            parts.append(f"{column} = ?")
            values.append(wanted)
    if "*" in selection.source:
        parts.append("source GLOB ?")
        values.append(selection.source.replace("[", "[[]").replace("?", "[?]"))
    elif selection.source:
        parts.append("source = ?")
        values.append(selection.source)
    numbers = selection.numbers_at(stage)
    if numbers is not None:
        parts.append("id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(numbers))
    return " AND ".join(parts) or "1", values


def _row(columns: tuple[Any, ...]) -> QuarantineRow:
    number, edge, lane, seq, source, point, reason, detail, raw, samples, first, last, at, *rest = columns
    received, device, tries, tried = rest
    entry = Quarantined(
        edge, Lane(lane), seq, source, point, Reason(reason), unpacked(detail), raw, samples, first, last,
        received, device,
    )  # fmt: skip
    return QuarantineRow(number, entry, at, tries, tried)


def _packed(detail: Message) -> str:
    return json.dumps([detail.template, dict(detail.values)], default=str)


def unpacked(detail: str) -> Message:
    """A sentence as the table keeps it."""
    template, values = json.loads(detail)
    return Message(template, values)
