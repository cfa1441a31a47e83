"""A day of the reference community in a real InfluxDB, told as the gateway tells it."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.boards import build
from dashboards.context import Context, Source
from dashboards.expansion import View, variables
from gateway.api.showing import Showing
from gateway.api.views import Views
from gateway.chronicle.service import Chronicler
from gateway.freshness import Freshness
from gateway.live import LiveFeed
from gateway.measured import Measured
from gateway.metrics import StatusCollector
from gateway.rates import Rates
from gateway.status import Part, Status, always
from ingest.stores.influx_client import InfluxClient, InfluxSettings
from ingest.stores.influx_reader import InfluxHistory
from ingest.stores.influx_rollup import LEVELS, RollUp
from ingest.stores.influx_setup import make_database
from ingest.stores.line_protocol import LineEncoder
from readings import Reading
from readings.lanes import Lane
from tests.conftest import ServerProcess, influx_query, influxdb
from tests.dashboards.day import HOUR, Day, live
from tests.gateway.conftest import SilentIngest, StillQueues

DATABASE = "binhu"
_LINES = 5_000
_HIDDEN = {"policy": "policy", "class": "value"}
"""Variables that nobody chooses, and the column that has their value."""


@dataclass
class Told:
    """A day in an InfluxDB."""

    day: Day
    server: ServerProcess

    def series(self, query: str) -> list[dict[str, Any]]:
        """InfluxDB's answer to Grafana's user, who may only read; "now" is the end of the day."""
        query = query.replace("now()", f"{self.day.end}ns")
        (result,) = influx_query(self.server, query, user="grafana", password="only-reads", database=DATABASE)
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Rows with their tags."""
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in self.series(query)
            for values in series["values"]
        ]

    def view(self, document: Mapping[str, Any], hours: float = 24, **chosen: Sequence[str]) -> View:
        """Somebody looks at a dashboard with these variables; the others are "all"."""
        end = self.day.end // 1_000_000
        start = end - round(hours * 3_600_000)
        every = {name: one.get("allValue") or "" for name, one in variables(document)}
        values = {**chosen}
        for name, variable in variables(document):
            if name in _HIDDEN:
                found = self.ask(View(start, end, values, every).fill(variable["query"]))
                values[name] = [row[_HIDDEN[name]] for row in found]
        return View(start, end, values, every)


def document(board: str, language: str = "zh-CN", **more: Any) -> dict[str, Any]:
    """A dashboard's JSON."""
    context = Context(language, Source(database=DATABASE), console="https://console.example", **more)
    made: dict[str, Any] = json.loads(json.dumps(build(board, context), cls=JSONEncoder))
    return made


BEFORE: Sequence[int] = (HOUR, HOUR // 2, 0)


@contextmanager
def told_day(folder: Path, end: int, before: Sequence[int] = BEFORE) -> Iterator[Told]:
    """The 24 hours up to `end` (ns since 1970 UTC), as long as somebody asks; files are in `folder`.

    The gateway told about itself so long `before` the end (ns), the longest first.
    """
    with told_of(live(folder, end), folder, before) as told:
        yield told


@contextmanager
def told_of(day: Day, folder: Path, before: Sequence[int] = BEFORE) -> Iterator[Told]:
    """The same of a day that was lived already; its store is closed afterwards."""
    with influxdb(folder / "influx") as server:
        asyncio.run(_tell(day, server, folder, [day.end - one for one in before]))
        influx_query(
            server, f"CREATE USER grafana WITH PASSWORD 'only-reads'; GRANT READ ON {DATABASE} TO grafana"
        )
        yield Told(day, server)
    day.store.close()


async def _tell(day: Day, server: ServerProcess, folder: Path, moments: Sequence[int]) -> None:
    client = InfluxClient(InfluxSettings(server.url, DATABASE, "admin", "secret"))
    await make_database(client)
    told = LineEncoder(day.site).lines(day.spoken)
    for at in range(0, len(told), _LINES):
        await client.write(b"\n".join(told[at : at + _LINES]))
    rollup = RollUp(client, day.site)
    for level in LEVELS:
        first = day.start // level.width * level.width
        await rollup.make(level, (first, (day.end - first) // level.width + 1))
    history = InfluxHistory(client.settings, day.site)
    freshness, rates = Freshness({}), Rates()
    status = Status(
        [Part("message bus", lambda: None, vital=always)],
        StillQueues(),  # type: ignore[arg-type]  # the bus has tests of its own
        SilentIngest(),  # type: ignore[arg-type]  # and so has ingest
        history,
        freshness,
        rates,
        data=folder,
        edges=None,
        started=day.start,
        version="1",
    )
    now = [day.start]
    views = Views(
        Showing(day.site, day.rules), day.store, history, freshness, LiveFeed(1), status,
        None, None, None, None, folder, "1", revision="r", clock=lambda: now[0],  # type: ignore[arg-type]
    )  # fmt: skip
    for moment in moments:
        heard = [reading for reading in day.spoken if now[0] < reading.time <= moment]
        freshness.take(heard)
        for reading in heard:
            rates.count("ruled", _lane(day, reading), 1, reading.time)
        now[0] = moment
        views.overview.forget()
        measured = Measured(views)
        await Chronicler(
            client, day.store, views, StatusCollector(status, measured), measured, lambda: now[0]
        ).look()
    await history.close()
    await client.close()


def _lane(day: Day, reading: Reading) -> Lane:
    kind = day.site.type_of(day.site.devices[reading.device])
    return next(point.lane for point in kind.points if point.name == reading.point)
