"""A real InfluxDB 1.6.7 that holds a day of the reference community."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
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
from readings.lanes import Lane
from tests.conftest import ServerProcess, influx_query, influxdb
from tests.dashboards.day import HOUR, Day, live
from tests.gateway.conftest import SilentIngest, StillQueues

DATABASE = "binhu"
_LINES = 5_000


@dataclass
class Told:
    """A day in an InfluxDB."""

    day: Day
    server: ServerProcess

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Rows with their tags, as Grafana's user may read them; "now" is the end of the day."""
        query = query.replace("now()", f"{self.day.end}ns")
        (result,) = influx_query(self.server, query, user="grafana", password="only-reads", database=DATABASE)
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in result.get("series", ())
            for values in series["values"]
        ]

    def view(self, document: Mapping[str, Any], hours: float = 24, **chosen: Sequence[str]) -> View:
        """Somebody looks at a dashboard with these variables; the others are "all"."""
        end = self.day.end // 1_000_000
        start = end - round(hours * 3_600_000)
        every = {name: one.get("allValue") or "" for name, one in variables(document)}
        policy = next((one for name, one in variables(document) if name == "policy"), None)
        values = {**chosen}
        if policy is not None:
            (found,) = self.ask(View(start, end).fill(policy["query"]))
            values["policy"] = [found["policy"]]
        return View(start, end, values, every)


def document(board: str, language: str = "zh-CN", **more: Any) -> dict[str, Any]:
    """A dashboard's JSON."""
    context = Context(language, Source(database=DATABASE), console="https://console.example", **more)
    made: dict[str, Any] = json.loads(json.dumps(build(board, context), cls=JSONEncoder))
    return made


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The day that ends now."""
    folder = tmp_path_factory.mktemp("day")
    day = live(folder, time.time_ns())
    with influxdb(folder / "influx") as server:
        asyncio.run(_tell(day, server, folder))
        influx_query(
            server, f"CREATE USER grafana WITH PASSWORD 'only-reads'; GRANT READ ON {DATABASE} TO grafana"
        )
        yield Told(day, server)
    day.store.close()


async def _tell(day: Day, server: ServerProcess, folder: Path) -> None:
    client = InfluxClient(InfluxSettings(server.url, DATABASE, "admin", "secret"))
    await make_database(client)
    told = LineEncoder(day.site).lines(day.spoken)
    for at in range(0, len(told), _LINES):
        await client.write("\n".join(told[at : at + _LINES]).encode())
    rollup = RollUp(client, day.site)
    for level in LEVELS:
        first = day.start // level.width * level.width
        await rollup.make(level, (first, (day.end - first) // level.width + 1))
    history = InfluxHistory(client.settings, day.site)
    last = {reading.device: reading.time for reading in day.spoken}
    freshness, rates = Freshness(last), Rates()
    for back in range(20):
        rates.count("ruled", Lane.ALARM, 7, day.end - back * 1_000_000_000)
    status = Status(
        [Part("message bus", lambda: None, vital=always)],
        StillQueues(),  # type: ignore[arg-type]
        SilentIngest(),  # type: ignore[arg-type]
        history,
        freshness,
        rates,
        data=folder,
        edges=None,
        started=day.start,
        version="1",
    )
    at = [day.end - HOUR]
    views = Views(
        Showing(day.site, day.rules), day.store, history, freshness, LiveFeed(1), status,
        None, None, None, None, folder, "1", revision="r", clock=lambda: at[0],  # type: ignore[arg-type]
    )  # fmt: skip
    for moment in (day.end - HOUR, day.end - HOUR // 2, day.end):
        at[0] = moment
        views.overview.forget()
        measured = Measured(views)
        await Chronicler(
            client, day.store, views, StatusCollector(status, measured), measured, lambda: at[0]
        ).look()
    await history.close()
    await client.close()
