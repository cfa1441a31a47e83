"""The embedded store: one SQLite file that takes what a community sends, without a database server.

Readings arrive in order of time, so they go into ``hot``, keyed by (time, series): every write lands at
the end of the tree (keyed by series first, writing is 8 times slower). Questions come by series, so
after an hour they move on to ``history``, keyed by (series, time), and away when they are too old or too
much (`ingest.stores.embedded_ageing`). ``latest`` holds the newest reading of each series. The books are
committed with the readings.

A series is one point of one device that came on one lane of one edge, with values of one kind.

One connection in one thread writes; readers (`ingest.stores.embedded_reader`) open the file read-only.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from ingest import bulk
from ingest.books import Books
from ingest.database import BUSY_TIMEOUT, as_unavailable, open_writer, transaction
from ingest.normaliser import EXPIRED, Count
from ingest.sequences import BatchId
from ingest.stores import WriteLimits, embedded_ageing
from ingest.stores.embedded_ageing import Retention
from readings import Quality, Reading, ReadingBatch
from registry.site import Site

TABLES: Final = """
CREATE TABLE IF NOT EXISTS series (sid INTEGER PRIMARY KEY, edge TEXT NOT NULL, lane TEXT NOT NULL,
    device TEXT NOT NULL, point TEXT NOT NULL, kind TEXT NOT NULL, expired INTEGER NOT NULL DEFAULT 0,
    UNIQUE (device, point, kind, edge, lane));
