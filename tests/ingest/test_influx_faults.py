"""What the InfluxDB store does when the server is in trouble: over real HTTP, with answers as seen."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ingest.audit_files import read_stage
from ingest.bus import Bus
from ingest.database import StoreUnavailable
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_client import InfluxSettings
from readings import Lane, Reading, ReadingBatch
from registry.grids import Place
from registry.site import Site
from tests.ingest.fault_server import Answer, FaultServer
from tests.ingest.world import NOW, SECOND, Room, batch, eventually, grids, quarantined, sample, send

UNNAMED = Answer(400, '{"error":"partial write: something in it"}')


def conflict(dropped: int) -> Answer:
    """As 1.6.7 words it."""
    return Answer(
        400,
        json.dumps(
            {
                "error": 'partial write: field type conflict: input field "battery" on measurement "smoke"'
                f" is type string, already exists as type float dropped={dropped}"
            }
        ),
    )


def elsewhere(site: Site) -> Site:
    """The same site, with every device at another place."""
    return Site.of(
        grids=grids(),
        places=[
            *site.places.values(),
            Place(id="cellar", name={"zh": "地下室", "en": "Cellar"}, grid="R1-01-01"),
        ],
        types=site.types.values(),
        devices=[one.model_copy(update={"place": "cellar"}) for one in site.devices.values()],
        edges=site.edges.values(),
    )


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
    ("answer", "operator", "retry_after", "says"),
    [
        (Answer(500, '{"error":"engine: error writing WAL entry"}'), False, None, "fails: 500 engine"),
        (Answer(500, '{"error":"write x.wal: no space left on device"}'), False, None, "disk of InfluxDB"),
        (Answer(503, "down", (("Retry-After", "7"),)), False, 7.0, "asks to wait 7 s"),
        (Answer(503, "down"), False, None, "fails: 503 down"),
        (Answer(429, '{"message":"too many"}', (("Retry-After", "3"),)), False, 3.0, "too many"),
        (Answer(429, "", (("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),)), False, 0.0, "429"),
        (Answer(429, "", (("Retry-After", "999999"),)), False, 300.0, "429"),
        (Answer(401, '{"error":"authorization failed"}'), True, 30.0, "refuses user"),
        (Answer(403, '{"error":"forbidden"}'), True, 30.0, "refuses user"),
        (Answer(404, '{"message":"bucket not found"}'), True, 30.0, "bucket not found"),
        (Answer(400, '{"error":"database is required"}'), True, 30.0, "whatever it is sent"),
        (Answer(204, cut="answer"), False, None, "cut the connection"),
        (Answer(204, cut="answer", taken=True), False, None, "cut the connection"),
        (Answer(204, cut="request"), False, None, "cut the connection"),
        (Answer(204, delay=2.2), False, None, "has not answered within 2 s"),
        (Answer(500, delay=2.2), False, None, "has not answered within 2 s"),
    ],
)
async def test_trouble_keeps_the_batch_and_says_who_must_act(
    server: FaultServer,
    store: InfluxStore,
    tmp_path: Path,
    answer: Answer,
    operator: bool,
    retry_after: float | None,
    says: str,
) -> None:
    server.answers.extend([answer] * (1 if "required" not in answer.body else 3))
    with pytest.raises(StoreUnavailable, match=re.escape(says)) as caught:
        await store.write([readings(10)], NOW)
    assert caught.value.operator == operator
    assert caught.value.retry_after == retry_after
    assert not store.books.is_done("edge-1", "telemetry", 1)
    if retry_after and not operator:
        return  # it is left alone for so long: test_a_server_that_asks_for_quiet
    await store.write([readings(10)], NOW)
    assert store.books.is_done("edge-1", "telemetry", 1)
    assert len(server.points) == 10
    assert not quarantined(tmp_path / "influx.db")


async def test_a_server_that_asks_for_quiet_gets_it_from_every_write(
    server: FaultServer, store: InfluxStore
) -> None:
    server.answers.append(Answer(429, "", (("Retry-After", "1"),)))
    with pytest.raises(StoreUnavailable):
        await store.write([readings(1)], NOW)
    for seq in range(2, 6):
        with pytest.raises(StoreUnavailable) as caught:
            await store.write([readings(1, seq)], NOW)
        assert caught.value.retry_after is not None
    assert len(server.requests) == 1
    await asyncio.sleep(caught.value.retry_after)
    await store.write([readings(1)], NOW)
    assert server.times[1] - server.times[0] > 0.9


async def test_one_bad_point_in_thousands_is_found_by_halving(
    server: FaultServer, store: InfluxStore, tmp_path: Path
) -> None:
    bad = f" {NOW + 1234}"
    server.judge = lambda lines: UNNAMED if any(line.endswith(bad) for line in lines) else None
    await store.write([readings(4000)], NOW)
    (row,) = quarantined(tmp_path / "influx.db")
    assert row.entry.raw.endswith(bad.encode())
    assert len(server.points) == 3999
    assert len(server.requests) <= 26


async def test_a_field_with_another_type_costs_three_requests_however_many_points_have_it(
    server: FaultServer, store: InfluxStore, tmp_path: Path
) -> None:
    def judge(lines: list[str]) -> Answer | None:
        bad = [line for line in lines if 'battery="' in line]
        server._take([line for line in lines if 'battery="' not in line])
        return conflict(len(bad)) if bad else None

    server.judge = judge
    mixed = [
        Reading("smoke-1", "battery", "low" if n % 3 else float(n), NOW + n, NOW, NOW) for n in range(5000)
    ]
    await store.write([ReadingBatch("edge-1", Lane.TELEMETRY, 1, tuple(mixed))], NOW)
    rows = quarantined(tmp_path / "influx.db")
    assert {row.entry.first for row in rows} == {one.time for one in mixed if one.value == "low"}
    assert {row.entry.samples for row in rows} == {1}
    assert len(server.points) == 5000 - len(rows)
    assert len(server.requests) == 3


async def test_of_a_line_only_the_reading_goes_that_is_refused(
    server: FaultServer, store: InfluxStore, tmp_path: Path
) -> None:
    server.judge = lambda lines: UNNAMED if any('mode="' in line for line in lines) else None
    line = (
        Reading("climate-1", "humidity", 40.0, NOW, NOW, NOW),
        Reading("climate-1", "mode", "heat", NOW, NOW, NOW),
        Reading("climate-1", "temperature", 20.0, NOW, NOW, NOW),
    )
    await store.write([ReadingBatch("edge-1", Lane.TELEMETRY, 1, line)], NOW)
    (row,) = quarantined(tmp_path / "influx.db")
    assert (row.entry.source, row.entry.point) == ("climate-1", "mode")
    (fields,) = server.points.values()
    assert fields == {"humidity": "40.0", "temperature": "20.0"}
    counts = read_stage(tmp_path / "influx.db").totals("edge-1", Lane.TELEMETRY, lambda _: True)
    assert {(device, outcome): n for (_, _, device, outcome), n in counts.items()} == {
        ("climate-1", "stored"): 2,
        ("climate-1", "quarantined"): 1,
    }


async def test_a_refusal_that_nobody_knows_costs_no_point(
    server: FaultServer, store: InfluxStore, tmp_path: Path
) -> None:
    server.judge = lambda lines: Answer(400, "<html>our firewall does not like you</html>")
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="firewall") as caught:
            await store.write([readings(4000)], NOW)
        assert caught.value.operator
    assert len(server.requests) == 9
    server.judge = lambda lines: None
    await store.write([readings(4000)], NOW)
    assert len(server.points) == 4000
    assert not quarantined(tmp_path / "influx.db")


async def test_a_request_that_is_too_large_is_halved_and_the_next_one_fits(
    server: FaultServer, store: InfluxStore
) -> None:
    server.judge = lambda lines: Answer(413, '{"error":"too large"}') if len(lines) > 700 else None
    await store.write([readings(2000)], NOW)
    assert len(server.points) == 2000
    assert max(n for status, n in server.requests if status == 204) <= 700
    server.requests.clear()
    await store.write([readings(2000, 2)], NOW)
    assert [status for status, _ in server.requests if status != 204] == []


async def test_trouble_in_the_middle_of_halving_loses_nothing_and_asks_nothing_twice(
    server: FaultServer, store: InfluxStore, tmp_path: Path
) -> None:
    bad = f" {NOW + 3}"
    server.judge = lambda lines: UNNAMED if any(line.endswith(bad) for line in lines) else None
    server.answers.extend([UNNAMED, Answer(500, "busy")])
    with pytest.raises(StoreUnavailable):
        await store.write([readings(8)], NOW)
    await store.write([readings(8)], NOW)
    assert len(server.points) == 7
    assert len(quarantined(tmp_path / "influx.db")) == 1
    assert [n for _, n in server.requests] == [8, 4, 4, 2, 2, 1, 1, 4]


async def test_answers_that_never_come_neither_lose_nor_double(
    server: FaultServer, store: InfluxStore, site: Site
) -> None:
    """The server has taken the points; then the device moves, which changes the tags of its series."""
    server.answers.append(Answer(204, cut="answer", taken=True))
    server.answers.append(Answer(204, delay=2.5, taken=True))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.write([readings(100)], NOW)
        store.set_site(elsewhere(site))
    await store.write([readings(100)], NOW)
    assert len(server.written) == 300
    assert len(server.points) == 100
    await store.write([readings(100, 2)], NOW)
    assert len(server.points) == 200  # from now on with the new tags


async def test_a_slow_server_is_given_time(server: FaultServer, site: Site, tmp_path: Path) -> None:
    store = InfluxStore(InfluxSettings(server.url, timeout=0.2), site, tmp_path / "slow.db")
    server.judge = lambda lines: Answer(204, delay=0.5)
    failed = 0
    while not store.books.is_done("edge-1", "telemetry", 1):
        try:
            await store.write([readings(100)], NOW)
        except StoreUnavailable:
            failed += 1
    assert failed == 2  # after 0.2 and 0.4 s; 0.8 s are enough
    await store.write([readings(100, 2)], NOW)
    await store.close()


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
    server.answers.extend([Answer(500, "x"), Answer(503, "y"), Answer(204, cut="answer"), Answer(500, "z")])
    async with Room(bus, site, tmp_path, [store]) as room:
        for seq in range(1, 30):
            await send(bus, batch(seq, [sample("smoke-1", "battery", seq, NOW + seq * SECOND)]))
        await room.stored(29)
        assert room.writers[0].progress[Lane.TELEMETRY].problem is None
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
