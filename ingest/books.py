"""The books of one stage: which batches it has done, and what became of every sample.

Tables in the stage's own SQLite file, written in the same transaction as the stage's effects:

- ``done``: the sequence numbers done, per edge and lane, as ranges;
- ``accounts`` and ``books``: cumulative numbers per edge, lane, life of the outbox
  (`readings.numbers`), source, device and outcome;
- ``recent``: the numbers of each of the last batches, not yet in ``books``. They let an audit cut the
  books at a batch while everything runs; later they are folded in;
- ``quarantine``: what could not be used.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from ingest import bulk
from ingest.database import StoreUnavailable, transaction
from ingest.normaliser import Count
from ingest.quarantine import Quarantined, QuarantineRow, Reason
from ingest.sequences import BatchId, Sequences
from language import Message
from readings import Lane
from readings.numbers import life_of

TABLES: Final = """
CREATE TABLE IF NOT EXISTS done (edge TEXT, lane TEXT, first INTEGER, last INTEGER NOT NULL,
    PRIMARY KEY (edge, lane, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, lane TEXT NOT NULL,
    life INTEGER NOT NULL, source TEXT NOT NULL, device TEXT NOT NULL, outcome TEXT NOT NULL,
    UNIQUE (edge, lane, life, source, device, outcome));
CREATE TABLE IF NOT EXISTS books (account INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS recent (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, lane TEXT NOT NULL,
    seq INTEGER NOT NULL, at INTEGER NOT NULL, counts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, lane TEXT NOT NULL,
    seq INTEGER NOT NULL, source TEXT NOT NULL, point TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, raw BLOB NOT NULL, samples INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS quarantine_source ON quarantine (edge, source, point, reason);
"""

KEEP_RECENT: Final = 60 * 1_000_000_000
"""How long a batch stays cuttable: an audit must have read every stage within this time."""
_json = msgspec.json.encode
_FOLD: Final = 512
"""Batches folded into the books in one commit."""


class Books:
    """The books in one writing connection. Not for several threads at once.

    `record` and `quarantine` belong inside a `transaction`, together with the stage's own effects.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for statement in TABLES.split(";\n"):
            connection.execute(statement)
        self._done: dict[tuple[str, str], Sequences] = {}
        self._changed: dict[tuple[str, str], Sequences] = {}
        self._accounts: dict[tuple[str, str, int], dict[tuple[str, str, str], int]] = {}
        self._last_account = 0
        self.reload()

    def reload(self) -> None:
        """Forget what was not committed."""
        ranges: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for edge, lane, first, last in self._connection.execute("SELECT edge, lane, first, last FROM done"):
            ranges.setdefault((edge, lane), []).append((first, last))
        self._changed = {}
        self._done = {key: Sequences(found) for key, found in ranges.items()}
        self._accounts = {}
        self._last_account = 0
        for number, edge, lane, life, source, device, outcome in self._connection.execute(
            "SELECT id, edge, lane, life, source, device, outcome FROM accounts"
        ):
            self._accounts.setdefault((edge, lane, life), {})[source, device, outcome] = number
            self._last_account = max(self._last_account, number)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, in the file and in memory; raises `StoreUnavailable`.

        Other threads may ask `is_done` meanwhile: they see the state before or after, nothing between.
        """
        try:
            with transaction(self._connection):
                yield
            self._done.update(self._changed)
            self._changed = {}
        except BaseException as error:
            try:
                self.reload()
            except sqlite3.Error as second:
                raise StoreUnavailable(f"{error}; reading the books again: {second}") from error
            raise

    def is_done(self, edge: str, lane: str, seq: int) -> bool:
        """Whether this stage has committed the batch."""
        done = self._done.get((edge, lane))
        return done is not None and seq in done

    def record(self, batches: Iterable[tuple[BatchId, Sequence[Count]]], now: int) -> None:
        """Note batches as done with their numbers, and fold old ones into the books."""
        recent: list[str | int] = []
        for batch, counts in batches:
            key = (batch.edge, str(batch.lane))
            done = self._changed.get(key)
            if done is None:
                done = self._changed[key] = self._done.get(key, Sequences()).copy()
            if not done.add(batch.seq):
                raise ValueError(f"batch {batch} is in the books already")
            life = life_of(batch.seq)
            accounts = self._accounts.setdefault((*key, life), {})
            flat = [
                (accounts.get(count[:3]) or self._new_account(*key, life, count), count.n) for count in counts
            ]
            recent += (*key, batch.seq, now, _json(flat).decode())
        bulk.insert(self._connection, "INSERT INTO recent (edge, lane, seq, at, counts)", 5, recent)
        for (edge, lane), done in self._changed.items():
            self._connection.execute("DELETE FROM done WHERE edge = ? AND lane = ?", (edge, lane))
            ranges = [x for first, last in done for x in (edge, lane, first, last)]
            bulk.insert(self._connection, "INSERT INTO done", 4, ranges)
        self._fold(now - KEEP_RECENT, now)

    def quarantine(self, entries: Iterable[Quarantined], now: int) -> None:
        """Keep what could not be used."""
        rows: list[str | int | bytes] = []
        for e in entries:
            detail = json.dumps([e.detail.template, dict(e.detail.values)], default=str)
            rows += (e.edge, str(e.lane), e.seq, e.source, e.point, str(e.reason), detail)
            rows += (e.raw, e.samples, e.first, e.last, now)
        bulk.insert(
            self._connection,
            "INSERT INTO quarantine"
            " (edge, lane, seq, source, point, reason, detail, raw, samples, first, last, at)",
            12,
            rows,
        )

    def _new_account(self, edge: str, lane: str, life: int, count: Count) -> int:
        self._last_account += 1
        key = (count.source, count.device, count.outcome)
        self._connection.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)", (self._last_account, edge, lane, life, *key)
        )
        self._accounts[edge, lane, life][key] = self._last_account
        return self._last_account

    def _fold(self, before: int, now: int) -> None:
        """Add up the numbers of batches older than `before` in one statement without the interpreter.

        Only the first few are looked at: those after them are younger. One from the future (the clock was
        put back) counts as old, or it would keep those behind it waiting.
        """
        (upto,) = self._connection.execute(
            "SELECT max(id) FROM (SELECT id, at FROM recent ORDER BY id LIMIT ?) WHERE at < ? OR at > ?",
            (_FOLD, before, now),
        ).fetchone()
        if upto is None:
            return
        self._connection.execute(
            "INSERT INTO books"
            " SELECT json_extract(entry.value, '$[0]'), sum(json_extract(entry.value, '$[1]'))"
            " FROM recent, json_each(recent.counts) AS entry WHERE recent.id <= ? GROUP BY 1"
            " ON CONFLICT DO UPDATE SET n = n + excluded.n",
            (upto,),
        )
        self._connection.execute("DELETE FROM recent WHERE id <= ?", (upto,))


def read_quarantine(
    connection: sqlite3.Connection, *, after: int = 0, limit: int = 100
) -> list[QuarantineRow]:
    """Entries with an id above `after`, oldest first."""
    rows = connection.execute(
        "SELECT id, edge, lane, seq, source, point, reason, detail, raw, samples, first, last, at"
        " FROM quarantine WHERE id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    found = []
    for number, edge, lane, seq, source, point, reason, detail, raw, samples, first, last, at in rows:
        template, values = json.loads(detail)
        entry = Quarantined(
            edge, Lane(lane), seq, source, point, Reason(reason), Message(template, values), raw, samples,
            first, last,
        )  # fmt: skip
        found.append(QuarantineRow(number, entry, at))
    return found


def trim_quarantine(connection: sqlite3.Connection, *, before: int, max_bytes: int) -> int:
    """Delete entries older than `before`, then the oldest until `max_bytes` of raw bytes are left.

    Returns how many went; the books keep counting them as quarantined.
    """
    gone = connection.execute("DELETE FROM quarantine WHERE at < ?", (before,)).rowcount
    gone += connection.execute(
        "DELETE FROM quarantine WHERE id IN (SELECT id FROM"
        " (SELECT id, sum(length(raw)) OVER (ORDER BY id DESC) AS kept FROM quarantine) WHERE kept > ?)",
        (max_bytes,),
    ).rowcount
    return gone
