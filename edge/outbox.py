"""The edge's memory of what it promised: batches on disk until JetStream has stored them.

SQLite in WAL mode with ``synchronous=FULL``: when `commit` returned, a power cut loses nothing of it. One
transaction holds the batches of both lanes, the books of what was taken, and the broker's delivery
keys. Sequence numbers are given out inside it, without gaps, and never again: a new outbox begins
elsewhere (`edge.outbox_schema`).

`commit`, `trim`, `read` and `close` block and belong in one worker thread; the other members only look
at or set numbers and may be used by the event loop.
"""

import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import json

from edge.deliveries import DeliveryKeys, pack, unpack
from edge.outbox_schema import OutboxInUse, OutboxReplaced, OutboxUnavailable, connect, lock
from edge.unsendable import sendable
from readings import Lane, Sample, SampleBatch, wire

__all__ = [
    "Depth", "Group", "Limits", "Outbox", "OutboxInUse", "OutboxReplaced", "OutboxUnavailable", "Stored",
]  # fmt: skip

BATCH_SAMPLES: Final = 500
"""A batch holds at most so many samples …"""
BATCH_BYTES: Final = 512 * 1024
"""… and is halved until it has no more bytes: half of a NATS server's default ``max_payload``."""
# One statement instead of one per device: each gives the interpreter away and must get it back.
_TAKE: Final = """
INSERT INTO taken
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
FROM json_each(CAST(? AS TEXT)) WHERE true
ON CONFLICT DO UPDATE SET samples = samples + excluded.samples
"""
_RECENT_BYTES: Final = 512 * 1024
_DELIVERIES_KEPT: Final = 65_536


@dataclass(frozen=True)
class Limits:
    """How much may wait: telemetry is refused beyond its part, alarms only beyond the whole."""

    bytes: int = 1 << 30
    alarm_share: float = 0.2


class Stored(NamedTuple):
    """One committed batch."""

    lane: Lane
    seq: int
    payload: bytes
    samples: int
    created: int


@dataclass
class Group:
    """What one transaction commits."""

    samples: Mapping[Lane, Sequence[Sample]]
    deliveries: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """Per connection: (message id, digest)."""


@dataclass
class Depth:
    """What of one lane is waiting."""

    base: int = 0
    """The outbox began to count after this number."""
    seq: int = 0
    """The last number given out."""
    stored: int = 0
    """Up to here JetStream has it."""
    trimmed: int = 0
    """Up to here the rows are gone."""
    bytes: int = 0
    """Payload bytes of the rows that are there."""

    @property
    def batches(self) -> int:
        """Batches that still wait for JetStream."""
        return self.seq - self.stored


