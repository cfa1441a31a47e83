"""Readings from the embedded store into files and InfluxDB: everything, once, and the same afterwards."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest.file_formats import format_of, read_into, sink_into
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.embedded_reader import EmbeddedHistory
from ingest.stores.influx_client import InfluxClient, InfluxSettings
from ingest.stores.influx_reader import InfluxHistory
from ingest.stores.influx_setup import make_database
from ingest.transfer import (
    BadFile,
    Difference,
    InfluxSink,
    copy,
    differences,
    everything,
    opened,
    read_csv,
)
from readings import Lane, Quality, Reading, ReadingBatch
from registry.site import Site
from tests.conftest import ServerProcess, influx_query
from tests.ingest.world import NOW, SECOND

MINUTE = 60 * SECOND
END = NOW + 3600 * SECOND * 48
FILES = ["out.csv", "out.csv.gz", "out.lp", "out.lp.gz", "out.parquet"]


def stored() -> list[Reading]:
    """More than a page of one series, and one of everything that is unusual."""
    many = [
        Reading("climate-1", "temperature", 20 + math.sin(n), NOW + n * SECOND, NOW + n * SECOND, NOW)
        for n in range(12_345)
    ]
    suspect = int(Quality.CLOCK_SUSPECT)
    odd = [
        Reading("smoke-1", "smoke", True, NOW, NOW, NOW),
        Reading("smoke-1", "smoke", False, NOW + MINUTE, NOW, NOW),
        Reading("climate-1", "humidity", math.nan, NOW, NOW, NOW, int(Quality.NOT_A_NUMBER)),
        Reading("climate-1", "humidity", 5e-324, NOW + 1, NOW + 1, NOW),
        Reading("door-1", "event", '刷卡 "1", a=b \\ 🚪', NOW, NOW, NOW, event="e 1"),
        Reading("smoke-2", "battery", 1.0, NOW, NOW + 7, NOW, suspect),
    ]
    return many + odd


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedHistory]:
    store = EmbeddedStore(tmp_path / "readings.db")
    await store.write([ReadingBatch("edge-1", Lane.TELEMETRY, 1, tuple(stored()))], NOW)
    history = EmbeddedHistory(tmp_path / "readings.db")
    yield history
    await history.close()
    await store.close()


@pytest.fixture
async def client(influx_server: ServerProcess) -> AsyncIterator[InfluxClient]:
    client = InfluxClient(InfluxSettings(influx_server.url, "gw", "admin", "secret"))
    await make_database(client)
    yield client
    await client.close()


@pytest.fixture
async def influx(client: InfluxClient, site: Site) -> AsyncIterator[InfluxHistory]:
    history = InfluxHistory(client.settings, site)
    yield history
    await history.close()


async def different(one: EmbeddedHistory, other: InfluxHistory) -> list[Difference]:
    series = await everything(one, 0, END)
    return [found async for found in differences(one, other, series, 0, END)]


async def test_filling_makes_both_stores_the_same_and_again_changes_nothing(
    embedded: EmbeddedHistory, influx: InfluxHistory, client: InfluxClient, site: Site
) -> None:
    series = await everything(embedded, 0, END)
    assert len(await different(embedded, influx)) == len(series)
    for _ in range(2):
        told: list[int] = []
        sink = InfluxSink(client, site)
        assert await copy(embedded, sink, series, 0, END, told.append) == len(stored())
        assert told == sorted(told)
        assert sink.refused == []
        assert await different(embedded, influx) == []


async def test_a_single_reading_that_differs_is_found_and_named(
    embedded: EmbeddedHistory, influx: InfluxHistory, client: InfluxClient, site: Site
) -> None:
    await copy(embedded, InfluxSink(client, site), await everything(embedded, 0, END), 0, END)
    at = NOW + 11_000 * SECOND
    await InfluxSink(client, site).take([Reading("climate-1", "temperature", 99.0, at, at, at)])
    assert await different(embedded, influx) == [Difference("climate-1", "temperature", at, 1)]


async def test_roll_ups_of_what_was_copied_are_there(
    embedded: EmbeddedHistory, client: InfluxClient, site: Site, influx_server: ServerProcess
) -> None:
    sink = InfluxSink(client, site)
    await copy(embedded, sink, await everything(embedded, 0, END), 0, END)
    await sink.roll_up()
    for policy in ("minute", "hour"):
        (result,) = influx_query(
            influx_server,
            f'SELECT sum("temperature") FROM gw."{policy}"."environment" WHERE "stat" = \'count\'',
        )
        assert result["series"][0]["values"][0][1] == 12_345, policy


@pytest.mark.parametrize("name", FILES)
async def test_a_file_brings_everything_back(
    name: str,
    tmp_path: Path,
    embedded: EmbeddedHistory,
    influx: InfluxHistory,
    client: InfluxClient,
    site: Site,
) -> None:
    file = tmp_path / name
    with sink_into(file, site) as sink:
        await copy(embedded, sink, await everything(embedded, 0, END), 0, END)
    back = InfluxSink(client, site)
    told: list[int] = []
    assert await read_into(file, back, told.append) == told[-1]
    assert told[-1] == len(stored()) if ".lp" not in name else told[-1] <= len(stored())
    assert back.refused == []
    assert await different(embedded, influx) == []


@pytest.mark.parametrize("name", FILES)
async def test_a_file_has_its_name_only_when_it_is_whole(
    name: str, tmp_path: Path, embedded: EmbeddedHistory, site: Site
) -> None:
    file = tmp_path / name

    def broken_off(done: int) -> None:
        assert not file.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), sink_into(file, site) as sink:
        await copy(embedded, sink, await everything(embedded, 0, END), 0, END, broken_off)
    assert [*tmp_path.glob(".out*"), *tmp_path.glob("out*")] == []


@pytest.mark.parametrize("name", ["out", "out.gz", "out.txt", "out.parquet.gz", "out.csv.zip"])
def test_a_name_that_asks_for_no_format_is_refused(name: str, site: Site) -> None:
    with pytest.raises(BadFile, match=r"end its name in \.lp"):
        format_of(Path(name))


async def test_what_the_server_will_never_take_is_handed_back(client: InfluxClient, site: Site) -> None:
    sink = InfluxSink(client, site)
    await sink.take_lines(
        [
            f"smoke battery=1 {NOW}".encode(),
            f'smoke battery="x" {NOW}'.encode(),
            f"smoke battery=2 {NOW + 1}".encode(),
        ]
    )
    assert sink.refused == [f'smoke battery="x" {NOW}']


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n", "the first line must be: device,point"),
        ("", "the first line must be: device,point"),
        ("{head}smoke-1,battery,now,float,1.0,0,,\n", "line 2: no reading: smoke-1,battery,now"),
        ("{head}smoke-1,battery,1,float,1.0,0,,\nx\n", "line 3: no reading: x"),
        ("{head}smoke-1,battery,1,bool,yes,0,,\n", "line 2: no reading"),
        ("{head}smoke-1,battery,1,complex,1j,0,,\n", "line 2: no reading"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "bad.csv"
    head = "device,point,time_ns,kind,value,quality,received_ns,event\n"
    file.write_text(text.replace("{head}", head), encoding="utf-8")
    with opened(file, "r") as open_file, pytest.raises(BadFile, match=why):
        [*read_csv(open_file, file)]
