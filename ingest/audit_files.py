"""What an audit reads of each stage's SQLite file, in one read transaction each."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingest.database import StoreUnavailable, open_reader
from ingest.restorations import Restored, read_restorations
from ingest.sequences import BatchId, Sequences
from readings import Lane, wire

Account = tuple[int, str, str, str]
"""Life of the outbox, source, device, outcome."""

_WAITING: Final = """
SELECT lane, coalesce(seq, (SELECT iif(last >= place, packs.seq, NULL) FROM packs
    WHERE packs.lane = batches.lane AND first <= place ORDER BY first DESC LIMIT 1)), payload
FROM batches
"""
"""Rows with the number under which they were or will be sent; null while they have none."""


@dataclass(frozen=True)
class OutboxBooks:
    """An edge's own books: samples taken by (lane, source), and of each waiting batch by source."""

    taken: dict[tuple[Lane, str], int] = field(default_factory=dict)
    waiting: dict[Lane, dict[int, Counter[str]]] = field(default_factory=dict)
    """Batches that have a number and may have been sent."""
    unnumbered: dict[Lane, Counter[str]] = field(default_factory=dict)
    """What has no number yet and so is nowhere else."""
    thinned: dict[tuple[Lane, str], int] = field(default_factory=dict)
    """Samples left out because the outbox was nearly full."""
    base: dict[Lane, int] = field(default_factory=dict)
    """The outbox began to count after this number."""
    highest: dict[Lane, int] = field(default_factory=dict)
    """The last sequence number given out; no lane while the outbox is being made."""


class StageBooks:
    """The books of the normaliser or a store: what is folded, and the last batches one by one."""

    def __init__(
        self,
        done: dict[tuple[str, Lane], Sequences],
        folded: dict[tuple[str, Lane], dict[Account, int]],
        recent: dict[tuple[str, Lane], list[tuple[int, list[tuple[Account, int]]]]],
        expired: dict[tuple[str, Lane], Counter[str]] | None = None,
        restored: dict[tuple[str, Lane], list[Restored]] | None = None,
        outgoing: dict[BatchId, Counter[str]] | None = None,
    ) -> None:
        """`expired`: readings by device that were stored and have gone since, by age or for room."""
        self._expired = expired or {}
        self._done = done
        self._folded = folded
        self._recent = recent
        self._restored = restored or {}
        self.outgoing: Mapping[BatchId, Counter[str]] = outgoing or {}
        """Batches that are done here and perhaps not yet in the stream: readings by device."""

    def done_in(self, edge: str, lane: Lane) -> Sequences:
        """The batches of one edge and lane that this stage has done."""
        return self._done.get((edge, lane), Sequences())

    def expired(self, edge: str, lane: Lane) -> Counter[str]:
        """Readings by device that were stored and are not kept any more."""
        return self._expired.get((edge, lane), Counter())

    def restored(self, edge: str, lane: Lane) -> list[Restored]:
        """What the ledger knows of having been restored from backups."""
        return self._restored.get((edge, lane), [])

    def lanes(self) -> set[tuple[str, Lane]]:
        """Every edge and lane that this stage has seen."""
        return {*self._done, *self._restored}

    def totals(self, edge: str, lane: Lane, counts: Callable[[int], bool]) -> Counter[Account]:
        """Cumulative numbers by account, of the last batches only those for whose sequence number
        `counts` is true."""
        totals = Counter(self._folded.get((edge, lane), {}))
        for seq, entries in self._recent.get((edge, lane), ()):
            if counts(seq):
                for account, n in entries:
                    totals[account] += n
        return totals


