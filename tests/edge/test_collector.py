"""Group commit, lanes, back-pressure and an outbox that cannot be written; the file is a real one."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge.collector import PORT_INTAKES, Collector
from edge.intake import Attached, Counters, DeadLetters, Intake
from edge.json_payload import Malformed, flat, parse
from edge.outbox import Limits, Outbox, OutboxUnavailable
from edge.routes import Routes
from edge.safekeeping import Safekeeping
from readings import Lane, Sample, wire
from readings.vocabulary import MALFORMED
from registry.device_types import DeviceType
from tests.edge.conftest import until

TYPES = {
    "smoke": DeviceType.model_validate(
        {
            "id": "smoke",
            "device_class": "smoke",
            "points": [{"name": "smoke", "kind": "binary", "lane": "alarm"}, {"name": "battery"}],
            "ignore": ["update", "last"],
        }
    )
}
DEVICES = [Attached("d", "smoke", "z2m/kitchen", "kitchen")]


def sample(point, value=1, source="z2m/kitchen"):
    return Sample(source, point, value, 1)


class Running:
    """A collector at work on an outbox in a temporary folder."""

    def __init__(self, path, limits=None, way=None):
        self.outbox = Outbox(path, "e1", limits, base=0)
        self.worker = ThreadPoolExecutor(1)
        self.keeping = Safekeeping(self.outbox, self.worker, way=way)
        self.collector = Collector(self.keeping, self.outbox, Routes(DEVICES, TYPES))
        self.acknowledged = []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.collector.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.wait([self.task])
        self.worker.shutdown()
        self.outbox.close()

    def intake(self, name, *samples):
        return Intake(samples, lambda: self.acknowledged.append(name))

    def points(self, lane):
        found = [wire.decode_samples(batch.payload) for batch in self.outbox.read(lane, 0, 10_000)]
        return [entry.point for batch in found for entry in batch.samples]


@pytest.fixture
async def running(tmp_path):
    async with Running(tmp_path / "outbox.db") as made:
        yield made


async def test_points_travel_on_the_lane_of_their_type_and_unknown_ones_on_telemetry(running):
    samples = [sample(point) for point in ("smoke", "battery", "surprise", "update.state", "update", "last")]
    await running.collector.port("z2m").put([running.intake(1, *samples, sample("smoke", 1, "z2m/stranger"))])
    await until(lambda: running.acknowledged, "committed")
    assert running.points(Lane.ALARM) == ["smoke"]
    assert running.points(Lane.TELEMETRY) == ["battery", "surprise", "smoke"]


async def test_an_acknowledgement_comes_after_the_commit_and_in_order(running):
    port = running.collector.port("z2m")
    await port.put([running.intake(n, sample("smoke", n)) for n in range(700)])
    await until(lambda: len(running.acknowledged) == 700, "all acknowledged")
    assert running.acknowledged == list(range(700))
    assert running.outbox.depth[Lane.ALARM].seq <= 4  # group commits, not 700


@pytest.mark.parametrize(
    "payload",
    [
        b'{"smoke": true, "battery": 99999999999999999999999}',
        b'{"smoke": true, "battery": "\\ud800"}',
        b'{"smoke": true, "\\ud800": 1}',
        b'{"smoke": true, "battery": 1e999}',
        b'{"smoke": true, "battery": [99999999999999999999999, 18446744073709551615]}',
    ],
)
async def test_a_payload_with_impossible_values_is_acknowledged_and_reaches_the_outbox(running, payload):
    """Parsed as Zigbee2MQTT's driver parses it, and what it makes of it collected."""
    letters = DeadLetters(Counters())
    try:
        found = [sample(*each) for each in flat(parse(payload, "z2m/kitchen"), "z2m/kitchen")]
    except Malformed as error:
        found = letters.letter("z2m/kitchen", str(error), payload, 1)
    port = running.collector.port("z2m")
    await port.put([running.intake(1, *found), running.intake(2, sample("smoke"))])
    await until(lambda: running.acknowledged == [1, 2], "both are acknowledged")
    assert {*running.points(Lane.ALARM), *running.points(Lane.TELEMETRY)} > {"smoke"}


async def test_a_driver_that_hands_in_what_cannot_be_sent_stops_nobody(running):
    intakes = [running.intake(1, sample("smoke", 1 << 90)), running.intake(2, sample("smoke", "\ud800"))]
    await running.collector.port("z2m").put([*intakes, running.intake(3, sample("smoke"))])
    await until(lambda: running.acknowledged == [1, 2, 3], "all are acknowledged")
    assert running.points(Lane.ALARM) == [MALFORMED, MALFORMED, "smoke"]


async def test_an_intake_without_samples_is_acknowledged_too(running):
    await running.collector.port("z2m").put([running.intake(1)])
    await until(lambda: running.acknowledged, "acknowledged")
    assert running.outbox.depth[Lane.TELEMETRY].seq == 0


