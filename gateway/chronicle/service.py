"""Keeps InfluxDB's alarms, cases, directory and gauges as they are here.

Where it has come to is a point in InfluxDB itself, so a new or emptied database gets everything again, and
so does one that knows more than the operations database (which was put back from a backup then). While
InfluxDB is away, alarms and cases wait where they are anyway; gauges of that time are missing.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from cases.store import OperationsStore
from cases.store import StoreUnavailable as OperationsUnavailable
from gateway.api.problems import ApiError
from gateway.api.views import Views
from gateway.chronicle import lines
from gateway.measured import Measured
from gateway.metrics import StatusCollector
from ingest.database import StoreUnavailable
from ingest.stores.influx_client import UNREADABLE, DatabaseMissing, InfluxClient, QueryFailed, identifier
from ingest.stores.influx_setup import make_database
from ingest.stores.influx_sift import LineWriter
from ingest.stores.line_protocol import line
from language import N_, Message
from readings import Scalar
from readings.measurements import CHRONICLE, DEVICE, GRID, RECORDS

LOOK_SECONDS: Final = 1.0
GAUGE_SECONDS: Final = 30.0
WHOLE_SECONDS: Final = 600.0
"""So often every grid is told, also those where nothing changed: a chart of the last hour has all of them."""
RETRY_SECONDS: Final = 5.0
FAILED_SECONDS: Final = 60.0
FAILED: Final = N_("alarms and cases cannot be written: {reason}")
_CHANGES: Final = 500
_LINES: Final = 5_000
_TIMELESS: Final = 0
"""The time of points that are not about a moment."""

Clock = Callable[[], int]
Entry = tuple[str, tuple[tuple[str, str], ...]]
"""Measurement and tags."""

log = structlog.get_logger()


class Chronicler:
    """Writes the chronicle. `trouble` says why it cannot just now."""

    def __init__(
        self,
        client: InfluxClient,
        store: OperationsStore,
        views: Views,
        collector: StatusCollector,
        measured: Measured,
        clock: Clock = time.time_ns,
    ) -> None:
        self._client = client
        self._writer = LineWriter(client, _LINES)
        self._store = store
        self._views = views
        self._collector = collector
        self._measured = measured
        self._clock = clock
        self._records = f"{identifier(client.settings.database)}.{identifier(RECORDS)}"
        self._position: int | None = None
        self._site: object = None
        self._tiles: dict[str, object] = {}
        self._gauged = self._told_whole = 0.0
        self.trouble: Message | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            wait = LOOK_SECONDS
            try:
                await self.look()
                self.trouble = None
            except DatabaseMissing as error:
                self.trouble, wait = error.message, await self._make_database()
            except StoreUnavailable as error:
                self.trouble, wait = error.message, error.retry_after or RETRY_SECONDS
            except (OperationsUnavailable, ApiError) as error:
                log.info("chronicle postponed", reason=str(error))
                wait = RETRY_SECONDS
            except Exception as error:  # a mistake in what charts show must never end the rules beside it
                log.exception("chronicle failed")
                self.trouble, wait = Message(FAILED, {"reason": repr(error)}), FAILED_SECONDS
            await asyncio.sleep(wait)

    async def look(self) -> None:
        """Write what has changed; raises `StoreUnavailable`."""
        if self._position is None:
            self._position = await self._found_position()
        site = self._views.showing.site
        if self._site is not site:
            await self._tell_directory()
            self._site = site
        while await self._tell_changes():
            pass
        loop = asyncio.get_running_loop()
        if loop.time() - self._gauged >= GAUGE_SECONDS or not self._gauged:
            await self._tell_gauges()
            self._gauged = loop.time()

    async def _make_database(self) -> float:
        try:
            await make_database(self._client)
        except (StoreUnavailable, QueryFailed):
            return RETRY_SECONDS
        return 0.0

    async def _found_position(self) -> int:
        point = f"{self._records}.{identifier(CHRONICLE)}"
        (result,) = await self._ask(f'SELECT last("position") FROM {point}')  # noqa: S608
        found = [row[1] for one in result.get("series", ()) for row in one["values"]]
        last = await asyncio.to_thread(self._last_change)
        return int(found[0]) if found and found[0] <= last else 0

    def _last_change(self) -> int:
        with self._store.reading() as ask:
            return ask.last_change()

    async def _tell_changes(self) -> bool:
        """One portion of alarms and cases; False when there is nothing more."""
        after = self._position or 0
        found = await asyncio.to_thread(self._changed, after)
        if found is None:
            return False
        upto, told = found
        await self._write(told)
        await self._write([line(CHRONICLE, {}, {"position": upto}, _TIMELESS)])
        self._position = upto
        return True

    def _changed(self, after: int) -> tuple[int, list[str]] | None:
        site, names, now = self._views.showing.site, self._views.showing.names, self._clock()
        with self._store.reading() as ask:
            changed = ask.changed_after(after, _CHANGES)
        if changed is None:
            return None
        alarms = [lines.alarm_line(alarm, site, names) for alarm in changed.alarms]
        return changed.upto, alarms + [lines.case_line(case, site, names, now) for case in changed.cases]

    async def _tell_directory(self) -> None:
        showing = self._views.showing
        entries = {
            (measurement, tuple(sorted((name, text) for name, text in tags.items() if text))): fields
            for measurement, tags, fields in lines.directory(showing.site, showing.names)
        }
        told = [self._directory_line(entry, fields) for entry, fields in entries.items()]
        gone = await self._known() - entries.keys()
        await self._write(told + [self._directory_line(entry, {"active": 0}) for entry in gone])

    def _directory_line(self, entry: Entry, fields: Mapping[str, Scalar]) -> str:
        measurement, tags = entry
        return line(measurement, dict(tags), fields, _TIMELESS)

    async def _known(self) -> set[Entry]:
        """What InfluxDB's directory has as present."""
        found: set[Entry] = set()
        for measurement in (GRID, DEVICE):
            table = f"{self._records}.{identifier(measurement)}"
            present = f'SELECT "active" FROM {table} WHERE "active" = 1 GROUP BY *'  # noqa: S608
            (result,) = await self._ask(present)
            for one in result.get("series", ()):
                tags = sorted((name, text) for name, text in one["tags"].items() if text)
                found.add((measurement, tuple(tags)))
        return found

    async def _tell_gauges(self) -> None:
        await self._measured.refresh()
        overview = await self._views.overview.show()
        now, loop, site = self._clock(), asyncio.get_running_loop(), self._views.showing.site
        whole = not self._told_whole or loop.time() - self._told_whole >= WHOLE_SECONDS
        told = [
            lines.grid_line(tile, site, now)
            for tile in overview.tiles
            if tile.grid in site.grids and (whole or self._tiles.get(tile.grid) != tile)
        ]
        told += lines.gauge_lines(self._collector.collect(), now)
        await self._write(told, policy="")
        self._tiles = {tile.grid: tile for tile in overview.tiles}
        if whole:
            self._told_whole = loop.time()

    async def _write(self, told: Sequence[str], policy: str = RECORDS) -> None:
        refused = await self._writer.write([one.encode() for one in told], policy)
        for at, why in refused.items():
            log.warning("InfluxDB refuses a record", record=told[at], reason=why)

    async def _ask(self, statement: str) -> list[dict[str, Any]]:
        try:
            return await self._client.query(statement)
        except QueryFailed as error:
            raise StoreUnavailable(str(error)) from error
        except UNREADABLE as error:
            raise self._client.unreadable(error) from error