def read_outbox(path: Path) -> OutboxBooks:
    """The books in an edge's outbox; empty while its agent starts for the first time.

    Raises `StoreUnavailable`.
    """
    books = OutboxBooks()
    with closing(open_reader(path)) as connection:
        try:
            connection.execute("BEGIN")
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'taken'").fetchone():
                return books
            for lane, source, n, thinned in connection.execute(
                "SELECT lane, source, samples, thinned FROM taken"
            ):
                books.taken[Lane(lane), source] = n
                books.thinned[Lane(lane), source] = thinned
            for lane, base, seq in connection.execute("SELECT lane, base, seq FROM lanes"):
                books.base[Lane(lane)], books.highest[Lane(lane)] = base, seq
            for lane, seq, payload in connection.execute(_WAITING):
                counts = Counter(sample.source for sample in wire.decode_samples(payload).samples)
                if seq is None:
                    books.unnumbered.setdefault(Lane(lane), Counter()).update(counts)
                else:
                    books.waiting.setdefault(Lane(lane), {}).setdefault(seq, Counter()).update(counts)
            connection.execute("COMMIT")
        except (sqlite3.Error, wire.MalformedBatch) as error:
            raise StoreUnavailable(f"{path}: {error}") from error
    return books


def read_highest(path: Path) -> dict[Lane, int]:
    """The last number that an outbox has given out in each lane. Raises `StoreUnavailable`."""
    with closing(open_reader(path)) as connection:
        try:
            return {Lane(lane): seq for lane, seq in connection.execute("SELECT lane, seq FROM lanes")}
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error


def read_stage(path: Path) -> StageBooks:
    """The books of the normaliser or a store; empty when it has not run yet. Raises `StoreUnavailable`."""
    if not path.exists():
        return StageBooks({}, {}, {})
    with closing(open_reader(path)) as connection:
        try:
            connection.execute("BEGIN")
            accounts: dict[int, Account] = {}
            lane_of: dict[int, tuple[str, Lane]] = {}
            for number, edge, lane, *account in connection.execute(
                "SELECT id, edge, lane, life, source, device, outcome FROM accounts"
            ):
                life, source, device, outcome = account
                accounts[number] = (life, source, device, outcome)
                lane_of[number] = (edge, Lane(lane))
            folded: dict[tuple[str, Lane], dict[Account, int]] = {}
            for number, n in connection.execute("SELECT account, n FROM books"):
                folded.setdefault(lane_of[number], {})[accounts[number]] = n
            recent: dict[tuple[str, Lane], list[tuple[int, list[tuple[Account, int]]]]] = {}
            for edge, lane, seq, counts in connection.execute("SELECT edge, lane, seq, counts FROM recent"):
                entries = [(accounts[number], n) for number, n in json.loads(counts)]
                recent.setdefault((edge, Lane(lane)), []).append((seq, entries))
            ranges: dict[tuple[str, Lane], list[tuple[int, int]]] = {}
            for edge, lane, first, last in connection.execute("SELECT edge, lane, first, last FROM done"):
                ranges.setdefault((edge, Lane(lane)), []).append((first, last))
            expired = _expired(connection)
            restored = read_restorations(connection)
            outgoing = _outgoing(connection)
            connection.execute("COMMIT")
        except (sqlite3.Error, wire.MalformedBatch) as error:
            raise StoreUnavailable(f"{path}: {error}") from error
    done = {key: Sequences(found) for key, found in ranges.items()}
    return StageBooks(done, folded, recent, expired, restored, outgoing)


def _expired(connection: sqlite3.Connection) -> dict[tuple[str, Lane], Counter[str]]:
    """What the embedded store has let go; the other stages' series, if any, do not count that."""
    found: dict[tuple[str, Lane], Counter[str]] = {}
    if "expired" in {name for _, name, *_ in connection.execute("PRAGMA table_info(series)")}:
        for edge, lane, device, n in connection.execute(
            "SELECT edge, lane, device, sum(expired) FROM series WHERE expired > 0 AND edge != ''"
            " GROUP BY edge, lane, device"
        ):
            found.setdefault((edge, Lane(lane)), Counter())[device] = n
    return found


def _outgoing(connection: sqlite3.Connection) -> dict[BatchId, Counter[str]]:
    """What a ledger brings in from quarantine and may not have sent yet; stores have no such table."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outgoing'").fetchone():
        return {}
    batches = (
        wire.decode_readings(payload) for (payload,) in connection.execute("SELECT payload FROM outgoing")
    )
    return {
        BatchId(batch.edge, batch.lane, batch.seq): Counter(reading.device for reading in batch.readings)
        for batch in batches
    }
