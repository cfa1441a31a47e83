"""A damaged outbox, read as far as it can be.

Rows are looked up one by one where reading many at once fails, so a page that is gone takes only its own rows
with it. A row counts when its payload has the checksum that was stored with it. The file is never written.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from edge.outbox_rows import Row
from edge.outbox_schema import template
from readings import Lane, wire

_BLOCK: Final = 256
_PATIENCE: Final = 200
"""Blocks without any row after which there are none, where the file cannot say how many there are."""
_ROW: Final = (
    "SELECT lane, place, seq, samples, created, checksum, level, payload, boot FROM batches WHERE rowid = ?"
)


class Where(NamedTuple):
    """A row that is there, or was."""

    lane: str
    place: int
    seq: int | None
    rowid: int


class Wreck:
    """The damaged outbox at `path`, with its log beside it where there is one."""

    def __init__(self, path: Path) -> None:
        self.unreadable = 0
        """Rows that are there and cannot be read, as far as that can be told."""
        self._connection = _open(path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def places(self) -> dict[Lane, list[Where]]:
        """Where there are rows, in the order of each lane."""
        found: dict[Lane, list[Where]] = {lane: [] for lane in Lane}
        for row in self._by_rowid("SELECT lane, place, seq, rowid FROM batches"):
            where = Where(*row)
            with suppress(ValueError):  # a lane that there is not
                found[Lane(where.lane)].append(where)
        for places in found.values():
            places.sort(key=lambda where: where.place)
        return found

    def row(self, where: Where) -> Row | None:
        """The row; None, and counted, when it cannot be read or is not what was written."""
        with suppress(sqlite3.Error, TypeError):
            found = Row._make(self._connection.execute(_ROW, (where.rowid,)).fetchone())
            if zlib.crc32(found.payload) == found.checksum:
                with suppress(wire.MalformedBatch):
                    if len(wire.decode_samples(found.payload).samples) == found.samples:
                        return found
        self.unreadable += 1
        return None

    def table(self, select: str, *values: str) -> list[tuple[Any, ...]]:
        """The rows of a small table, as far as they can be read from its beginning."""
        found: list[tuple[Any, ...]] = []
        with suppress(sqlite3.Error):
            for row in self._connection.execute(select, values):
                found.append(row)  # noqa: PERF402 - what was read before an error counts
        return found

    def _by_rowid(self, select: str) -> Iterator[tuple[Any, ...]]:
        first, last = self._bound("min", 1), self._bound("max", None)
        empty = 0
        at = first or 1
        while empty < _PATIENCE if last is None else at <= last:
            rows, unreadable = self._block(select, at, at + _BLOCK - 1)
            self.unreadable += unreadable if last is not None else 0
            yield from rows
            empty = 0 if rows else empty + 1
            at += _BLOCK

    def _bound(self, which: str, otherwise: int | None) -> int | None:
        with suppress(sqlite3.Error):
            (found,) = self._connection.execute(f"SELECT {which}(rowid) FROM batches").fetchone()  # noqa: S608
            return int(found or 0)
        return otherwise

    def _block(self, select: str, first: int, last: int) -> tuple[list[tuple[Any, ...]], int]:
        """The rows with these ids, and how many ids cannot be looked up."""
        ranged = f"{select} WHERE rowid BETWEEN ? AND ?"
        with suppress(sqlite3.Error):
            return self._connection.execute(ranged, (first, last)).fetchall(), 0
        found: list[tuple[Any, ...]] = []
        unreadable = 0
        for rowid in range(first, last + 1):
            try:
                found += self._connection.execute(ranged, (rowid, rowid)).fetchall()
            except sqlite3.Error:
                unreadable += 1
        return found, unreadable


def _open(path: Path) -> sqlite3.Connection:
    """Open what may be no database any more: with the first page of a new outbox where its own is spoilt."""
    connection = _connect(path)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.execute("SELECT base FROM lanes LIMIT 1").fetchone()
        connection.execute("SELECT samples FROM batches LIMIT 0").fetchone()
    except sqlite3.Error:
        connection.close()
        grafted = path.with_suffix(".grafted")
        page, content = template(), path.read_bytes()
        pages = (len(content) // len(page)).to_bytes(4, "big")
        # The header says that the file is used with a log, how many pages it has, and that none is free.
        head = page[:18] + b"\x02\x02" + page[20:28] + pages + bytes(8) + page[40:]
        grafted.write_bytes(head + content[len(page) :])
        log = path.with_name(f"{path.name}-wal")
        if log.exists():
            shutil.copyfile(log, grafted.with_name(f"{grafted.name}-wal"))
        connection = _connect(grafted)
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    connection.execute(
        "PRAGMA writable_schema = ON"
    )  # a file that is shorter than it should be is opened too
    return connection
