"""``ledger.db``: the normaliser's memory and books, one transaction per group of batches.

The marks of a lane are saved as 64 shards plus a journal of what they learned since: a commit writes
one journal row, and now and then one shard in turn, however many series there are. When all shards have
gone round, the journal before them goes.

Readings that are brought in from quarantine are committed first and sent afterwards, out of ``outgoing``:
what they become depends on the registry of this very moment, so nothing but these bytes may ever go out
under their number (docs/decisions/0008).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from ingest import bulk
from ingest.books import Books
from ingest.database import open_writer, transaction
from ingest.normaliser import UNREAD, Count, Normalised
from ingest.quarantine import Quarantined
from ingest.quarantine_acts import Act, Outcome
from ingest.retry import Tried
from ingest.sequences import BatchId
from ingest.series_marks import Marks, Seen
from readings import Lane, SampleBatch, wire
from readings.numbers import life_of

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS series (lane TEXT, sid INTEGER, device TEXT NOT NULL, point TEXT NOT NULL,
    PRIMARY KEY (lane, sid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL,
    learned BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS marks (lane TEXT, shard INTEGER, upto INTEGER NOT NULL, marks BLOB NOT NULL,
    PRIMARY KEY (lane, shard)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heard (edge TEXT, lane TEXT, life INTEGER, at INTEGER NOT NULL,
    PRIMARY KEY (edge, lane, life)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outgoing (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, lane TEXT NOT NULL,
    seq INTEGER NOT NULL, payload BLOB NOT NULL);
"""

_SHARDS: Final = 64
_SHARD_EVERY: Final = 4096
"""Readings journalled between two shards."""
_HEARD_EVERY: Final = 10 * 1_000_000_000
_USED_BEFORE: Final = 60 * 1_000_000_000
"""A batch of samples taken so long (ns) after its outbox last had something new cannot be one that is done;
edges' clocks are nearer to the gateway's than that, or the entry in quarantine is one too many."""

