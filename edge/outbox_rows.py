"""The statements on the tables ``batches`` and ``packs``: reading, numbering, replacing, deleting rows.

Each takes an open connection and raises `sqlite3.Error`; what changes something must stand inside a
transaction. What the numbers mean says `edge.outbox`.
"""

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from edge.dating import FLOOR, Starts, dated_payload
from edge.packing import fits, joined
from edge.recent import Stored
from readings import Lane

AHEAD: Final = 128
"""So many rows may have a number and still wait; what comes then gets its number later …"""
_AHEAD_BYTES: Final = 4 * 1024 * 1024
"""… and so it does when so many bytes wait."""
_READ_BYTES: Final = 1024 * 1024
"""Payload that is read at once, about."""


class Damaged(sqlite3.DatabaseError):
    """The file holds what was never written into it."""


class Row(NamedTuple):
    """One row of the table ``batches``."""

    lane: str
    place: int
    seq: int | None
    samples: int
    created: int
    checksum: int
    level: int
    payload: bytes
    boot: str | None = None
    """The boot of the machine that its times are uptimes of, while that is all they are."""

    def dated(self, starts: Starts) -> tuple["Row", int]:
        """The row with true times, as far as it is known when its boot began, and of how many samples."""
        start = starts.get(self.boot or "")
        if start is None:
            return self, 0
        payload, samples = dated_payload(self.payload, start)
        created = self.created + start.at if self.created < FLOOR else self.created
        row = self._replace(payload=payload, checksum=zlib.crc32(payload), created=created, boot=None)
        return row, samples


class Packed(NamedTuple):
    """What `pack` did."""

    batches: list[Stored]
    dated: int
    """Samples that got their true times."""
    grown: int
    """Bytes by which their rows have grown."""


@dataclass
class Depth:
    """What of one lane is waiting. Places count rows in the lane's order.

    All zero while the file could not be opened yet.
    """

    base: int = 0
    """The outbox began to count after this number."""
    seq: int = 0
    """The last number given out."""
    place: int = 0
    """The last place."""
    numbered: int = 0
    """Up to this place every row belongs to a number."""
    stored: int = 0
    """Up to this place JetStream has everything."""
    trimmed: int = 0
    """Up to this place the rows are gone."""
    batches: int = 0
    """Rows that still wait for JetStream."""
    bytes: int = 0
    """Payload bytes of the rows that are there."""
    taken: int = 0
    """Samples ever taken by this outbox."""
    thinned: int = 0
    """Of these, left out because the outbox was nearly full."""

    @property
    def waits(self) -> bool:
        """Whether anything waits for JetStream."""
        return self.place > self.stored

    @property
    def is_short(self) -> bool:
        """Whether so little waits that what comes will be sent soon."""
        return (
            self.place == self.numbered
            and self.place - self.stored < AHEAD
            and self.bytes < _AHEAD_BYTES
        )  # fmt: skip


def recall(connection: sqlite3.Connection, lane: Lane, stored: int = 0) -> Depth:
    """The depth of `lane` as the file says, where JetStream has everything up to `stored` at least."""
    of_lane = connection.execute(
        "SELECT base, seq, numbered, stored FROM lanes WHERE lane = ?", (lane,)
    ).fetchone()
    if of_lane is None:
        raise Damaged(f"nothing is noted about lane {lane}")
    base, seq, numbered, trimmed = of_lane
    last, size = connection.execute(
        "SELECT max(place), coalesce(sum(length(payload)), 0) FROM batches WHERE lane = ?", (lane,)
    ).fetchone()
    taken, thinned = connection.execute(
        "SELECT coalesce(sum(samples), 0), coalesce(sum(thinned), 0) FROM taken WHERE lane = ?", (lane,)
    ).fetchone()
    stored = max(stored, trimmed)
    (waiting,) = connection.execute(
        "SELECT count(*) FROM batches WHERE lane = ? AND place > ?", (lane, stored)
    ).fetchone()
    place = max(last or 0, numbered)
    return Depth(base, seq, place, numbered, stored, trimmed, waiting, size, taken, thinned)


def numbered(
    connection: sqlite3.Connection, edge: str, lane: Lane, after: int, upto: int, limit: int
) -> list[Stored]:
    """At most `limit` batches that have a number, from the places after `after` up to `upto`."""
    packs = {
        first: (last, seq, checksum)
        for first, last, seq, checksum in connection.execute(
            "SELECT first, last, seq, checksum FROM packs WHERE lane = ? AND last > ? ORDER BY first LIMIT ?",
            (lane, after, limit),
        )
    }
    found: list[Stored] = []
    size = 0
    rows = _rows(connection, lane, after, upto)
    for row in rows:
        if row.seq is not None:
            batch = Stored(lane, row.seq, row.payload, row.samples, row.created, row.place)
        else:
            last, seq, checksum = packs.get(row.place, (row.place, 0, -1))
            pack = [row]
            while pack[-1].place < last and (following := next(rows, None)):
                pack.append(following)
            batch = packed(edge, lane, seq, pack)
            if checksum is not None and zlib.crc32(batch.payload) != checksum:
                raise Damaged(f"{lane} {row.place} and what follows cannot be sent as before")
        found.append(batch)
        size += len(batch.payload)
        if len(found) == limit or size >= _READ_BYTES:
            break
    return found


