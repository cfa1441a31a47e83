"""The embedded store: one SQLite file that takes what a community sends, without a database server.

Readings arrive in order of time, so they go into ``hot``, keyed by (time, series): every write lands at
the end of the tree (keyed by series first, writing is 8 times slower). Questions come by series, so
after an hour they move on to ``history``, keyed by (series, time), in slices small enough not to be
noticed. ``latest`` holds the newest reading of each series. The books are committed with the readings.

One connection in one thread writes; readers (`ingest.stores.embedded_reader`) open the file read-only.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from ingest import bulk
from ingest.books import Books
from ingest.clocks import DAY
from ingest.database import open_writer, transaction
from ingest.normaliser import Count
from ingest.sequences import BatchId
from ingest.stores import WriteLimits
from readings import Quality, ReadingBatch
from registry.site import Site

TABLES: Final = """
CREATE TABLE IF NOT EXISTS series (sid INTEGER PRIMARY KEY, device TEXT NOT NULL, point TEXT NOT NULL,
    kind TEXT NOT NULL, UNIQUE (device, point, kind));
CREATE TABLE IF NOT EXISTS hot (ts INTEGER, sid INTEGER, value, quality INTEGER, received INTEGER,
    event TEXT, PRIMARY KEY (ts, sid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (sid INTEGER, ts INTEGER, value, quality INTEGER, received INTEGER,
    event TEXT, PRIMARY KEY (sid, ts)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (sid INTEGER PRIMARY KEY, ts INTEGER NOT NULL, value, quality INTEGER,
    received INTEGER, event TEXT);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

STORED: Final = "stored"

_HOUR: Final = DAY // 24
_SUSPECT: Final[int] = int(Quality.CLOCK_SUSPECT)
_device_of = attrgetter("device")


@dataclass(frozen=True)
class Retention:
    """What the embedded store keeps. Nanoseconds and bytes."""

    hot_for: int = _HOUR
    """Readings stay in the table for writing so long."""
    keep_for: int = 90 * DAY
    keep_bytes: int = 20 * 1024**3
    """The oldest readings go when the file's used pages exceed this."""
    slice_rows: int = 20_000
    """Rows moved in one step."""
    slice_time: int = 6 * _HOUR
    """History deleted in one step."""


class EmbeddedStore:
    """The writing side. Raises `StoreUnavailable` when the file cannot be opened."""

    name = "embedded"

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self.path = path
        self.limits = WriteLimits(readings=20_000)
        self.retention = retention or Retention()
        self._connection = open_writer(path)
        with transaction(self._connection):
            for statement in TABLES.split(";\n"):
                self._connection.execute(statement)
            self.books = Books(self._connection)
        self._sids: dict[tuple[str, str, type], int] = {}
        self._forget()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedded-store")

    async def write(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """See `ingest.stores.Store.write`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.write_now, batches, now)

    def set_site(self, site: Site) -> None:
        """The site changes nothing here: readings are kept by device."""

    async def tidy(self, now: int) -> bool:
        """Move one slice to the history, or delete one slice of it that is too old or too much."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.tidy_now, now)

    async def close(self) -> None:
        """Wait for the write under way and close the file."""
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()

    def write_now(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """`write`, in the calling thread; never from two threads."""
        hot: list[Any] = []
        newest: dict[int, tuple[Any, ...]] = {}
        try:
            with self.books.transaction():
                fresh: dict[BatchId, ReadingBatch] = {}
                for batch in batches:
                    if not self.books.is_done(batch.edge, batch.lane, batch.seq):
                        fresh.setdefault(BatchId(batch.edge, batch.lane, batch.seq), batch)
                for batch in fresh.values():
                    self._rows(batch, hot, newest)
                bulk.insert(self._connection, "INSERT OR REPLACE INTO hot", 6, hot)
                bulk.insert(
                    self._connection,
                    "INSERT INTO latest",
                    6,
                    [column for row in newest.values() for column in row],
                    "ON CONFLICT DO UPDATE SET ts = excluded.ts, value = excluded.value,"
                    " quality = excluded.quality, received = excluded.received, event = excluded.event"
                    " WHERE excluded.ts >= latest.ts",
                )
                self.books.record(
                    ((identity, stored_counts(batch)) for identity, batch in fresh.items()), now
                )
        except BaseException:
            self._forget()
            raise

    def tidy_now(self, now: int) -> bool:
        """`tidy`, in the calling thread; never from two threads."""
        with transaction(self._connection):
            moved = self._move(now - self.retention.hot_for)
            if moved:
                return True
            expired = self._expire(now)
        self._connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
        return expired

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _rows(self, batch: ReadingBatch, hot: list[Any], newest: dict[int, tuple[Any, ...]]) -> None:
        sids = self._sids
        for reading in batch.readings:
            value = reading.value
            sid = sids.get((reading.device, reading.point, type(value)))
            if sid is None:
                sid = self._new_series(reading.device, reading.point, type(value))
            quality = reading.quality
            row = (
                reading.time,
                sid,
                value,
                quality or None,
                reading.received if quality & _SUSPECT else None,
                reading.event or None,
            )
            hot += row
            known = newest.get(sid)
            if known is None or known[1] <= reading.time:
                newest[sid] = (sid, reading.time, *row[2:])

    def _new_series(self, device: str, point: str, kind: type) -> int:
        row = self._connection.execute(
            "INSERT INTO series (device, point, kind) VALUES (?, ?, ?)", (device, point, kind.__name__)
        )
        sid = self._sids[device, point, kind] = int(row.lastrowid or 0)
        return sid

    def _forget(self) -> None:
        """Know only the series that are in the file."""
        kinds = {kind.__name__: kind for kind in (bool, int, float, str)}
        self._sids = {
            (device, point, kinds[kind]): sid
            for sid, device, point, kind in self._connection.execute(
                "SELECT sid, device, point, kind FROM series"
            )
        }

    def _move(self, before: int) -> bool:
        (upto,) = self._connection.execute(
            "SELECT max(ts) FROM (SELECT ts FROM hot WHERE ts < ? ORDER BY ts LIMIT ?)",
            (before, self.retention.slice_rows),
        ).fetchone()
        if upto is None:
            return False
        (oldest,) = self._connection.execute("SELECT min(ts) FROM hot").fetchone()
        self._connection.execute(
            "INSERT OR REPLACE INTO history SELECT sid, ts, value, quality, received, event"
            " FROM hot WHERE ts <= ? ORDER BY sid, ts",
            (upto,),
        )
        self._connection.execute("DELETE FROM hot WHERE ts <= ?", (upto,))
        self._connection.execute(
            "INSERT INTO facts VALUES ('history_from', ?)"
            " ON CONFLICT DO UPDATE SET value = min(value, excluded.value)",
            (oldest,),
        )
        return True

    def _expire(self, now: int) -> bool:
        found = self._connection.execute("SELECT value FROM facts WHERE key = 'history_from'").fetchone()
        if found is None:
            return False
        begins = int(found[0])
        too_much = self.used_bytes() > self.retention.keep_bytes and begins < now - self.retention.hot_for
        limit = now if too_much else now - self.retention.keep_for
        if begins >= limit:
            return False
        begins = min(begins + self.retention.slice_time, limit)
        gone = self._connection.execute(
            "DELETE FROM history WHERE sid IN (SELECT sid FROM series) AND ts < ?", (begins,)
        ).rowcount
        self._connection.execute("UPDATE facts SET value = ? WHERE key = 'history_from'", (begins,))
        self._connection.execute(
            "INSERT INTO facts VALUES ('expired', ?)"
            " ON CONFLICT DO UPDATE SET value = value + excluded.value",
            (gone,),
        )
        return True


def stored_counts(batch: ReadingBatch) -> list[Count]:
    """The readings of a batch by device, as the books of a store have them."""
    return [Count("", device, STORED, n) for device, n in Counter(map(_device_of, batch.readings)).items()]
