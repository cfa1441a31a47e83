"""The edge's memory of what it promised: batches on disk until JetStream has stored them.

SQLite in WAL mode with ``synchronous=FULL``: when `commit` returned, a power cut loses nothing of it. One
transaction holds the batches of both lanes, the books of what was taken, and the broker's delivery keys.

What can be sent soon gets its sequence number with its commit. What must wait longer only gets a place in
the lane's order; `read` numbers it, packed into full batches, when its turn comes. So nobody outside has
ever heard of what waits without a number, and it may still be thinned (docs/decisions/0007) and get its true
times (docs/decisions/0013). Numbers have no gaps and are never given out again: a new outbox begins elsewhere
(`edge.outbox_schema`).

`commit`, `trim`, `read`, `oldest`, `replace` and `close` block and belong in one worker thread; the other
members only look at or set numbers and may be used by the event loop.
"""

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from msgspec import json

from edge import outbox_rows
from edge.dating import FLOOR, Starts
from edge.deliveries import DeliveryKeys, DeliveryRows
from edge.outbox_file import OutboxFile
from edge.outbox_rows import Depth, Row
from edge.outbox_schema import (
    OutboxInUse,
    OutboxReplaced,
    OutboxUnavailable,
    OutboxUnusable,
)
from edge.packing import cut
from edge.recent import RecentBatches, Stored
from edge.rescue import LOST_NOTE
from edge.reserve import Reserve
from edge.tidemark import Mark
from edge.unsendable import sendable
from readings import Lane, Sample, wire
from readings.numbers import life_of

__all__ = [
    "Depth", "Group", "Limits", "Outbox", "OutboxInUse", "OutboxReplaced", "OutboxUnavailable",
    "OutboxUnusable", "Stored",
]  # fmt: skip

_ALWAYS: Final = 4 * 1024 * 1024
"""Payload bytes that may wait however little the disk can spare."""
# One statement instead of one per device: each gives the interpreter away and must get it back.
_TAKE: Final = """
INSERT INTO taken (lane, source, samples)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
FROM json_each(CAST(? AS TEXT)) WHERE true
ON CONFLICT DO UPDATE SET samples = samples + excluded.samples
"""

_UNKNOWN: Final[Starts] = {}

_Result = TypeVar("_Result")

log = logging.getLogger("edge.outbox")


@dataclass(frozen=True)
class Limits:
    """How much may wait: telemetry is refused beyond its part, alarms only beyond the whole."""

    bytes: int = 1 << 30
    alarm_share: float = 0.2
    spare: int = 64 << 20
    """Bytes of the disk that telemetry leaves to others, also where `bytes` is not reached."""
    reserve: int = 0
    """Bytes of the disk that are kept back for alarms."""


@dataclass
class Group:
    """What one transaction commits."""

    samples: Mapping[Lane, Sequence[Sample]]
    deliveries: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """Per connection: (message id, digest)."""
    urgent: bool = False
    """Whether it may use the disk that is kept back: it carries alarms, or makes room."""
    boot: str = ""
    """The boot of the machine whose uptime stands for times in it; empty: its times are times."""


