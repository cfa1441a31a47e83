"""A real InfluxDB 1.6.7 in trouble, with the room running: everything is there in the end, once."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos.small_disk import MEGABYTE, SmallDisk, small_disk
from ingest.audit import audit
from ingest.bus import Bus
from ingest.database import open_reader
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_client import InfluxSettings
from readings import Lane, Sample
from registry.site import Site
from tests.conftest import ServerProcess, influx_query, influxdb
from tests.ingest.world import NOW, SECOND, Room, batch, eventually, quarantined, sample, send

DATABASE = "gw"


@pytest.fixture
def settings(influx_server: ServerProcess) -> InfluxSettings:
    return InfluxSettings(influx_server.url, DATABASE, "admin", "secret", timeout=3)


@asynccontextmanager
async def running(bus: Bus, site: Site, folder: Path, settings: InfluxSettings) -> AsyncIterator[Room]:
    """The normaliser, the embedded store and InfluxDB's writer."""
    stores = [
        EmbeddedStore(folder / "readings.db"),
        InfluxStore(settings, site, folder / "influx.db"),
    ]
    async with Room(bus, site, folder, stores) as room:
        yield room


class Traffic:
    """Sends numbered batches; the voltage of a reading is different in every batch."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.seq = 0

    async def send(self, batches: int, samples: int = 1, *more: Sample) -> None:
        for _ in range(batches):
            self.seq += 1
            start = NOW + self.seq * SECOND
            some = [
                sample("smoke-1", "voltage", self.seq + n / 1000, start + n * 1_000_000)
                for n in range(samples)
            ]
            await send(self.bus, batch(self.seq, [*some, *more]))


def problem(room: Room) -> str:
    return str(room.writers[1].progress[Lane.TELEMETRY].problem or "")


async def waits(room: Room, *words: str) -> None:
    """Until the writer says why it waits; the embedded store beside it does not."""
    await eventually(lambda: all(word in problem(room) for word in words), f"a problem with {words}")


async def all_stored(room: Room, traffic: Traffic) -> None:
    await room.stored(traffic.seq)
    assert problem(room) == ""


def voltages(server: ServerProcess) -> dict[int, float]:
    (result,) = influx_query(server, 'SELECT "voltage" FROM "smoke"', database=DATABASE)
    return {time: value for series in result.get("series", ()) for time, value in series["values"]}


def kept(folder: Path) -> dict[int, float]:
    """The same out of the embedded store."""
    rows = open_reader(folder / "readings.db").execute(
        "SELECT ts, value FROM hot JOIN series USING (sid) WHERE point = 'voltage'"
    )
    return dict(rows.fetchall())


async def test_killed_and_started_again_in_the_middle_of_the_traffic(
    bus: Bus, influx_server: ServerProcess, settings: InfluxSettings, site: Site, tmp_path: Path
) -> None:
    async with running(bus, site, tmp_path, settings) as room:
        traffic = Traffic(bus)
        await traffic.send(50, 200)
        for _ in range(3):
            influx_server.kill()
            await traffic.send(20, 200)
            await waits(room, "cannot be reached")
            await eventually(
                lambda: room.writers[0].progress[Lane.TELEMETRY].batches == traffic.seq, "embedded goes on"
            )
            influx_server.start()
            await traffic.send(20, 200)
        await all_stored(room, traffic)
        assert voltages(influx_server) == kept(tmp_path)
        assert (await audit(bus.jetstream, tmp_path, None)).balanced


async def test_a_database_that_was_dropped_is_made_again(
    bus: Bus, influx_server: ServerProcess, settings: InfluxSettings, site: Site, tmp_path: Path
) -> None:
    async with running(bus, site, tmp_path, settings) as room:
        traffic = Traffic(bus)
        await traffic.send(3)
        await all_stored(room, traffic)
        influx_query(influx_server, f"DROP DATABASE {DATABASE}")
        await traffic.send(3)
        await all_stored(room, traffic)
    assert len(voltages(influx_server)) == 3  # what was in it went with it: that was somebody's wish


async def test_a_user_without_rights_is_told_and_goes_on_when_they_are_given(
    bus: Bus, influx_server: ServerProcess, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.stores.influx_client._ASK_OPERATOR", 0.5)
    influx_query(influx_server, "CREATE USER writer WITH PASSWORD 'first'")
    settings = InfluxSettings(influx_server.url, DATABASE, "writer", "first", timeout=3)
    async with running(bus, site, tmp_path, settings) as room:
        traffic = Traffic(bus)
        await traffic.send(5)
        await waits(room, "refuses user 'writer'", "CREATE DATABASE")
        influx_query(influx_server, f"CREATE DATABASE {DATABASE}")
        await waits(room, "refuses user 'writer'", "not authorized to write")
        influx_query(influx_server, f"GRANT WRITE ON {DATABASE} TO writer")
        await all_stored(room, traffic)
        influx_query(influx_server, "SET PASSWORD FOR writer = 'second'")
        await traffic.send(5)
        await waits(room, "401", "Mend the password")
        influx_query(influx_server, "SET PASSWORD FOR writer = 'first'")
        await all_stored(room, traffic)
        assert voltages(influx_server) == kept(tmp_path)


async def test_a_server_with_a_small_limit_for_requests_gets_small_ones(
    bus: Bus, site: Site, tmp_path: Path
) -> None:
    with influxdb(tmp_path / "influx", "max-body-size = 20000") as server:
        settings = InfluxSettings(server.url, DATABASE, "admin", "secret", timeout=3)
        async with running(bus, site, tmp_path, settings) as room:
            traffic = Traffic(bus)
            await traffic.send(20, 1000)
            await all_stored(room, traffic)
            assert voltages(server) == kept(tmp_path)
            assert len(kept(tmp_path)) == 20_000
    assert not quarantined(tmp_path / "influx.db")


async def test_a_point_larger_than_the_limit_is_set_aside_alone(bus: Bus, site: Site, tmp_path: Path) -> None:
    with influxdb(tmp_path / "influx", "max-body-size = 200") as server:
        settings = InfluxSettings(server.url, DATABASE, "admin", "secret", timeout=3)
        async with running(bus, site, tmp_path, settings) as room:
            traffic = Traffic(bus)
            await traffic.send(1, 50, sample("door-1", "action", "opened " * 30, NOW))
            await all_stored(room, traffic)
            assert voltages(server) == kept(tmp_path)
            assert (await audit(bus.jetstream, tmp_path, None)).balanced
    (row,) = quarantined(tmp_path / "influx.db")
    assert (row.entry.source, row.entry.point) == ("door-1", "event")


async def test_thousands_of_points_with_another_type_go_one_by_one_and_the_others_stay(
    bus: Bus, influx_server: ServerProcess, settings: InfluxSettings, site: Site, tmp_path: Path
) -> None:
    """Somebody else has written the field as text before."""
    influx_query(influx_server, f"CREATE DATABASE {DATABASE}")
    store = InfluxStore(settings, site, tmp_path / "influx.db")
    sent: list[int] = []
    post = store._client.write

    async def counted(body: bytes, patience: float | None = None) -> Any:
        sent.append(body.count(b"\n") + 1)
        return await post(body, patience)

    store._client.write = counted  # type: ignore[method-assign]
    assert (await post(f'smoke,device=other battery="full" {NOW}'.encode())).verdict.name == "WRITTEN"
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db"), store]) as room:
        traffic = Traffic(bus)
        bad = [sample("smoke-1", "battery", n % 100, NOW + n * 1_000_000) for n in range(3000)]
        await traffic.send(1, 1000, *random.Random(7).sample(bad, len(bad)))
        await all_stored(room, traffic)
        assert voltages(influx_server) == kept(tmp_path)
        assert (await audit(bus.jetstream, tmp_path, None)).balanced
    rows = quarantined(tmp_path / "influx.db")
    assert {(row.entry.point, row.entry.samples) for row in rows} == {("battery", 1)}
    assert {row.entry.first for row in rows} == {one.taken for one in bad}
    assert len(sent) < 12


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 64 * MEGABYTE) as disk:
        yield disk


async def test_a_full_disk_there_is_told_and_after_its_restart_nothing_is_missing(
    bus: Bus, site: Site, tmp_path: Path, disk: SmallDisk
) -> None:
    with influxdb(disk.folder / "influx") as server:
        settings = InfluxSettings(server.url, DATABASE, "admin", "secret", timeout=3)
        async with running(bus, site, tmp_path, settings) as room:
            traffic = Traffic(bus)
            await traffic.send(20, 500)
            await all_stored(room, traffic)
            disk.fill(leave=200_000)
            while not problem(room):
                await traffic.send(20, 500)
            await waits(room, "disk of InfluxDB", "no space left on device", "restart")
            disk.clear()
            before = room.writers[1].progress[Lane.TELEMETRY].batches
            await traffic.send(20, 500)
            await eventually(
                lambda: room.writers[0].progress[Lane.TELEMETRY].batches == traffic.seq, "embedded goes on"
            )
            assert problem(room)
            assert room.writers[1].progress[Lane.TELEMETRY].batches == before
            server.stop()
            server.start()
            await all_stored(room, traffic)
            assert voltages(server) == kept(tmp_path)
            assert (await audit(bus.jetstream, tmp_path, None)).balanced
    assert not quarantined(tmp_path / "influx.db")
