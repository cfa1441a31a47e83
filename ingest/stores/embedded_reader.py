"""Questions to the embedded store, on read-only connections beside the writer."""

import asyncio
import json
import math
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from ingest.database import StoreUnavailable, open_reader
from ingest.stores import ROWS, Bucket, LatestRow, Row, Series, bucket_width
from readings import Quality, Scalar

_Result = TypeVar("_Result")

# A move from hot to history is one transaction, so no reading is in both.
_ROWS: Final = """
SELECT sid, ts, value, quality, received, event FROM (
    SELECT sid, ts, value, quality, received, event FROM hot
        WHERE ts >= :start AND ts < :end AND sid IN (SELECT value FROM json_each(:sids))
    UNION ALL
    SELECT sid, ts, value, quality, received, event FROM history
        WHERE sid IN (SELECT value FROM json_each(:sids)) AND ts >= :start AND ts < :end
) ORDER BY ts LIMIT :limit
"""
_BUCKETS: Final = """
SELECT (ts - :start) / :width AS number, count(value), min(value), max(value), avg(value) FROM (
    SELECT ts, value FROM hot
        WHERE ts >= :start AND ts < :end AND sid IN (SELECT value FROM json_each(:sids))
    UNION ALL
    SELECT ts, value FROM history
        WHERE sid IN (SELECT value FROM json_each(:sids)) AND ts >= :start AND ts < :end
) WHERE value IS NOT NULL GROUP BY number ORDER BY number
"""
_LATEST: Final = """
SELECT device, point, kind, ts, value, quality, received, event FROM series JOIN latest USING (sid)
    WHERE device IN (SELECT value FROM json_each(?))
"""
_COUNTS: Final = """
SELECT device, point, sum(n) FROM (
    SELECT sid, count(*) AS n FROM hot WHERE ts >= :start AND ts < :end GROUP BY sid
    UNION ALL
    SELECT sid, count(*) FROM history WHERE ts >= :start AND ts < :end GROUP BY sid
) JOIN series USING (sid) GROUP BY device, point
"""


class EmbeddedHistory:
    """The reading side of an `EmbeddedStore` at `path`; see `ingest.stores.History`."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self.path = path
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="embedded-history")
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []

    async def latest(self, devices: Sequence[str]) -> list[LatestRow]:
        """The newest reading of every series of the devices."""
        return await self._run(lambda connection: _latest(connection, devices))

    async def series(
        self,
        device: str,
        point: str,
        start: int,
        end: int,
        *,
        buckets: int | None = None,
        limit: int = ROWS,
    ) -> Series:
        """The readings with ``start <= time < end``, or about `buckets` summaries of them."""
        return await self._run(
            lambda connection: _series(connection, device, point, start, end, buckets, limit)
        )

    async def counts(self, start: int, end: int) -> Mapping[tuple[str, str], int]:
        """Stored readings per (device, point)."""
        return await self._run(lambda connection: _counts(connection, start, end))

    async def close(self) -> None:
        """Wait for the questions under way and close the file."""
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._open:
            connection.close()

    async def _run(self, question: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    def _ask(self, question: Callable[[sqlite3.Connection], _Result]) -> _Result:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_reader(self.path)
            self._open.append(connection)
        try:
            return question(connection)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from error


def _latest(connection: sqlite3.Connection, devices: Sequence[str]) -> list[LatestRow]:
    newest: dict[tuple[str, str], Row] = {}
    for device, point, kind, *columns in connection.execute(_LATEST, (json.dumps([*devices]),)):
        row = _row(kind, *columns)
        known = newest.get((device, point))
        if known is None or known.time <= row.time:  # a series whose kind changed has two rows
            newest[device, point] = row
    return [LatestRow(device, point, row) for (device, point), row in sorted(newest.items())]


def _series(
    connection: sqlite3.Connection,
    device: str,
    point: str,
    start: int,
    end: int,
    buckets: int | None,
    limit: int,
) -> Series:
    kinds = dict(
        connection.execute("SELECT sid, kind FROM series WHERE device = ? AND point = ?", (device, point))
    )
    values: dict[str, Any] = {"start": start, "end": end, "sids": json.dumps([*kinds])}
    if buckets is None or "str" in kinds.values():
        rows = connection.execute(_ROWS, {**values, "limit": limit + 1}).fetchall()
        found = tuple(_row(kinds[sid], *columns) for sid, *columns in rows[:limit])
        return Series(rows=found, cut=len(rows) > limit)
    width = bucket_width(start, end, buckets)
    return Series(
        buckets=tuple(
            Bucket(start + number * width, count, float(low), float(high), mean)
            for number, count, low, high, mean in connection.execute(_BUCKETS, {**values, "width": width})
        ),
        width=width,
    )


def _counts(connection: sqlite3.Connection, start: int, end: int) -> dict[tuple[str, str], int]:
    rows = connection.execute(_COUNTS, {"start": start, "end": end})
    return {(device, point): n for device, point, n in rows}


def _row(kind: str, ts: int, value: Any, quality: int | None, received: int | None, event: str | None) -> Row:
    return Row(ts, _value(kind, value), quality or int(Quality.GOOD), received, event or "")


def _value(kind: str, value: Any) -> Scalar:
    """SQLite keeps a switch as 0 or 1 and NaN as NULL; the series knows what it was."""
    if value is None:
        return math.nan
    if kind == "bool":
        return bool(value)
    if kind == "float":
        return float(value)
    return int(value) if kind == "int" else str(value)
