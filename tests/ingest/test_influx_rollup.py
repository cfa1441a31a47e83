"""Roll-ups in a real InfluxDB: exact, and made again when something comes late."""

import math
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.database import StoreUnavailable
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_client import InfluxClient, InfluxSettings, NoAnswer
from ingest.stores.influx_reader import InfluxHistory
from ingest.stores.influx_rollup import LEVELS, RollUp
from ingest.stores.influx_setup import make_database
from language import Message
from readings import Lane, Reading, ReadingBatch, Scalar
from registry.site import Site
from tests.conftest import ServerProcess, influx_query
from tests.ingest.world import NOW, SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BEGIN = NOW // HOUR * HOUR
"""A full hour."""
LATER = BEGIN + 3 * HOUR


@pytest.fixture
async def store(influx_server: ServerProcess, site: Site, tmp_path: Path) -> AsyncIterator[InfluxStore]:
    settings = InfluxSettings(influx_server.url, "gw", "admin", "secret")
    client = InfluxClient(settings)
    await make_database(client)
    await client.close()
    store = InfluxStore(settings, site, tmp_path / "influx.db")
    yield store
    await store.close()


def temperature(seq: int, *values: tuple[int, float], device: str = "climate-1") -> ReadingBatch:
    readings = tuple(Reading(device, "temperature", value, at, at, at) for at, value in values)
    return ReadingBatch("edge-1", Lane.TELEMETRY, seq, readings)