class Outbox:
    """The outbox of one edge. Raises `OutboxInUse` or `OutboxUnavailable` when it cannot be opened."""

    def __init__(
        self,
        path: Path,
        edge: str,
        limits: Limits | None = None,
        *,
        base: int | None = None,
        patient: bool = False,
    ) -> None:
        """A new outbox counts from `base` + 1; None draws a number that no other outbox uses.

        A `patient` one only raises what will not get better by itself (`OutboxInUse`, `OutboxUnusable`):
        where the disk is full or broken, it is opened by the first call for which it is not.
        """
        self.path = path
        self.edge = edge
        self.limits = limits or Limits()
        self.capacity = self.limits.bytes
        """Payload bytes that may wait, as the disk allows now; see `trim`."""
        self.reserve = Reserve(path.with_suffix(".reserve"), self.limits.reserve)
        self.alarms_have_room = True
        """Whether disk is kept back for alarms, in the reserve or in free pages of the file."""
        self.depth = {lane: Depth() for lane in Lane}
        self.dated = 0
        """Samples that got their true times, since this process began."""
        self.numbered_before = dict.fromkeys(Lane, 0)
        """Up to these places batches had numbers, and may have been sent, before this process began."""
        self._file = OutboxFile(path, edge, base, self._recall)
        self._life = 0
        """Which of the files this is about; 0 before there is one."""
        self._keys: dict[str, DeliveryKeys] = {}
        self._notes: dict[str, str] = {}
        self._new_notes: dict[str, str] = {}
        self._recent = {lane: RecentBatches() for lane in Lane}
        self._unsure: tuple[Group, dict[Lane, int], list[Stored]] | None = None
        """A group whose commit may have reached the disk: the books it left, and its batches."""
        self._deliveries = DeliveryRows()
        try:
            self._surely(self._open)
        except BaseException as error:
            self._file.release()
            if not patient or not isinstance(error, OutboxUnavailable) or isinstance(error, OutboxUnusable):
                raise
            log.critical("there is no outbox: %s", error)

    def _open(self) -> None:
        with self._file.use() as connection:
            self._measure(connection)

    def commit(self, group: Group, now: int) -> list[Stored]:
        """Commit `group` durably and return those of its batches that have a number.

        Raises `OutboxUnavailable`. Then the same group may be given again: when the failed attempt had
        reached the disk after all, it is not committed twice.
        """
        work = partial(self._commit, group, now)
        try:
            return self._surely(work) if group.urgent else work()
        except OutboxUnavailable:
            if self._unsure is not None and not self._reached(self._unsure[1]):
                self._unsure = None
            raise

    def is_unsure(self, group: Group) -> bool:
        """Whether a failed `commit` of `group` may have reached the disk: then only it may come again."""
        return self._unsure is not None and self._unsure[0] is group

    def _reached(self, books: Mapping[Lane, int]) -> bool:
        """Whether the file has, or may have, the samples that a failed commit brought to `books`."""
        try:
            with self._file.use():
                return all(self.depth[lane].taken >= taken for lane, taken in books.items())
        except OutboxUnavailable:
            return True

    def _commit(self, group: Group, now: int) -> list[Stored]:
        with self._file.use() as connection:
            if self._unsure is not None and self._unsure[0] is group:
                _, reached, batches = self._unsure
                self._unsure = None
                if all(self.depth[lane].taken >= taken for lane, taken in reached.items()):
                    return self._settle(batches)
            samples = group.samples
            try:
                rows = self._rows(samples, now, group.boot)
            except wire.Unencodable:
                samples = {lane: sendable(found, now) for lane, found in samples.items()}
                rows = self._rows(samples, now, group.boot)
            batches = [
                Stored(Lane(row.lane), row.seq, row.payload, row.samples, row.created, row.place)
                for row in rows
                if row.seq is not None
            ]
            connection.execute("BEGIN IMMEDIATE")
            outbox_rows.insert(connection, rows)
            connection.execute(_TAKE, (_taken(samples),))
            forgotten = self._deliveries.write(connection, group.deliveries)
            notes = {**self._new_notes}
            connection.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", notes.items())
            trimmed = self._trim(connection)
            if rows:
                reached = {lane: self.depth[lane].taken + len(taken) for lane, taken in samples.items()}
                self._unsure = (group, reached, batches)
            connection.execute("COMMIT")
            if rows:
                self._unsure = None
            trimmed()
            forgotten()
            self._new_notes = {k: v for k, v in self._new_notes.items() if notes.get(k) != v}
            for row in rows:
                depth = self.depth[Lane(row.lane)]
                depth.place = row.place
                depth.batches += 1
                depth.bytes += len(row.payload)
                depth.taken += row.samples
            return self._settle(batches)

    def trim(self) -> None:
        """Delete the rows that JetStream has stored, see how much room there is.

        Raises `OutboxUnavailable`.
        """
        if any(depth.trimmed < depth.stored for depth in self.depth.values()) or self._new_notes:
            self.commit(Group({}, urgent=True), 0)
        with self._file.use() as connection:
            self._measure(connection)

    def stored(self, batch: Stored) -> None:
        """JetStream has `batch` and all before it; the rows go with the next commit or `trim`."""
        depth = self.depth[batch.lane]
        if life_of(batch.place) != life_of(depth.base):
            return  # of an outbox that was damaged: the new one sends it again
        self._recent[batch.lane].forget(batch.place)
        if batch.place > depth.stored:
            depth.batches -= batch.rows
            depth.stored = batch.place

    def recent(self, lane: Lane, after: int, limit: int) -> list[Stored]:
        """The batches that follow the place `after`, as far as they are still in memory; never blocks."""
        return self._recent[lane].following(after, limit)

    def read(self, lane: Lane, after: int, limit: int, starts: Starts = _UNKNOWN) -> list[Stored]:
        """The batches that follow the place `after`, in order, from disk; raises `OutboxUnavailable`.

        What has no number yet gets one: it may be sent from now on. Before, its uptimes become times, where
        `starts` knows their boot. Nothing follows a place of another life: who asks from there does not know
        yet that the outbox was damaged and made anew.
        """
        return self._surely(partial(self._read, lane, after, limit, starts))

    def _read(self, lane: Lane, after: int, limit: int, starts: Starts) -> list[Stored]:
        with self._file.use() as connection:
            depth = self.depth[lane]
            if after and life_of(after) != life_of(depth.base):
                return []
            if after < depth.numbered:
                return outbox_rows.numbered(connection, self.edge, lane, after, depth.numbered, limit)
            if depth.place == depth.numbered:
                return []
            connection.execute("BEGIN IMMEDIATE")
            batches, dated, grown = outbox_rows.pack(connection, self.edge, lane, depth, limit, starts)
            connection.execute("COMMIT")
            self.dated += dated
            depth.bytes += grown
            depth.seq, depth.numbered = batches[-1].seq, batches[-1].place
            self._mark()
            return batches

    def oldest(self, starts: Starts = _UNKNOWN) -> int | None:
        """When the oldest waiting batch was committed (ns), or None; raises `OutboxUnavailable`."""
        with self._file.use() as connection:
            found = [
                connection.execute(
                    "SELECT created, boot FROM batches WHERE lane = ? AND place > ? ORDER BY place LIMIT 1",
                    (lane, depth.stored),
                ).fetchone()
                for lane, depth in self.depth.items()
            ]
        times = []
        for created, boot in filter(None, found):
            start = starts.get(boot or "") if created < FLOOR else None
            times.append(created if start is None else created + start.at)
        return min(times, default=None)

    def replace(
        self, lane: Lane, places: tuple[int, int], rows: Sequence[Row], left_out: Counter[str]
    ) -> bool:
        """Put thinned `rows` where the rows at `places` (both included) are, or, with none, mark those.

        `left_out` counts the samples that do not stay by source. False when some of the rows have a number
        by now: they may have been sent and must stay as they are; or when the outbox was made anew since they
        were read. Raises `OutboxUnavailable`.
        """
        return self._surely(partial(self._replace, lane, places, rows, left_out))

    def _replace(
        self, lane: Lane, places: tuple[int, int], rows: Sequence[Row], left_out: Counter[str]
    ) -> bool:
        with self._file.use() as connection:
            depth = self.depth[lane]
            if places[0] <= depth.numbered or life_of(places[0]) != life_of(depth.base):
                return False
            connection.execute("BEGIN IMMEDIATE")
            if not rows:
                outbox_rows.raise_level(connection, lane, *places)
                connection.execute("COMMIT")
                return True
            gone, _, size = outbox_rows.delete(connection, lane, *places)
            outbox_rows.insert(connection, rows)
            connection.executemany(
                "UPDATE taken SET thinned = thinned + ? WHERE lane = ? AND source = ?",
                [(n, lane, source) for source, n in left_out.items()],
            )
            connection.execute("COMMIT")
            depth.batches += len(rows) - gone
            depth.bytes += sum(len(row.payload) for row in rows) - size
            depth.thinned += left_out.total()
            self._measure(connection)
            return True

    def has_room(self, lane: Lane) -> bool:
        """Whether `lane` may take more; the alarm lane may use all of the limit, telemetry a part.

        Only telemetry heeds the disk: an alarm is tried, whatever the disk says.
        """
        if lane is Lane.ALARM:
            return self._bytes < self.limits.bytes
        return self.fullness < 1 and self.alarms_have_room

    @property
    def fullness(self) -> float:
        """How much of what telemetry may use is used; from 1 on it is refused."""
        return self._bytes / max(1.0, self.capacity * (1 - self.limits.alarm_share))

    @property
    def _bytes(self) -> int:
        return sum(depth.bytes for depth in self.depth.values())

    @property
    def lost(self) -> int:
        """Samples that damaged outboxes of this edge had and that could not be saved."""
        return int(self.note(LOST_NOTE) or 0)

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
            with suppress(
                OutboxUnavailable, OutboxReplaced
            ):  # rows that stay are sent again, which is harmless
                self.trim()
        finally:
            self._file.release()

    def _surely(self, work: Callable[[], _Result]) -> _Result:
        """Do what is for alarms or makes room: when the disk is full, with the bytes that are kept back."""
        try:
            return work()
        except OutboxUnavailable:
            if not self.reserve.release(self._file.free_on_disk()):
                raise
            self.alarms_have_room = False
            return work()

    def _recall(self, connection: sqlite3.Connection) -> None:
        """Learn from a file what is in it, the first time also what only a new process needs."""
        is_new = self._life != self._file.lives
        for lane in Lane:
            known = Depth() if is_new else self.depth[lane]
            found = outbox_rows.recall(connection, lane, known.stored)
            if is_new:
                self.numbered_before[lane] = found.numbered
                self._recent[lane] = RecentBatches()
            elif found.base != known.base or found.seq < known.seq or found.taken < known.taken:
                raise OutboxReplaced(f"{self.path} was replaced while it was in use")
            self.depth[lane] = found
        self._notes = {**dict(connection.execute("SELECT key, value FROM notes")), **self._new_notes}
        if is_new:
            for name, identifier, content in self._deliveries.recall(connection):
                self.keys(name).recall(identifier, content)
        self._life = self._file.lives

    def _rows(self, samples: Mapping[Lane, Sequence[Sample]], now: int, boot: str) -> list[Row]:
        rows: list[Row] = []
        for lane, of_lane in samples.items():
            depth = self.depth[lane]
            # What has no time yet keeps until it is sent the chance to get one.
            batches = cut(self.edge, lane, of_lane, depth.seq if depth.is_short and not boot else None)
            rows += [
                Row(
                    lane,
                    place,
                    each.seq or None,
                    each.samples,
                    now,
                    each.checksum,
                    0,
                    each.payload,
                    boot or None,
                )
                for place, each in enumerate(batches, depth.place + 1)
            ]
        return rows

    def _settle(self, batches: list[Stored]) -> list[Stored]:
        for batch in batches:
            depth = self.depth[batch.lane]
            depth.seq, depth.numbered = max(depth.seq, batch.seq), max(depth.numbered, batch.place)
            self._recent[batch.lane].add(batch, depth.stored)
        self._mark()
        return batches

    def _trim(self, connection: sqlite3.Connection) -> Callable[[], None]:
        """Delete what is stored; the returned call books it once the transaction is committed."""
        freed: list[tuple[Depth, int, int]] = []
        for lane, depth in self.depth.items():
            upto = depth.stored
            if upto > depth.trimmed:
                _, samples, size = outbox_rows.delete(connection, lane, depth.trimmed + 1, upto)
                connection.execute("DELETE FROM packs WHERE lane = ? AND last <= ?", (lane, upto))
                connection.execute(
                    "UPDATE lanes SET stored = ?, sent = sent + ? WHERE lane = ?", (upto, samples, lane)
                )
                freed.append((depth, upto, size))

        def book() -> None:
            for depth, upto, size in freed:
                depth.trimmed = upto
                depth.bytes -= size

        return book

    def _measure(self, connection: sqlite3.Connection) -> None:
        """How much may wait: what is there, free pages in the file, and what the disk can spare.

        A little may always wait: with a link nothing stays long, and the disk itself has the last word.
        """
        free, inside = self._file.free_on_disk(), outbox_rows.free_bytes(connection)
        self.reserve.hold(free)
        self.alarms_have_room = self.reserve.held or inside >= self.limits.reserve
        room = self._bytes + inside + max(0, free - self.limits.spare)
        self.capacity = min(self.limits.bytes, max(room, _ALWAYS))

    def _mark(self) -> None:
        self._file.mark({lane: Mark(it.base, it.seq, it.taken) for lane, it in self.depth.items()})


def _taken(samples: Mapping[Lane, Sequence[Sample]]) -> bytes:
    """JSON: [[lane, source, samples], …]."""
    return json.encode(
        [
            (lane, source, count)
            for lane, of_lane in samples.items()
            for source, count in Counter([sample.source for sample in of_lane]).items()
        ]
    )