class Outbox:
    """The outbox of one edge. Raises `OutboxInUse` or `OutboxUnavailable` when it cannot be opened."""

    def __init__(
        self, path: Path, edge: str, limits: Limits | None = None, *, base: int | None = None
    ) -> None:
        """A new outbox counts from `base` + 1; None draws a number that no other outbox uses."""
        self.path = path
        self.edge = edge
        self.limits = limits or Limits()
        self.depth: dict[Lane, Depth] = {}
        self._base = base
        self._keys: dict[str, DeliveryKeys] = {}
        self._notes: dict[str, str] = {}
        self._new_notes: dict[str, str] = {}
        self._recent: dict[Lane, dict[int, Stored]] = {lane: {} for lane in Lane}
        self._recent_bytes = dict.fromkeys(Lane, 0)
        self._memory = threading.Lock()
        """Guards the two above, which the worker fills and the event loop empties."""
        self._unsure: tuple[Group, dict[Lane, int], list[Stored]] | None = None
        self._delivery_rows: dict[str, deque[tuple[int, int]]] = {}
        """Per connection: (row id, keys in it), oldest first."""
        self._connection: sqlite3.Connection | None = None
        self._lock = lock(path)
        try:
            with self._storage() as connection:
                self._recall_keys(connection)
        except BaseException:
            self._lock.release()
            raise

    def commit(self, group: Group, now: int) -> list[Stored]:
        """Commit `group` durably and return its batches; raises `OutboxUnavailable`.

        After a failure the same group may be given again: when the failed attempt had reached the disk
        after all, it is not committed twice.
        """
        with self._storage() as connection:
            if self._unsure is not None and self._unsure[0] is group:
                _, reached, batches = self._unsure
                if all(self.depth[lane].seq >= seq for lane, seq in reached.items()):
                    return self._settle(batches)
            if group.samples:
                self._unsure = None
            samples = group.samples
            try:
                batches = [*self._batches(samples, now)]
            except wire.Unencodable:
                samples = {lane: sendable(found, now) for lane, found in samples.items()}
                batches = [*self._batches(samples, now)]
            reached = {batch.lane: batch.seq for batch in batches}
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", batches)
            connection.executemany("UPDATE lanes SET seq = ?2 WHERE lane = ?1", reached.items())
            connection.execute(_TAKE, (_taken(samples),))
            forgotten = self._write_deliveries(connection, group)
            notes = {**self._new_notes}
            connection.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", notes.items())
            trimmed = self._trim(connection)
            if batches:
                self._unsure = (group, reached, batches)
            connection.execute("COMMIT")
            trimmed()
            forgotten()
            self._new_notes = {k: v for k, v in self._new_notes.items() if notes.get(k) != v}
            for lane, seq in reached.items():
                self.depth[lane].seq = seq
            for batch in batches:
                self.depth[batch.lane].bytes += len(batch.payload)
            return self._settle(batches)

    def trim(self) -> None:
        """Delete the rows that JetStream has stored; raises `OutboxUnavailable`."""
        if all(depth.trimmed == depth.stored for depth in self.depth.values()) and not self._new_notes:
            return
        self.commit(Group({}), 0)

    def stored(self, lane: Lane, seq: int) -> None:
        """JetStream has every batch of `lane` up to `seq`; the rows go with the next commit or `trim`."""
        depth = self.depth[lane]
        with self._memory:
            for done in range(depth.stored + 1, seq + 1):
                if (batch := self._recent[lane].pop(done, None)) is not None:
                    self._recent_bytes[lane] -= len(batch.payload)
        depth.stored = max(depth.stored, seq)

    def recent(self, lane: Lane, after: int, limit: int) -> list[Stored]:
        """The batches that follow `after`, in order, as far as they are still in memory; never blocks."""
        recent, found = self._recent[lane], []
        for seq in range(after + 1, after + 1 + limit):
            if (batch := recent.get(seq)) is None:
                break
            found.append(batch)
        return found

    def read(self, lane: Lane, after: int, limit: int) -> list[Stored]:
        """The batches that follow `after`, in order, from disk; raises `OutboxUnavailable`."""
        with self._storage() as connection:
            rows = connection.execute(
                "SELECT seq, payload, samples, created FROM batches WHERE lane = ? AND seq > ?"
                " ORDER BY seq LIMIT ?",
                (lane.value, after, limit),
            )
            return [Stored(lane, *row) for row in rows]

    def oldest(self) -> int | None:
        """When the oldest waiting batch was committed (ns), or None; raises `OutboxUnavailable`."""
        with self._storage() as connection:
            times = [
                connection.execute(
                    "SELECT created FROM batches WHERE lane = ? AND seq > ? ORDER BY seq LIMIT 1",
                    (lane.value, depth.stored),
                ).fetchone()
                for lane, depth in self.depth.items()
            ]
        return min((time for (time,) in filter(None, times)), default=None)

    def has_room(self, lane: Lane) -> bool:
        """Whether `lane` may take more; the alarm lane may use all of the limit, telemetry a part."""
        limit = self.limits.bytes
        if lane is not Lane.ALARM:
            limit = int(limit * (1 - self.limits.alarm_share))
        return sum(depth.bytes for depth in self.depth.values()) < limit

    def keys(self, connection: str) -> DeliveryKeys:
        """The delivery keys of `connection`, as committed and as taken since."""
        return self._keys.setdefault(connection, DeliveryKeys())

    def note(self, key: str) -> str:
        """What was noted under `key`, or an empty text."""
        return self._new_notes.get(key) or self._notes.get(key, "")

    def write_note(self, key: str, value: str) -> None:
        """Note `value`; durable with the next commit or `trim`."""
        self._notes[key] = self._new_notes[key] = value

    def close(self) -> None:
        """Delete what is stored, close the file, give the lock back."""
        try:
            with suppress(OutboxUnavailable):  # rows that stay are sent again, which is harmless
                self.trim()
        finally:
            self._drop_connection()
            self._lock.release()

    @contextmanager
    def _storage(self) -> Iterator[sqlite3.Connection]:
        """The open file. Any error of it drops the connection: the next use opens and reads it anew."""
        try:
            if self._connection is None:
                self._connection = connect(self.path, self.edge, self._base)
                self._recall(self._connection)
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            self._drop_connection()
            raise OutboxUnavailable(f"{self.path}: {error}") from error
        except BaseException:
            self._drop_connection()
            raise

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # it is already broken, and nothing of it is used again
                connection.close()

    def _recall(self, connection: sqlite3.Connection) -> None:
        for lane in Lane:
            base, seq, stored = connection.execute(
                "SELECT base, seq, stored FROM lanes WHERE lane = ?", (lane.value,)
            ).fetchone()
            known = self.depth.get(lane) or Depth(base, seq, stored)
            if base != known.base or seq < known.seq:
                raise OutboxReplaced(f"{self.path} was replaced while it was in use")
            (waiting,) = connection.execute(
                "SELECT coalesce(sum(length(payload)), 0) FROM batches WHERE lane = ?", (lane.value,)
            ).fetchone()
            self.depth[lane] = Depth(base, seq, max(stored, known.stored), stored, waiting)
        self._notes = {**dict(connection.execute("SELECT key, value FROM notes")), **self._new_notes}

    def _recall_keys(self, connection: sqlite3.Connection) -> None:
        """Once, at start: a running agent's memory is ahead of the file."""
        for row, name, count, packed in connection.execute("SELECT * FROM deliveries ORDER BY id"):
            self._delivery_rows.setdefault(name, deque()).append((row, count))
            keys = self.keys(name)
            for identifier, content in unpack(packed):
                keys.remember(identifier, content)

    def _batches(self, samples: Mapping[Lane, Sequence[Sample]], now: int) -> Iterator[Stored]:
        for lane, all_of_it in samples.items():
            seq = self.depth[lane].seq
            parts = [all_of_it[at : at + BATCH_SAMPLES] for at in range(0, len(all_of_it), BATCH_SAMPLES)]
            while parts:
                part = parts.pop(0)
                payload = wire.encode(SampleBatch(self.edge, lane, seq + 1, tuple(part)))
                if len(payload) > BATCH_BYTES and len(part) > 1:
                    parts[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
                    continue
                seq += 1
                yield Stored(lane, seq, payload, len(part), now)

    def _settle(self, batches: list[Stored]) -> list[Stored]:
        if batches:
            self._unsure = None
        for batch in batches:
            # A reader goes on from memory only where memory has no gap, so a full memory takes no more
            # until it is empty again.
            recent = self._recent[batch.lane]
            with self._memory:
                if self._recent_bytes[batch.lane] < _RECENT_BYTES and (
                    not recent or batch.seq - 1 in recent or batch.seq - 1 == self.depth[batch.lane].stored
                ):
                    recent[batch.seq] = batch
                    self._recent_bytes[batch.lane] += len(batch.payload)
        return batches

    def _trim(self, connection: sqlite3.Connection) -> Callable[[], None]:
        """Delete what is stored; the returned call books it once the transaction is committed."""
        freed: list[tuple[Depth, int, int]] = []
        for lane, depth in self.depth.items():
            upto = depth.stored
            if upto > depth.trimmed:
                (size,) = connection.execute(
                    "SELECT coalesce(sum(length(payload)), 0) FROM batches WHERE lane = ? AND seq <= ?",
                    (lane.value, upto),
                ).fetchone()
                connection.execute("DELETE FROM batches WHERE lane = ? AND seq <= ?", (lane.value, upto))
                connection.execute("UPDATE lanes SET stored = ? WHERE lane = ?", (upto, lane.value))
                freed.append((depth, upto, size))

        def book() -> None:
            for depth, upto, size in freed:
                depth.trimmed = upto
                depth.bytes -= size

        return book

    def _write_deliveries(self, connection: sqlite3.Connection, group: Group) -> Callable[[], None]:
        """Add the group's keys and forget rows whose every identifier must have been used again since."""
        changes: list[tuple[deque[tuple[int, int]], tuple[int, int], int]] = []
        for name, keys in group.deliveries.items():
            added = connection.execute(
                "INSERT INTO deliveries (connection, count, keys) VALUES (?, ?, ?)",
                (name, len(keys), pack(keys)),
            ).lastrowid
            rows = self._delivery_rows.setdefault(name, deque())
            total = len(keys) + sum(count for _, count in rows)
            old = 0
            for _, count in rows:
                if total - count < _DELIVERIES_KEPT:
                    break
                total -= count
                old += 1
            gone = [(row,) for row, _ in islice(rows, old)]
            connection.executemany("DELETE FROM deliveries WHERE id = ?", gone)
            changes.append((rows, (added or 0, len(keys)), old))

        def book() -> None:
            for rows, row, old in changes:
                rows.append(row)
                for _ in range(old):
                    rows.popleft()

        return book


def _taken(samples: Mapping[Lane, Sequence[Sample]]) -> bytes:
    """JSON: [[lane, source, samples], …]."""
    return json.encode(
        [
            (lane.value, source, count)
            for lane, of_lane in samples.items()
            for source, count in Counter([sample.source for sample in of_lane]).items()
        ]
    )