CREATE TABLE IF NOT EXISTS hot (ts INTEGER, sid INTEGER, value, quality INTEGER, received INTEGER,
    event TEXT, PRIMARY KEY (ts, sid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (sid INTEGER, ts INTEGER, value, quality INTEGER, received INTEGER,
    event TEXT, PRIMARY KEY (sid, ts)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (sid INTEGER PRIMARY KEY, ts INTEGER NOT NULL, value, quality INTEGER,
    received INTEGER, event TEXT);
"""

__all__ = ["STORED", "EmbeddedStore", "Retention", "let_go", "stored_counts"]

STORED: Final = "stored"

_BUSY: Final = 200
"""Milliseconds that emptying the journal waits for readers, before it is twice as large as it should be …"""
_VERY_BUSY: Final = 5_000
"""… and from then on: what is to be written waits on the bus, which has more room than we."""
_PER_SERIES: Final = 16
_SLICES: Final = 2
"""Deleted at most after one write."""
_PLAIN: Final = "(ts, sid, value)"
_ALL: Final = "(ts, sid, value, quality, received, event)"
_SUSPECT: Final[int] = int(Quality.CLOCK_SUSPECT)
_device_of = attrgetter("device")


class EmbeddedStore:
    """The writing side. Raises `StoreUnavailable` when the file cannot be opened."""

    name = "embedded"

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self.path = path
        self.retention = retention or Retention()
        self.limits = WriteLimits(readings=self.retention.write_readings)
        self._connection = open_writer(path)
        with transaction(self._connection):
            _upgrade(self._connection)
            for statement in (TABLES + embedded_ageing.TABLES).split(";\n"):
                self._connection.execute(statement)
            self.books = Books(self._connection)
        self._connection.execute(f"PRAGMA journal_size_limit = {self.retention.journal_bytes}")
        self._journal = path.with_name(f"{path.name}-wal")
        self._sids: dict[tuple[str, str], dict[tuple[str, str, type], int]] = {}
        """Numbers of series by (edge, lane), then by (device, point, kind)."""
        self._forget()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedded-store")

    async def write(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """See `ingest.stores.Store.write`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.write_now, batches, now)

    async def let_go(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """See `ingest.stores.Store.let_go`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, let_go, self.books, batches, now)

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
        rows = _Rows()
        try:
            with self.books.transaction():
                fresh: dict[BatchId, ReadingBatch] = {}
                for batch in batches:
                    if not self.books.is_done(batch.edge, batch.lane, batch.seq):
                        fresh.setdefault(BatchId(batch.edge, batch.lane, batch.seq), batch)
                for batch in fresh.values():
                    self._add(batch, rows)
                rows.write(self._connection)
                self.books.record(
                    ((identity, stored_counts(batch)) for identity, batch in fresh.items()), now
                )
        except BaseException:
            self._forget()
            raise
        self._make_room(now)

    def tidy_now(self, now: int) -> bool:
        """`tidy`, in the calling thread; never from two threads."""
        retention = self.retention
        with transaction(self._connection):
            hot_for = min(retention.hot_for, retention.keep_for)
            more = embedded_ageing.move(self._connection, now - hot_for, self._slice(), retention.slice_time)
            more = more or embedded_ageing.expire(self._connection, now - retention.keep_for)
        more = self._make_room(now) or more
        with as_unavailable():
            self._connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
        return more

    def _make_room(self, now: int) -> bool:
        """Let the oldest go while the file holds too much; True when it still does."""
        retention = self.retention
        for _ in range(_SLICES):
            if self.used_bytes() <= retention.used_bytes:
                break
            with transaction(self._connection):
                if not embedded_ageing.expire_oldest(self._connection, now, self._slice()):
                    return False
        journal = self._journal.stat().st_size
        if journal > retention.journal_bytes:
            patience = _VERY_BUSY if journal > 2 * retention.journal_bytes else _BUSY
            with as_unavailable():
                self._connection.execute(f"PRAGMA busy_timeout = {patience}")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")
        return self.used_bytes() > retention.used_bytes

    def _slice(self) -> int:
        """Readings of a slice: some of every series, because each series is on pages of its own."""
        return max(self.retention.slice_readings, _PER_SERIES * sum(map(len, self._sids.values())))

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        with as_unavailable():
            pages, free, size = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    def _add(self, batch: ReadingBatch, rows: "_Rows") -> None:
        sids = self._sids.setdefault((batch.edge, str(batch.lane)), {})
        for reading in batch.readings:
            value = reading.value
            sid = sids.get((reading.device, reading.point, type(value)))
            if sid is None:
                sid = self._new_series(batch, reading)
                sids[reading.device, reading.point, type(value)] = sid
            rows.add(sid, reading)

    def _new_series(self, batch: ReadingBatch, reading: Reading) -> int:
        row = self._connection.execute(
            "INSERT INTO series (edge, lane, device, point, kind) VALUES (?, ?, ?, ?, ?)",
            (batch.edge, str(batch.lane), reading.device, reading.point, type(reading.value).__name__),
        )
        return int(row.lastrowid or 0)

    def _forget(self) -> None:
        """Know only the series that are in the file."""
        kinds = {kind.__name__: kind for kind in (bool, int, float, str)}
        self._sids = {}
        for sid, edge, lane, device, point, kind in self._connection.execute(
            "SELECT sid, edge, lane, device, point, kind FROM series"
        ):
            self._sids.setdefault((edge, lane), {})[device, point, kinds[kind]] = sid


class _Rows:
    """The rows of one write. Nearly all are plain (good, no event): three columns instead of six, which is
    a third of the work."""

    def __init__(self) -> None:
        self._plain: list[Any] = []
        """ts, sid, value, ts, sid, value …"""
        self._marked: dict[tuple[int, int], tuple[Any, ...]] = {}
        """By (ts, sid): (ts, sid, value, quality, received, event). They are written after the plain ones."""
        self._newest: dict[int, tuple[Any, ...]] = {}
        """By sid: (ts, sid, value), or a marked row."""

    def add(self, sid: int, reading: Reading) -> None:
        """Take a reading; of those with the same series and time the last one stays."""
        time, quality = reading.time, reading.quality
        row: tuple[Any, ...] = (time, sid, reading.value)
        if quality or reading.event or (self._marked and (time, sid) in self._marked):
            row += (
                quality or None,
                reading.received if quality & _SUSPECT else None,
                reading.event or None,
            )
            self._marked[time, sid] = row
        else:
            self._plain += row
        known = self._newest.get(sid)
        if known is None or known[0] <= time:
            self._newest[sid] = row

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert them; raises `sqlite3.Error`."""
        for columns, width, rows in (
            (_PLAIN, 3, self._plain),
            (_ALL, 6, [*chain.from_iterable(self._marked.values())]),
        ):
            bulk.insert(connection, f"INSERT OR REPLACE INTO hot {columns}", width, rows)
            newest = (row for row in self._newest.values() if len(row) == width)
            bulk.insert(
                connection,
                f"INSERT INTO latest {columns}",
                width,
                [*chain.from_iterable(newest)],
                "ON CONFLICT DO UPDATE SET ts = excluded.ts, value = excluded.value,"
                " quality = excluded.quality, received = excluded.received, event = excluded.event"
                " WHERE excluded.ts >= latest.ts",
            )


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file on whose series had no edge and lane up to date: what is in it has none."""
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(series)")]
    if not columns or "edge" in columns:
        return
    connection.execute("ALTER TABLE series RENAME TO series_before")
    for statement in (TABLES + embedded_ageing.TABLES).split(";\n"):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO series (sid, edge, lane, device, point, kind)"
        " SELECT sid, '', '', device, point, kind FROM series_before"
    )
    connection.execute("INSERT INTO slices SELECT max(ts), count(*) FROM history HAVING count(*) > 0")
    connection.execute("DROP TABLE series_before")
    connection.execute("DROP TABLE facts")


def let_go(books: Books, batches: Sequence[ReadingBatch], now: int) -> None:
    """Note batches as done that were not kept; raises `StoreUnavailable`."""
    with books.transaction():
        fresh = {
            BatchId(batch.edge, batch.lane, batch.seq): batch
            for batch in batches
            if not books.is_done(batch.edge, batch.lane, batch.seq)
        }
        books.record(((identity, _counts(batch, EXPIRED)) for identity, batch in fresh.items()), now)


def stored_counts(batch: ReadingBatch) -> list[Count]:
    """The readings of a batch by device, as the books of a store have them."""
    return _counts(batch, STORED)


def _counts(batch: ReadingBatch, outcome: str) -> list[Count]:
    return [Count("", device, outcome, n) for device, n in Counter(map(_device_of, batch.readings)).items()]