_encode = msgspec.msgpack.Encoder().encode
_shard_decoder = msgspec.msgpack.Decoder(list[tuple[int, int, list[tuple[int, Seen]]]])
_journal_decoder = msgspec.msgpack.Decoder(list[Seen])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A group of batches, ready to be committed: what its marks learned, perhaps a shard of all marks."""

    lane: Lane
    group: Sequence[Normalised]
    journal: list[int | Seen]
    shard: tuple[int, bytes] | None


class Outgoing(NamedTuple):
    """A batch of readings that is committed and has to be sent."""

    id: int
    batch: BatchId
    payload: bytes


_Result = TypeVar("_Result")


class Ledger:
    """The normaliser's file. What writes to it blocks: run it with `perform`."""

    def __init__(self, path: Path) -> None:
        """Open or make the ledger; raises `ingest.database.StoreUnavailable`."""
        self.path = path
        self._connection = open_writer(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        with transaction(self._connection):
            for statement in _TABLES.split(";\n"):
                self._connection.execute(statement)
            self.books = Books(self._connection)
        self._heard: dict[tuple[str, str, int], int] = {
            (edge, lane, life): at
            for edge, lane, life, at in self._connection.execute("SELECT edge, lane, life, at FROM heard")
        }
        """When each outbox last had something new, by edge, lane and life; at most 10 s too early."""
        self._turn: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._since_shard: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self.marks: Mapping[Lane, Marks] = {lane: self._restore(lane) for lane in Lane}

    async def perform(self, work: Callable[[], _Result]) -> _Result:
        """Run `work`, which may write, in the ledger's thread: one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def is_done(self, batch: BatchId) -> bool:
        """Whether the batch was committed: then it needs only an acknowledgement."""
        return self.books.is_done(*batch)

    def is_used_before(self, batch: SampleBatch) -> bool:
        """Whether `batch`, whose number is done, is another one than the one that was done."""
        heard = self._heard.get((batch.edge, batch.lane.value, life_of(batch.seq)))
        return heard is not None and any(s.taken > heard + _USED_BEFORE for s in batch.samples)

    def prepare(self, lane: Lane, group: Sequence[Normalised]) -> Prepared:
        """Make the batches that were normalised last ready to be committed.

        Call it before the next batch of `lane` is normalised: it may save a part of the marks, which
        must be those that these batches left.
        """
        journal: list[int | Seen] = []
        for done in group:
            journal += done.journal
        shard: tuple[int, bytes] | None = None
        self._since_shard[lane] += len(journal) // 3
        if self._since_shard[lane] >= _SHARD_EVERY:
            turn = self._turn[lane]
            shard = (turn, _encode(self.marks[lane].shard(turn, _SHARDS)))
            self._turn[lane] = (turn + 1) % _SHARDS
            self._since_shard[lane] = 0
        return Prepared(lane, group, journal, shard)

    def commit(self, prepared: Prepared, now: int) -> None:
        """Commit batches with everything that became of them; `now` in ns since 1970 UTC.

        Groups of a lane must be committed in the order in which they were prepared. Raises
        `ingest.database.StoreUnavailable`; then nothing was committed and the same call may be made again.
        """
        lane, group = prepared.lane, prepared.group
        if not group or self.is_done(_identity(group[0])):
            return  # an earlier try failed and had reached the disk all the same
        series: list[str | int] = []
        for done in group:
            for sid, device, point in done.fresh:
                series += (lane.value, sid, device, point)
        with self.books.transaction():
            bulk.insert(self._connection, "INSERT INTO series", 4, series)
            self._save_marks(prepared)
            self.books.record(((_identity(done), done.counts) for done in group), now)
            self.books.quarantine((entry for done in group for entry in done.quarantined), now)
            lives = {(one.edge, one.lane.value, life_of(one.seq)) for one in map(_identity, group)}
            heard = {life: now for life in lives if now - self._heard.get(life, 0) > _HEARD_EVERY}
            rows = ((*life, at) for life, at in heard.items())
            self._connection.executemany("INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?)", rows)
        self._heard.update(heard)

    def quarantine_unread(self, entry: Quarantined, batch: BatchId | None, now: int) -> None:
        """Keep bytes that are no batch; `batch` is what their message id claimed, and counts as done.

        The books have it as one unread batch, because nobody knows what it held. A batch whose number
        is done already is only kept, without a number; one that comes again is not kept twice.
        """
        with self.books.transaction():
            if self._keeps(entry):
                return
            if batch is not None and self.is_done(batch):
                entry = replace(entry, seq=0)
            elif batch is not None:
                self.books.record([(batch, [Count("", "", UNREAD, 1)])], now)
            self.books.quarantine([entry], now)

    def settle(self, tried: Tried, act: Act, outcome: Outcome, now: int) -> list[Outgoing]:
        """Commit a step of a retry and how far the act is; the batches that have to be sent.

        Raises `ingest.books.EntriesGone`, `StoreUnavailable`; then nothing was committed.
        """
        with self.books.transaction():
            self.books.take_out(tried.out)
            self.books.refuse(tried.refused_again, now)
            self.books.put_back(tried.parts)
            self.books.move(tried.moves)
            self.books.record(tried.fresh, now)
            for batch, counts in tried.amended:
                self.books.amend(batch, counts, now)
            for one in tried.batches:
                self._connection.execute(
                    "INSERT INTO outgoing (edge, lane, seq, payload) VALUES (?, ?, ?, ?)",
                    (one.edge, one.lane.value, one.seq, wire.encode(one)),
                )
            self.books.write_act(act, outcome)
        return self.outgoing()

    def outgoing(self) -> list[Outgoing]:
        """What is committed and has to be sent, in order; raises `StoreUnavailable`."""
        with transaction(self._connection):
            rows = self._connection.execute(
                "SELECT id, edge, lane, seq, payload FROM outgoing ORDER BY id"
            ).fetchall()
        return [
            Outgoing(number, BatchId(edge, Lane(lane), seq), payload)
            for number, edge, lane, seq, payload in rows
        ]

    def sent(self, upto: int) -> None:
        """Forget what had to be sent, up to this id; raises `StoreUnavailable`."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM outgoing WHERE id <= ?", (upto,))

    def close(self) -> None:
        """Finish what is being written and close the file."""
        self._thread.shutdown()
        self._connection.close()

    def _keeps(self, entry: Quarantined) -> bool:
        """Whether these bytes are in quarantine already: they were delivered again."""
        same = (entry.edge, entry.lane.value, entry.reason.value, entry.raw)
        return (
            self._connection.execute(
                "SELECT 1 FROM quarantine WHERE edge = ? AND lane = ? AND reason = ? AND raw = ?", same
            ).fetchone()
            is not None
        )

    def _save_marks(self, prepared: Prepared) -> None:
        if not prepared.journal:
            return
        lane = prepared.lane.value
        row = self._connection.execute(
            "INSERT INTO journal (lane, learned) VALUES (?, ?)", (lane, _encode(prepared.journal))
        )
        if prepared.shard is None:
            return
        number, marks = prepared.shard
        self._connection.execute(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)", (lane, number, row.lastrowid, marks)
        )
        # The oldest shard still needs what came after it; a shard that was never saved needs everything.
        self._connection.execute(
            "DELETE FROM journal WHERE lane = ?1 AND id <= (SELECT min(upto) FROM marks WHERE lane = ?1)"
            " AND (SELECT count(*) FROM marks WHERE lane = ?1) = ?2",
            (lane, _SHARDS),
        )

    def _restore(self, lane: Lane) -> Marks:
        marks = Marks()
        for sid, device, point in self._connection.execute(
            "SELECT sid, device, point FROM series WHERE lane = ? ORDER BY sid", (lane.value,)
        ):
            marks.restore(sid, device, point)
        upto = [0] * _SHARDS
        for shard, saved, blob in self._connection.execute(
            "SELECT shard, upto, marks FROM marks WHERE lane = ?", (lane.value,)
        ):
            upto[shard] = saved
            for sid, last, recent in _shard_decoder.decode(blob):
                mark = marks.numbered(sid)
                mark.last = last
                mark.recent.update(recent)
        for number, blob in self._connection.execute(
            "SELECT id, learned FROM journal WHERE lane = ? ORDER BY id", (lane.value,)
        ):
            learned = iter(_journal_decoder.decode(blob))
            for sid, time, seen in zip(learned, learned, learned, strict=True):
                if isinstance(sid, int) and isinstance(time, int) and number > upto[sid % _SHARDS]:
                    marks.numbered(sid).remember(time, seen)
        if upto != [0] * _SHARDS:
            self._turn[lane] = upto.index(min(upto))
        return marks


def _identity(done: Normalised) -> BatchId:
    return BatchId(done.batch.edge, done.batch.lane, done.batch.seq)