def rolled(server: ServerProcess, policy: str, measurement: str, point: str) -> dict[tuple[int, str], float]:
    """Values by time (in minutes since `BEGIN`) and statistic."""
    (result,) = influx_query(server, f'SELECT "{point}" FROM gw."{policy}"."{measurement}" GROUP BY "stat"')
    return {
        ((row[0] - BEGIN) // MINUTE, series["tags"]["stat"]): row[1]
        for series in result.get("series", ())
        for row in series["values"]
    }


async def settle(store: InfluxStore, now: int = LATER) -> int:
    steps = 0
    while await store.tidy(now):
        steps += 1
    return steps


async def test_a_minute_and_an_hour_hold_extremes_sum_and_number(
    store: InfluxStore, influx_server: ServerProcess
) -> None:
    values = [(BEGIN + 1, 20.0), (BEGIN + 30 * SECOND, 74.5), (BEGIN + 59 * SECOND, 21.0)]
    values += [(BEGIN + MINUTE, 3.0), (BEGIN + 59 * MINUTE, -5.0)]
    await store.write([temperature(1, *values)], BEGIN)
    await settle(store)
    assert rolled(influx_server, "minute", "environment", "temperature") == {
        (0, "count"): 3, (0, "min"): 20, (0, "max"): 74.5, (0, "sum"): 115.5,
        (1, "count"): 1, (1, "min"): 3, (1, "max"): 3, (1, "sum"): 3,
        (59, "count"): 1, (59, "min"): -5, (59, "max"): -5, (59, "sum"): -5,
    }  # fmt: skip
    assert rolled(influx_server, "hour", "environment", "temperature") == {
        (0, "count"): 5, (0, "min"): -5, (0, "max"): 74.5, (0, "sum"): 113.5,
    }  # fmt: skip


async def test_what_comes_after_an_outage_is_in_the_roll_up(
    store: InfluxStore, influx_server: ServerProcess
) -> None:
    await store.write([temperature(1, (BEGIN, 20.0))], BEGIN)
    await settle(store)
    await store.write([temperature(2, (BEGIN + SECOND, 80.0))], LATER)
    assert rolled(influx_server, "minute", "environment", "temperature")[0, "max"] == 20
    assert await settle(store, LATER + 30 * SECOND) == 0  # more may be coming
    await settle(store, LATER + HOUR)
    assert rolled(influx_server, "minute", "environment", "temperature")[0, "max"] == 80
    assert rolled(influx_server, "hour", "environment", "temperature")[0, "count"] == 2


async def test_a_window_that_is_not_over_waits(store: InfluxStore, influx_server: ServerProcess) -> None:
    await store.write([temperature(1, (BEGIN, 20.0))], BEGIN)
    assert await settle(store, BEGIN + MINUTE) == 0
    assert await settle(store, BEGIN + 3 * MINUTE) == 0, "its neighbours are waited for"
    assert await settle(store, BEGIN + 7 * MINUTE) == 1
    assert rolled(influx_server, "hour", "environment", "temperature") == {}


async def test_minutes_that_follow_each_other_are_asked_for_together(
    store: InfluxStore, influx_server: ServerProcess
) -> None:
    await store.write([temperature(1, *((BEGIN + n * MINUTE, 20.0) for n in range(5)))], BEGIN)
    assert await settle(store, BEGIN + 5 * MINUTE) == 0
    assert await settle(store, BEGIN + 6 * MINUTE) == 1
    assert len(rolled(influx_server, "minute", "environment", "temperature")) == 5 * 4


async def test_switches_count_as_one_and_zero_and_words_not_at_all(
    store: InfluxStore, influx_server: ServerProcess
) -> None:
    said = [
        Reading("smoke-1", "smoke", value, BEGIN + n * SECOND, BEGIN, BEGIN)
        for n, value in enumerate((False, True, True, False))
    ]
    said.append(Reading("door-1", "action", "granted", BEGIN, BEGIN, BEGIN))
    said.append(Reading("smoke-1", "battery", math.nan, BEGIN, BEGIN, BEGIN))
    await store.write([ReadingBatch("edge-1", Lane.ALARM, 1, tuple(said))], BEGIN)
    await settle(store)
    assert rolled(influx_server, "minute", "smoke", "smoke") == {
        (0, "count"): 4, (0, "min"): 0, (0, "max"): 1, (0, "sum"): 2,
    }  # fmt: skip
    assert rolled(influx_server, "minute", "smoke", "battery") == {}
    assert rolled(influx_server, "minute", "door", "action") == {}


async def test_a_restart_forgets_no_window(
    store: InfluxStore, site: Site, tmp_path: Path, influx_server: ServerProcess
) -> None:
    await store.write([temperature(1, (BEGIN, 20.0))], BEGIN)
    again = InfluxStore(store._client.settings, site, tmp_path / "influx.db")
    await settle(again)
    await again.close()
    assert rolled(influx_server, "minute", "environment", "temperature")[0, "count"] == 1


async def test_an_outage_of_the_server_postpones(store: InfluxStore, influx_server: ServerProcess) -> None:
    await store.write([temperature(1, (BEGIN, 20.0))], BEGIN)
    influx_server.kill()
    with pytest.raises(StoreUnavailable):
        await store.tidy(LATER)
    influx_server.start()
    await settle(store)
    assert rolled(influx_server, "minute", "environment", "temperature")[0, "count"] == 1


async def test_charts_of_many_days_come_from_roll_ups_and_end_with_the_newest_readings(
    store: InfluxStore, site: Site, influx_server: ServerProcess
) -> None:
    end = LATER
    begin = end - 5 * DAY
    values = [
        (begin + n * 10 * MINUTE + 1, 20 + 5 * math.sin(n / 30) + (60 if n == 333 else 0)) for n in range(720)
    ]
    await store.write([temperature(1, *values)], end)
    await settle(store, end + MINUTE)
    raw_until = end - 2 * HOUR
    drop_raw(influx_server, raw_until)
    newest = [(end - n * MINUTE - 1, 50.0 + n) for n in range(4)]
    await store.write([temperature(2, *newest)], end)

    history = InfluxHistory(store._client.settings, site, lambda: end)
    found = await history.series("climate-1", "temperature", begin, end, buckets=100)
    await history.close()
    told: dict[int, list[float]] = {}
    for at, value in [*values, *newest]:
        told.setdefault((at - begin) // found.width * found.width + begin, []).append(value)
    assert {bucket.time: bucket.count for bucket in found.buckets} == {
        at: len(some) for at, some in told.items()
    }
    for bucket in found.buckets:
        some = told[bucket.time]
        assert (bucket.minimum, bucket.maximum) == (min(some), max(some))
        assert bucket.mean == pytest.approx(sum(some) / len(some))
    assert max(bucket.maximum for bucket in found.buckets) > 70  # the spike


async def test_an_hour_of_long_ago_comes_from_roll_ups_when_its_readings_are_gone(
    store: InfluxStore, site: Site, influx_server: ServerProcess
) -> None:
    values = [(BEGIN + n * MINUTE, float(n)) for n in range(60)]
    await store.write([temperature(1, *values)], BEGIN)
    await settle(store)
    drop_raw(influx_server, LATER)
    history = InfluxHistory(store._client.settings, site, lambda: BEGIN + 30 * DAY)
    found = await history.series("climate-1", "temperature", BEGIN, BEGIN + HOUR, buckets=6)
    await history.close()
    assert [(bucket.count, bucket.minimum, bucket.maximum) for bucket in found.buckets] == [
        (10, 10.0 * n, 10.0 * n + 9) for n in range(6)
    ]


async def test_a_database_without_roll_ups_answers_from_readings(
    site: Site, tmp_path: Path, influx_server: ServerProcess
) -> None:
    influx_query(influx_server, "CREATE DATABASE plain")
    plain = InfluxStore(
        InfluxSettings(influx_server.url, "plain", "admin", "secret"), site, tmp_path / "plain.db"
    )
    await plain.write([temperature(1, (BEGIN, 20.0), (BEGIN + 4 * DAY, 22.0))], BEGIN)
    history = InfluxHistory(plain._client.settings, site, lambda: BEGIN + 5 * DAY)
    found = await history.series("climate-1", "temperature", BEGIN, BEGIN + 5 * DAY, buckets=10)
    assert [bucket.maximum for bucket in found.buckets] == [20, 22]
    with pytest.raises(StoreUnavailable, match="gridwarden influx setup"):
        await plain.tidy(BEGIN + 5 * DAY)
    await history.close()
    await plain.close()


def drop_raw(server: ServerProcess, until: int) -> None:
    """As the retention policy will: whole shards of readings that end before `until`."""
    (result,) = influx_query(server, "SHOW SHARDS")
    (shards,) = (series for series in result["series"] if series["name"] == "gw")
    for number, _, policy, _, _, end, *_ in shards["values"]:
        ends = datetime.fromisoformat(end.replace("Z", "+00:00")).timestamp() * SECOND
        if policy == "raw" and ends <= until + DAY:
            influx_query(server, f"DROP SHARD {number}")


async def test_the_same_question_takes_maxima_from_every_policy(
    store: InfluxStore, influx_server: ServerProcess
) -> None:
    values = [(BEGIN + n * 7 * SECOND, float(n % 23)) for n in range(400)]
    await store.write([temperature(1, *values)], BEGIN)
    await settle(store)
    found: dict[str, Any] = {}
    for policy in ("raw", "minute", "hour"):
        (result,) = influx_query(
            influx_server,
            f'SELECT max("temperature") FROM gw."{policy}"."environment" WHERE "stat" =~ /^(max)?$/'
            f" AND time >= {BEGIN} AND time < {BEGIN + HOUR} GROUP BY time(1h)",
        )
        found[policy] = result["series"][0]["values"]
    assert found["raw"] == found["minute"] == found["hour"] == [[BEGIN, 22]]


class Tired(InfluxClient):
    """Answers in time only for `windows` of a minute and `fields` at once; `asked` is what it was asked."""

    def __init__(self, settings: InfluxSettings, windows: int, fields: int) -> None:
        super().__init__(settings)
        self._windows = windows
        self._fields = fields
        self.asked: list[int] = []

    async def query(
        self, statements: str, values: Mapping[str, Scalar] | None = None, *, change: bool = False
    ) -> list[dict[str, Any]]:
        bound = values or {}
        windows = (int(bound["end"]) - int(bound["start"])) // MINUTE
        self.asked.append(windows)
        if windows > self._windows or len(set(re.findall(r'count\("(\w+)"\)', statements))) > self._fields:
            raise NoAnswer(Message("no answer"))
        return await super().query(statements, values, change=change)


async def test_what_takes_the_server_too_long_is_asked_in_pieces(
    influx_server: ServerProcess, site: Site, store: InfluxStore
) -> None:
    everything = ReadingBatch(
        "edge-1", Lane.ALARM, 2,
        tuple(
            Reading(device, point, value, BEGIN + minute * MINUTE, BEGIN, BEGIN)
            for minute in range(10)
            for device, point, value in (
                ("climate-1", "temperature", 20.0 + minute), ("climate-1", "humidity", 50.0),
                ("smoke-1", "smoke", minute == 4), ("smoke-1", "battery", 90.0 - minute),
            )
        ),
    )  # fmt: skip
    await store.write([everything], BEGIN)
    client = Tired(InfluxSettings(influx_server.url, "gw", "admin", "secret"), windows=3, fields=1)
    rollup = RollUp(client, site)
    await rollup.make(LEVELS[0], (BEGIN, 10))
    told = rolled(influx_server, "minute", "environment", "temperature")
    assert {minute: told[minute, "max"] for minute in range(10)} == {n: 20.0 + n for n in range(10)}
    told = rolled(influx_server, "minute", "smoke", "battery")
    assert {minute: told[minute, "min"] for minute in range(10)} == {n: 90.0 - n for n in range(10)}
    assert rolled(influx_server, "minute", "smoke", "smoke")[4, "sum"] == 1
    client.asked.clear()
    await rollup.make(LEVELS[0], (BEGIN, 10))
    assert max(client.asked) <= 3, "what it has learned it does not ask for again"
    await client.close()


async def test_a_server_that_answers_nothing_at_all_is_not_asked_for_ever(
    influx_server: ServerProcess, site: Site
) -> None:
    client = Tired(InfluxSettings(influx_server.url, "gw", "admin", "secret"), windows=0, fields=0)
    with pytest.raises(StoreUnavailable):
        await RollUp(client, site).make(LEVELS[0], (BEGIN, 10))
    assert len(client.asked) < 10
    await client.close()