def pack(
    connection: sqlite3.Connection, edge: str, lane: Lane, depth: Depth, limit: int, starts: Starts
) -> Packed:
    """Give numbers to the rows that follow, as many to each as fit into a batch; in a transaction.

    The last moment to give them true times, for then they may be sent. Uptimes of different boots never share
    a batch: the normaliser keeps the distances of times in a batch, and these have none.
    """
    packs: list[list[Row]] = []
    dated: list[tuple[Row, int, int]] = []
    samples = size = total = 0
    for found in _rows(connection, lane, depth.numbered, depth.place):
        row, count = found.dated(starts)
        if packs and packs[-1][-1].boot == row.boot and fits(samples, size, row.samples, len(row.payload)):
            packs[-1].append(row)
            samples, size = samples + row.samples, size + len(row.payload)
        elif len(packs) == limit or total >= _READ_BYTES:
            break
        else:
            packs.append([row])
            samples, size = row.samples, len(row.payload)
        if row is not found:
            dated.append((row, count, len(row.payload) - len(found.payload)))
        total += len(row.payload)
    connection.executemany(
        "UPDATE batches SET payload = ?, checksum = ?, created = ?, boot = NULL WHERE lane = ? AND place = ?",
        [(row.payload, row.checksum, row.created, lane, row.place) for row, _, _ in dated],
    )
    batches = [packed(edge, lane, seq, rows) for seq, rows in enumerate(packs, depth.seq + 1)]
    connection.executemany(
        "INSERT INTO packs VALUES (?, ?, ?, ?, ?)",
        [
            (lane, rows[0].place, each.place, each.seq, zlib.crc32(each.payload))
            for rows, each in zip(packs, batches, strict=True)
        ],
    )
    for last in batches[-1:]:
        connection.execute(
            "UPDATE lanes SET seq = ?, numbered = ? WHERE lane = ?", (last.seq, last.place, lane)
        )
    return Packed(batches, sum(count for _, count, _ in dated), sum(grown for _, _, grown in dated))


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Put in new rows; in a transaction."""
    connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.executemany(
        "UPDATE lanes SET seq = ?2, numbered = ?3 WHERE lane = ?1",
        {row.lane: (row.lane, row.seq, row.place) for row in rows if row.seq is not None}.values(),
    )


def delete(connection: sqlite3.Connection, lane: Lane, first: int, last: int) -> tuple[int, int, int]:
    """Delete the rows at these places; (rows, samples, payload bytes). In a transaction."""
    places = (lane, first, last)
    rows, samples, size = connection.execute(
        "SELECT count(*), coalesce(sum(samples), 0), coalesce(sum(length(payload)), 0) FROM batches"
        " WHERE lane = ? AND place BETWEEN ? AND ?",
        places,
    ).fetchone()
    connection.execute("DELETE FROM batches WHERE lane = ? AND place BETWEEN ? AND ?", places)
    return rows, samples, size


def raise_level(connection: sqlite3.Connection, lane: Lane, first: int, last: int) -> None:
    """Note that thinning leaves these rows as they are; in a transaction."""
    connection.execute(
        "UPDATE batches SET level = level + 1 WHERE lane = ? AND place BETWEEN ? AND ?", (lane, first, last)
    )


def free_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of pages in the file that hold nothing."""
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


def _rows(connection: sqlite3.Connection, lane: Lane, after: int, upto: int) -> Iterator[Row]:
    """Raises `Damaged` for a row whose payload is not what was stored."""
    for row in map(
        Row._make,
        connection.execute(
            "SELECT lane, place, seq, samples, created, checksum, level, payload, boot FROM batches"
            " WHERE lane = ? AND place > ? AND place <= ? ORDER BY place",
            (lane, after, upto),
        ),
    ):
        if zlib.crc32(row.payload) != row.checksum:
            raise Damaged(f"{lane} {row.place} is not what was stored")
        yield row


def packed(edge: str, lane: Lane, seq: int, rows: Sequence[Row]) -> Stored:
    """The batch that `rows` are sent as under the number `seq`: always the same bytes."""
    payload = joined(edge, lane, seq, (row.payload for row in rows))
    samples = sum(row.samples for row in rows)
    return Stored(lane, seq, payload, samples, rows[0].created, rows[-1].place, len(rows))
