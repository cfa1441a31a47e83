"""What the InfluxDB store does when the server is in trouble: over real HTTP, with answers as seen."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ingest.books import read_quarantine
from ingest.bus import Bus
from ingest.database import StoreUnavailable, open_reader
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_client import InfluxSettings
from readings import Lane, Reading, ReadingBatch
from registry.site import Site
from tests.ingest.fault_server import Answer, FaultServer
from tests.ingest.world import NOW, SECOND, Room, batch, eventually, sample, send

CONFLICT = Answer(400, '{"error":"partial write: field type conflict: dropped=1"}')


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


@pytest.fixture
async def store(server: FaultServer, site: Site, tmp_path: Path) -> AsyncIterator[InfluxStore]:
    store = InfluxStore(InfluxSettings(server.url, timeout=2), site, tmp_path / "influx.db")
    yield store
    await store.close()


def readings(n: int, seq: int = 1) -> ReadingBatch:
    return ReadingBatch(
        "edge-1",
        Lane.TELEMETRY,
        seq,
        tuple(Reading("smoke-1", "battery", float(i), NOW + i, NOW, NOW) for i in range(n)),
    )


@pytest.mark.parametrize(
    ("answer", "operator", "retry_after"),
    [
        (Answer(500, '{"error":"engine: write failed: no space left on device"}'), False, None),
        (Answer(503, "down", (("Retry-After", "7"),)), False, 7.0),
        (Answer(429, '{"message":"too many"}', (("Retry-After", "3"),)), False, 3.0),
        (Answer(401, '{"error":"authorization failed"}'), True, 30.0),
        (Answer(403, '{"error":"forbidden"}'), True, 30.0),
        (Answer(404, '{"message":"bucket not found"}'), True, 30.0),
        (Answer(400, '{"error":"database is required"}'), True, 30.0),
        (Answer(0), False, None),
    ],
)
async def test_trouble_keeps_the_batch_and_says_who_must_act(
    server: FaultServer,
    store: InfluxStore,
    tmp_path: Path,
    answer: Answer,
    operator: bool,
    retry_after: float | None,
) -> None:
    server.answers.append(answer)
    with pytest.raises(StoreUnavailable) as caught:
        await store.write([readings(10)], NOW)
    assert (caught.value.operator, caught.value.retry_after) == (operator, retry_after)
    assert not store.books.is_done("edge-1", "telemetry", 1)
    await store.write([readings(10)], NOW)
    assert store.books.is_done("edge-1", "telemetry", 1)
    assert len(server.written) == 10
    assert not read_quarantine(open_reader(tmp_path / "influx.db"))


async def test_one_bad_point_in_thousands_is_found_by_halving(
    server: FaultServer, store: InfluxStore, tmp_path: Path
) -> None:
    bad = f" {NOW + 1234}"
    server.judge = lambda lines: CONFLICT if any(line.endswith(bad) for line in lines) else None
    await store.write([readings(4000)], NOW)
    (row,) = read_quarantine(open_reader(tmp_path / "influx.db"))
    assert row.entry.raw.endswith(bad.encode())
    assert len(set(server.written)) == 3999
    assert len(server.requests) <= 26


async def test_a_request_that_is_too_large_is_halved(server: FaultServer, store: InfluxStore) -> None:
    server.judge = lambda lines: Answer(413, '{"error":"too large"}') if len(lines) > 700 else None
    await store.write([readings(2000)], NOW)
    assert len(server.written) == 2000
    assert max(n for status, n in server.requests if status == 204) <= 700


async def test_trouble_in_the_middle_of_halving_loses_nothing(
    server: FaultServer, store: InfluxStore, tmp_path: Path
) -> None:
    bad = f" {NOW + 3}"
    server.judge = lambda lines: CONFLICT if any(line.endswith(bad) for line in lines) else None
    server.answers.extend([CONFLICT, Answer(500, "busy")])
    with pytest.raises(StoreUnavailable):
        await store.write([readings(8)], NOW)
    await store.write([readings(8)], NOW)
    assert len(set(server.written)) == 7
    assert len(read_quarantine(open_reader(tmp_path / "influx.db"))) == 1


async def test_compressed_requests_arrive(server: FaultServer, site: Site, tmp_path: Path) -> None:
    store = InfluxStore(InfluxSettings(server.url, compress=True), site, tmp_path / "gzip.db")
    await store.write([readings(100)], NOW)
    await store.close()
    assert len(server.written) == 100


async def test_requests_hold_no_more_than_the_server_likes(server: FaultServer, store: InfluxStore) -> None:
    await store.write([readings(500, seq) for seq in range(1, 26)], NOW)
    assert [n for _, n in server.requests] == [5000, 5000, 2500]


async def test_the_service_goes_on_by_itself_after_trouble(
    bus: Bus, server: FaultServer, store: InfluxStore, site: Site, tmp_path: Path
) -> None:
    server.answers.extend([Answer(500, "x"), Answer(503, "y"), Answer(0), Answer(500, "z")])
    async with Room(bus, site, tmp_path, [store]) as room:
        for seq in range(1, 30):
            await send(bus, batch(seq, [sample("smoke-1", "battery", seq, NOW + seq * SECOND)]))
        await room.stored(29)
        assert room.writers[0].progress[Lane.TELEMETRY].problem == ""
        await eventually(lambda: len(set(server.written)) == 29, "all points written")


async def test_alarms_are_written_while_telemetry_is_stuck(
    bus: Bus, server: FaultServer, store: InfluxStore, site: Site, tmp_path: Path
) -> None:
    server.judge = lambda lines: Answer(500, "slow") if any("battery" in line for line in lines) else None
    async with Room(bus, site, tmp_path, [store]) as room:
        await send(bus, *(batch(seq, [sample("smoke-1", "battery", seq)]) for seq in range(1, 50)))
        await send(bus, batch(1, [sample("smoke-1", "smoke", value=True)], lane=Lane.ALARM))
        await room.stored(1, Lane.ALARM)
        assert room.writers[0].progress[Lane.TELEMETRY].batches == 0
        server.judge = lambda lines: None
        await room.stored(49)
