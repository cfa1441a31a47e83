"""What becomes of readings as they age in the embedded store: from ``hot`` to ``history``, then away.

They move and go in slices of some thousand rows, so that a write never waits long. ``slices`` notes up to
which time each slice reached, oldest first: to let the oldest go is to take the first of them, whatever
gaps and outliers the times have. What has gone is counted per series, so that the books still know it.

All functions run inside the caller's transaction, never touch the interpreter per row (`ingest.bulk` says
why) and raise `sqlite3.Error`.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from ingest.clocks import DAY

TABLES: Final = """
CREATE TABLE IF NOT EXISTS slices (upto INTEGER PRIMARY KEY, readings INTEGER NOT NULL);
"""

MEGABYTE: Final = 1 << 20
_READING_BYTES: Final = 100
"""What a reading adds to the write-ahead log, at most where a write has many of each series."""


@dataclass(frozen=True)
class Retention:
    """What the embedded store keeps. Nanoseconds and bytes."""

    keep_for: int = 90 * DAY
    keep_bytes: int = 20 * 1024**3
    """What the store's file may take with its journal; the oldest readings go first."""
    hot_for: int = DAY // 24
    """Readings stay in the table for writing so long."""
    slice_readings: int = 20_000
    """Readings moved or deleted in one step (more where there are thousands of series) …"""
    slice_time: int = DAY // 4
    """… or those of so long, if they are fewer: readings stay for so much longer than `keep_for`."""

    @property
    def journal_bytes(self) -> int:
        """A larger write-ahead log is emptied when no reader needs it; it may get twice as large."""
        return min(64 * MEGABYTE, self.keep_bytes // 8)

    @property
    def write_bytes(self) -> int:
        """What one write may add, about, to the file and to the write-ahead log."""
        return min(64 * MEGABYTE, self.keep_bytes // 16)

    @property
    def write_readings(self) -> int:
        """Readings of one write: more than 20,000 make nothing faster."""
        return min(20_000, self.write_bytes // _READING_BYTES)

    @property
    def used_bytes(self) -> int:
        """How much of the file may hold something: the rest is for one write before the next look."""
        return self.keep_bytes - 2 * self.journal_bytes - 2 * self.write_bytes


def move(connection: sqlite3.Connection, before: int, readings: int, span: int) -> bool:
    """Move a slice of what is before `before` on to the history; False when there is nothing.

    It holds the oldest `readings`, as far as they lie within `span`.
    """
    (first,) = connection.execute("SELECT min(ts) FROM hot WHERE ts < ?", (before,)).fetchone()
    if first is None:
        return False
    upto = _oldest(connection, readings, min(before, first + span))
    moved = connection.execute(
        "INSERT OR REPLACE INTO history SELECT sid, ts, value, quality, received, event"
        " FROM hot WHERE ts <= ? ORDER BY sid, ts",
        (upto,),
    ).rowcount
    connection.execute("DELETE FROM hot WHERE ts <= ?", (upto,))
    connection.execute(
        "INSERT INTO slices VALUES (?, ?) ON CONFLICT DO UPDATE SET readings = readings + excluded.readings",
        (upto, moved),
    )
    return True


def expire(connection: sqlite3.Connection, before: int) -> bool:
    """Delete the oldest slice of the history if it ended before `before`; False when none does."""
    (upto,) = connection.execute("SELECT min(upto) FROM slices WHERE upto < ?", (before,)).fetchone()
    if upto is None:
        return False
    _count(connection, "history WHERE sid IN (SELECT sid FROM series) AND ts <= ?", upto)
    connection.execute(
        "DELETE FROM history WHERE sid IN (SELECT sid FROM series) AND ts <= ?",
        (upto,),
    )
    connection.execute("DELETE FROM slices WHERE upto <= ?", (upto,))
    return True


def expire_oldest(connection: sqlite3.Connection, now: int, readings: int) -> bool:
    """Delete about `readings` of the oldest, wherever they are; False when there are none at all."""
    if expire(connection, now):
        return True
    upto = _oldest(connection, readings, _END)
    if upto is None:
        return False
    _count(connection, "hot WHERE ts <= ?", upto)
    connection.execute("DELETE FROM hot WHERE ts <= ?", (upto,))
    return True


def _oldest(connection: sqlite3.Connection, readings: int, before: int) -> int | None:
    """The time of the last of the oldest `readings` in ``hot`` before `before`."""
    (upto,) = connection.execute(
        "SELECT max(ts) FROM (SELECT ts FROM hot WHERE ts < ? ORDER BY ts LIMIT ?)", (before, readings)
    ).fetchone()
    return None if upto is None else int(upto)


def _count(connection: sqlite3.Connection, which: str, upto: int) -> None:
    """Add what is about to go to the series' counts."""
    connection.execute(
        "UPDATE series SET expired = expired + n FROM"  # noqa: S608 - our own words
        f" (SELECT sid AS one, count(*) AS n FROM {which} GROUP BY sid) WHERE sid = one",
        (upto,),
    )


_END: Final = 2**63 - 1
