"""The books of one stage: which batches it has done, and what became of every sample.

Tables in the stage's own SQLite file, written in the same transaction as the stage's effects:

- ``done``: the sequence numbers done, per edge and lane, as ranges;
- ``accounts`` and ``books``: cumulative numbers per edge, lane, life of the outbox
  (`readings.numbers`), source, device and outcome;
- ``recent``: the numbers of each of the last batches, not yet in ``books``. They let an audit cut the
  books at a batch while everything runs; later they are folded in;
- ``quarantine`` and ``acts``: what could not be used (`ingest.quarantine_table`), and what people had done
  with it (`ingest.quarantine_acts`).
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import msgspec

from ingest import bulk, quarantine_acts, quarantine_table
from ingest.database import StoreUnavailable, transaction
from ingest.normaliser import DROPPED, QUARANTINED, Count
from ingest.quarantine import UNCOUNTED, Quarantined, QuarantineRow, Reason, Selection
from ingest.quarantine_acts import Act, Outcome
from ingest.sequences import BatchId, Sequences
from language import Message
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
"""

KEEP_RECENT: Final = 60 * 1_000_000_000
"""How long a batch stays cuttable: an audit must have read every stage within this time."""
_json = msgspec.json.encode
_FOLD: Final = 512
"""Batches folded into the books in one commit."""


class EntriesGone(Exception):
    """Entries are not in quarantine any more: somebody else has dealt with them. Look again."""


class Move(NamedTuple):
    """So much more (or, negative, less) in one account of a life."""

    edge: str
    lane: str
    life: int
    change: Count


class Books:
    """The books in one writing connection. Not for several threads at once.

    What changes something belongs inside a `transaction`, together with the stage's own effects.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for statement in TABLES.split(";\n"):
            connection.execute(statement)
        quarantine_table.prepare(connection)
        quarantine_acts.prepare(connection)
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
            recent += self._recent(batch, counts, now)
        bulk.insert(self._connection, "INSERT INTO recent (edge, lane, seq, at, counts)", 5, recent)
        for (edge, lane), done in self._changed.items():
            self._connection.execute("DELETE FROM done WHERE edge = ? AND lane = ?", (edge, lane))
            ranges = [x for first, last in done for x in (edge, lane, first, last)]
            bulk.insert(self._connection, "INSERT INTO done", 4, ranges)
        self._fold(now - KEEP_RECENT, now)

    def amend(self, batch: BatchId, counts: Sequence[Count], now: int) -> None:
        """Add to the numbers of a batch that is done."""
        bulk.insert(
            self._connection,
            "INSERT INTO recent (edge, lane, seq, at, counts)",
            5,
            self._recent(batch, counts, now),
        )

    def move(self, moves: Iterable[Move]) -> None:
        """Change what the books have of batches that are done, so that it adds up to the same.

        What moves inside one life is the same sum for every audit, however it cuts: so it needs no batch.
        """
        changes: Counter[int] = Counter()
        for edge, lane, life, change in moves:
            changes[self._account(edge, lane, life, change)] += change.n
        rows = [x for account, n in changes.items() if n for x in (account, n)]
        bulk.insert(
            self._connection, "INSERT INTO books", 2, rows, "ON CONFLICT DO UPDATE SET n = n + excluded.n"
        )

    def move_out(self, entries: Iterable[Quarantined], outcome: str) -> None:
        """Count what was quarantined under another `outcome` of the same source and device."""
        moves: list[Move] = []
        for entry in entries:
            place = (entry.edge, entry.lane.value, life_of(entry.seq))
            moves.append(Move(*place, Count(*entry.account, QUARANTINED, -entry.samples)))
            moves.append(Move(*place, Count(*entry.account, outcome, entry.samples)))
        self.move(moves)

    def quarantine(self, entries: Iterable[Quarantined], now: int) -> None:
        """Keep what could not be used."""
        quarantine_table.insert(self._connection, (QuarantineRow(0, entry, now) for entry in entries))

    def selected(self, stage: str, selection: Selection, *, hopeless: bool = True) -> quarantine_table.Totals:
        """How much of this stage's quarantine a selection is."""
        return quarantine_table.totals(self._connection, stage, selection, hopeless=hopeless)

    def drop(self, rows: Sequence[QuarantineRow]) -> int:
        """Take rows out of quarantine for good: the books have their samples as dropped. How many there were.

        Raises `EntriesGone`.
        """
        self.take_out([row.id for row in rows])
        self.move_out((row.entry for row in rows if row.entry.reason not in UNCOUNTED), DROPPED)
        return sum(max(row.entry.samples, 1) for row in rows)

    def take_out(self, ids: Sequence[int]) -> None:
        """Delete rows of the quarantine; raises `EntriesGone`."""
        if ids and quarantine_table.delete(self._connection, ids) != len(ids):
            raise EntriesGone

    def refuse(self, again: Sequence[tuple[int, Reason, Message]], now: int) -> None:
        """Note that rows of the quarantine were tried in vain; raises `EntriesGone`."""
        if again and quarantine_table.refuse(self._connection, again, now) != len(again):
            raise EntriesGone

    def put_back(self, rows: Iterable[QuarantineRow]) -> None:
        """Keep what is left of rows that were taken out."""
        quarantine_table.insert(self._connection, rows)

    def write_act(self, act: Act, outcome: Outcome) -> None:
        """Note how far an act is."""
        quarantine_acts.write(self._connection, act, outcome)

    def _recent(self, batch: BatchId, counts: Sequence[Count], now: int) -> list[str | int]:
        edge, lane, life = batch.edge, str(batch.lane), life_of(batch.seq)
        accounts = self._accounts.setdefault((edge, lane, life), {})
        flat = [
            (accounts.get(count[:3]) or self._new_account(edge, lane, life, count), count.n)
            for count in counts
        ]
        return [edge, lane, batch.seq, now, _json(flat).decode()]

    def _account(self, edge: str, lane: str, life: int, count: Count) -> int:
        accounts = self._accounts.setdefault((edge, lane, life), {})
        return accounts.get(count[:3]) or self._new_account(edge, lane, life, count)

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