async def test_a_full_outbox_holds_telemetry_at_its_source_and_takes_alarms(tmp_path):
    async with Running(tmp_path / "outbox.db", Limits(bytes=40_000, alarm_share=0.5)) as running:
        port, other = running.collector.port("z2m"), running.collector.port("rs")
        await port.put([running.intake("fill", *[sample("battery", "x" * 1000)] * 25)])
        await until(lambda: running.acknowledged == ["fill"], "filled")
        late = [running.intake("late", sample("battery")) for _ in range(PORT_INTAKES)]
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            blocked = group.create_task(port.put(late))
            await until(lambda: running.collector.refused, "telemetry is refused")
            await other.put([running.intake("alarm", sample("smoke"), sample("battery"))])
            await until(lambda: "alarm" in running.acknowledged, "the alarm went through")
            assert not blocked.done()
            assert "late" not in running.acknowledged
            for batch in running.outbox.recent(Lane.TELEMETRY, 0, 99):
                running.outbox.stored(batch)
            await asyncio.get_running_loop().run_in_executor(running.worker, running.outbox.trim)
            running.collector.room_made()
        await until(lambda: running.acknowledged.count("late") == PORT_INTAKES, "taken after all")


async def test_nothing_is_acknowledged_while_the_disk_is_full_and_all_of_it_afterwards(running, caplog):
    running.outbox._file._connection.execute("PRAGMA max_page_count = 1")
    with caplog.at_level(logging.INFO):
        await running.collector.port("z2m").put([running.intake(1, *[sample("battery", "x" * 4000)] * 50)])
        await until(lambda: "full" in running.keeping.problem, "it says what is wrong")
        assert running.acknowledged == []
        await until(lambda: running.acknowledged == [1], "committed after all")  # the file is opened anew
    assert running.keeping.problem == ""
    assert [record.levelname for record in caplog.records] == ["CRITICAL", "INFO"]
    assert running.outbox.depth[Lane.TELEMETRY].seq == 1


class WayAround:
    """A way past the outbox that a test opens and closes."""

    def __init__(self):
        self.is_open = True
        self.sent = []

    async def send(self, samples, now):
        if self.is_open:
            self.sent += [entry.value for lane in samples for entry in samples[lane]]
        return self.is_open


@pytest.fixture
def broken(monkeypatch):
    """An outbox that cannot be written, until this is called."""

    def fail(*_):
        raise OutboxUnavailable("a bad disk")

    monkeypatch.setattr(Outbox, "commit", fail)
    return monkeypatch.undo


async def test_polling_goes_on_while_nothing_can_be_kept_and_the_alarm_it_finds_is_first(tmp_path, broken):
    async with Running(tmp_path / "outbox.db") as running:
        port = running.collector.port("rs")
        for n in range(3 * PORT_INTAKES):  # polled: nobody waits for an acknowledgement
            await port.put([Intake([sample("battery", n)])])
        await port.put([Intake([sample("smoke", True)])])
        await until(lambda: running.keeping.problem, "it says what is wrong")
        for n in range(3 * PORT_INTAKES, 4 * PORT_INTAKES):
            await port.put([Intake([sample("battery", n)])])
        assert 0 < port.waiting < PORT_INTAKES
        broken()
        await until(lambda: port.waiting == 0, "kept after all")
        assert running.points(Lane.ALARM) == ["smoke"]
        batches = [wire.decode_samples(b.payload) for b in running.outbox.read(Lane.TELEMETRY, 0, 99)]
        kept = [entry.value for batch in batches for entry in batch.samples]
        assert len(kept) + running.collector.not_taken == 4 * PORT_INTAKES
        assert kept == [*range(4 * PORT_INTAKES - len(kept), 4 * PORT_INTAKES)]  # the newest


async def test_what_a_broker_waits_for_is_never_left_out(tmp_path, broken):
    async with Running(tmp_path / "outbox.db") as running:
        port = running.collector.port("z2m")
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            blocked = group.create_task(
                port.put([running.intake(n, sample("battery", n)) for n in range(900)])
            )
            await until(lambda: running.keeping.problem, "it says what is wrong")
            assert not blocked.done()
            broken()
        await until(lambda: len(running.acknowledged) == 900, "kept after all")
        assert running.collector.not_taken == 0


async def test_past_a_broken_outbox_everything_is_acknowledged_once_the_core_has_it(tmp_path, broken):
    way = WayAround()
    async with Running(tmp_path / "outbox.db", way=way) as running:
        port = running.collector.port("z2m")
        await port.put([running.intake(1, sample("battery", 1)), running.intake(2, sample("smoke", 2))])
        await until(lambda: running.acknowledged == [1, 2], "sent past the outbox")
        way.is_open = False
        await port.put([running.intake(3, sample("battery", 3)), running.intake(4, sample("smoke", 4))])
        await until(lambda: running.collector._stuck, "nothing can keep it")
        assert running.acknowledged == [1, 2]
        way.is_open = True
        await until(lambda: sorted(running.acknowledged) == [1, 2, 3, 4], "the link is back")
        assert sorted(way.sent) == [1, 2, 3, 4]
        broken()
        way.is_open = False
        await port.put([running.intake(5, sample("battery", 5))])
        await until(lambda: 5 in running.acknowledged, "kept on disk again")
        assert running.points(Lane.TELEMETRY) == ["battery"]


def test_rubbish_cannot_flood():
    counters = Counters()
    letters = DeadLetters(counters)
    made = [letters.letter("rs/1", "wrong CRC", b"\xff" * 9000, n * 10_000_000) for n in range(250)]
    sent = [entry for letter in made for entry in letter]
    assert len(sent) == 3
    assert counters.malformed == 250
    assert (sent[0].point, sent[0].event) == (MALFORMED, "wrong CRC")
    assert len(str(sent[0].value)) <= 4096 * 4 / 3 + 4
