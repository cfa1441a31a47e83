"""The InfluxDB store against a real InfluxDB, beside the embedded store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ingest.bus import Bus
from ingest.database import StoreUnavailable, open_reader
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.embedded_reader import EmbeddedHistory
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_client import InfluxClient, InfluxSettings
from ingest.stores.influx_reader import InfluxHistory
from readings import Lane, Quality, Reading, ReadingBatch
from registry.site import Site
from tests.ingest.world import NOW, ODD_PLACE, SECOND, Room, batch, quarantined, sample, send


@pytest.fixture
def settings(influx_server: Any) -> InfluxSettings:
    return InfluxSettings(influx_server.url, "grid warden", "admin", "secret")


@pytest.fixture
async def store(settings: InfluxSettings, site: Site, tmp_path: Path) -> AsyncIterator[InfluxStore]:
    store = InfluxStore(settings, site, tmp_path / "influx.db")
    yield store
    await store.close()


def readings(seq: int, *values: Reading, lane: Lane = Lane.TELEMETRY) -> ReadingBatch:
    return ReadingBatch("edge-1", lane, seq, values)


def reading(point: str, value: Any, time: int = NOW, device: str = "smoke-1", **more: Any) -> Reading:
    return Reading(device, point, value, time, time + SECOND, time, **more)


async def test_both_stores_hold_the_same(
    bus: Bus, site: Site, store: InfluxStore, settings: InfluxSettings, tmp_path: Path
) -> None:
    embedded = EmbeddedStore(tmp_path / "readings.db")
    async with Room(bus, site, tmp_path, [embedded, store]) as room:
        for seq in range(1, 40):
            at = NOW + seq * SECOND
            await send(
                bus,
                batch(
                    seq,
                    [
                        sample("smoke-2", "battery", 100 - seq, at),
                        sample("smoke-2", "voltage", 3000 + seq, at),
                        sample("climate-1", "humidity", 0.1 + seq / 3, at),
                        sample("climate-1", "mode", "1" if seq % 2 else "cool", at),
                        sample("climate-1", "humidity", 200 + seq, at + 7),
                        sample("climate-1", "humidity", float("nan"), at + 8),
                        sample("climate-1", "humidity", 5, at, time=1),
                    ],
                ),
                batch(
                    seq,
                    [
                        sample("smoke-2", "smoke", seq % 5 == 0, at),
                        sample("door-1", "action", f'刷卡 "{seq}", a=b \\\n', at, event=f"e {seq}"),
                        sample("climate-1", "temperature", 20.0 + seq / 7, at, time=1),
                    ],
                    lane=Lane.ALARM,
                ),
            )
        await room.stored(39)
        await room.stored(39, Lane.ALARM)
        ours, theirs = EmbeddedHistory(embedded.path), InfluxHistory(settings, site)
        devices, end = [*site.devices], NOW + 1000 * SECOND
        assert await theirs.latest(devices) == pytest.approx(await ours.latest(devices), nan_ok=True)
        for device, point in await ours.counts(0, end):
            mine = await ours.series(device, point, NOW, end)
            other = await theirs.series(device, point, NOW, end)
            assert len(mine.rows) >= 39
            assert _without_nan(mine.rows) == _without_nan(other.rows)
            for width in (1, 7, 1000):
                here = await ours.series(device, point, NOW, end, buckets=width)
                there = await theirs.series(device, point, NOW, end, buckets=width)
                assert _without_nan(here.rows) == _without_nan(there.rows)
                assert [(b.time, b.count, b.minimum, b.maximum) for b in here.buckets] == [
                    (b.time, b.count, b.minimum, b.maximum) for b in there.buckets
                ]
                assert [b.mean for b in here.buckets] == pytest.approx([b.mean for b in there.buckets])
        unknown = {("climate-1", "humidity"): 39}  # NaN has no field to count in InfluxDB
        assert {
            key: n - unknown.get(key, 0) for key, n in (await ours.counts(0, end)).items()
        } == await theirs.counts(0, end)
        await ours.close()
        await theirs.close()


def _without_nan(rows: Any) -> list[Any]:
    return [
        (row.time, None if row.value != row.value else row.value, row.quality, row.received, row.event)
        for row in rows
    ]


async def test_tags_tell_where_a_device_hangs(store: InfluxStore, settings: InfluxSettings) -> None:
    await store.write([readings(1, reading("smoke", value=True, device="smoke-2"))], NOW)
    client = InfluxClient(settings)
    (result,) = await client.query('SELECT * FROM "smoke" WHERE place = $place', {"place": ODD_PLACE})
    (series,) = result["series"]
    assert dict(zip(series["columns"], series["values"][0], strict=True)) == {
        "time": NOW, "device": "smoke-2", "edge": "edge-1", "type": "z2m-smoke", "place": ODD_PLACE,
        "grid1": "R1", "grid2": "R1-01", "grid3": "R1-01-01", "smoke": True,
    }  # fmt: skip
    await client.close()


async def test_a_point_the_server_refuses_is_set_aside_alone(
    store: InfluxStore, settings: InfluxSettings, site: Site, tmp_path: Path
) -> None:
    await store.write([readings(1, reading("battery", 50.0))], NOW)
    wrong = reading("battery", "full", NOW + 500)
    others = [reading("battery", float(n), NOW + n) for n in range(1, 400)]
    await store.write([readings(2, *others[:200], wrong, *others[200:])], NOW)
    rows = quarantined(tmp_path / "influx.db")
    assert [(row.entry.reason, row.entry.source, row.entry.samples) for row in rows] == [
        ("refused_by_store", "smoke-1", 1)
    ]
    assert "field type conflict" in str(rows[0].entry.detail)
    history = InfluxHistory(settings, site)
    assert (await history.counts(0, NOW * 2))["smoke-1", "battery"] == 400
    await history.close()


async def test_two_types_in_the_first_request_leave_one_of_them(
    store: InfluxStore, settings: InfluxSettings, site: Site, tmp_path: Path
) -> None:
    """1.6.7 writes nothing at all of such a request."""
    await store.write([readings(1, reading("battery", 1.0), reading("battery", "x", NOW + 1))], NOW)
    assert len(quarantined(tmp_path / "influx.db")) == 1
    history = InfluxHistory(settings, site)
    assert await history.counts(0, NOW * 2) == {("smoke-1", "battery"): 1}
    await history.close()


async def test_a_repeated_batch_is_not_counted_twice(store: InfluxStore, tmp_path: Path) -> None:
    one = readings(1, reading("battery", 1.0))
    await store.write([one, one], NOW)
    await store.write([one], NOW)
    connection = open_reader(tmp_path / "influx.db")
    assert connection.execute("SELECT counts FROM recent").fetchall() == [("[[1,1]]",)]


async def test_a_wrong_password_keeps_everything_and_asks_for_a_person(
    influx_server: Any, site: Site, tmp_path: Path
) -> None:
    wrong = InfluxSettings(influx_server.url, "gw", "admin", "guessed")
    store = InfluxStore(wrong, site, tmp_path / "influx.db")
    with pytest.raises(StoreUnavailable, match="401") as caught:
        await store.write([readings(1, reading("battery", 1.0))], NOW)
    assert caught.value.operator
    assert not store.books.is_done("edge-1", "telemetry", 1)
    await store.close()


async def test_a_server_that_is_down_is_unavailable(influx_server: Any, store: InfluxStore) -> None:
    influx_server.kill()
    with pytest.raises(StoreUnavailable):
        await store.write([readings(1, reading("battery", 1.0))], NOW)
    influx_server.start()

    await store.write([readings(1, reading("battery", 1.0))], NOW)
    assert store.books.is_done("edge-1", "telemetry", 1)


async def test_doubtful_readings_keep_their_marks(
    store: InfluxStore, settings: InfluxSettings, site: Site
) -> None:
    marks = Quality.CLOCK_SUSPECT | Quality.LATE
    await store.write([readings(1, reading("battery", 1.0, quality=marks))], NOW)
    await store.write([readings(1, reading("smoke", value=True), lane=Lane.ALARM)], NOW)
    history = InfluxHistory(settings, site)
    found = {row.point: row.row for row in await history.latest(["smoke-1"])}
    assert (found["battery"].quality, found["battery"].received) == (int(marks), NOW + SECOND)
    assert (found["smoke"].quality, found["smoke"].received) == (0, None)
    await history.close()
