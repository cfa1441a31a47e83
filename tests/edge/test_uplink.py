"""The uplink against a real NATS server that goes away, refuses and comes back."""

import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import nats
import pytest

from edge.bus import Bus
from edge.outbox import Group, Outbox
from edge.uplink import Uplink
from readings import Lane, Sample, wire
from readings.subjects import OUTAGE_HEADER
from tests.edge.conftest import Streams, until


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "outbox.db", "e1", base=0)
    yield box
    box.close()


def commit(outbox, lane, count, *, age=0.0):
    created = time.time_ns() - int(age * 1e9)
    for n in range(count):
        outbox.commit(Group({lane: [Sample("z2m/a", "p", n, created)]}), created)


@asynccontextmanager
async def sending(outbox, url):
    worker = ThreadPoolExecutor(1)

    async def read(lane, after, limit):
        if found := outbox.recent(lane, after, limit):
            return found
        return await asyncio.get_running_loop().run_in_executor(worker, outbox.read, lane, after, limit)

    uplink = Uplink(outbox, read, Bus(url))
    task = asyncio.create_task(uplink.run())
    yield uplink
    task.cancel()
    await asyncio.wait([task])
    worker.shutdown()


async def drained(uplink, limit=30):
    async with asyncio.timeout(limit):
        await uplink.drain()


async def test_batches_arrive_once_in_order_under_their_message_ids(nats_server, streams, outbox):
    commit(outbox, Lane.TELEMETRY, 200)
    async with sending(outbox, nats_server.url) as uplink:
        await drained(uplink)
        commit(outbox, Lane.TELEMETRY, 50)
        uplink.notify()
        await drained(uplink)
    messages = await streams.messages(Lane.TELEMETRY)
    numbers = range(1, len(messages) + 1)
    assert [m.headers["Nats-Msg-Id"] for m in messages] == [f"e1:telemetry:{n}" for n in numbers]
    assert [batch.seq for batch in _decoded(messages)] == [*numbers]
    assert _values(messages) == [*range(200), *range(50)]
    assert len(messages) < 200  # what had to wait is sent in fewer batches than it came
    assert outbox.depth[Lane.TELEMETRY].batches == 0


async def test_an_outbox_put_back_from_a_copy_is_noticed_when_it_sends(
    nats_server, streams, tmp_path, caplog
):
    """But batches that come again because nobody heard that they had arrived are nothing to speak of."""
    path = tmp_path / "box" / "outbox.db"
    box = Outbox(path, "e1")
    commit(box, Lane.ALARM, 3)
    box.close()
    shutil.copytree(path.parent, tmp_path / "copy")
    for count in (2, 0, 4):
        caplog.clear()
        if count == 4:
            shutil.rmtree(path.parent)
            shutil.copytree(tmp_path / "copy", path.parent)
        box = Outbox(path, "e1")
        async with sending(box, nats_server.url) as uplink:
            await drained(uplink)
            assert not [record for record in caplog.records if record.levelname == "CRITICAL"]
            commit(box, Lane.ALARM, count)
            uplink.notify()
            await drained(uplink)
        told = [record for record in caplog.records if record.levelname == "CRITICAL"]
        assert len(told) == (count == 4)
        box.close()


async def test_live_batches_carry_no_outage_mark_and_old_ones_do(nats_server, streams, outbox):
    commit(outbox, Lane.ALARM, 2, age=60)
    async with sending(outbox, nats_server.url) as uplink:
        await drained(uplink)
        commit(outbox, Lane.ALARM, 1)
        uplink.notify()
        await drained(uplink)
    marks = [OUTAGE_HEADER in (m.headers or {}) for m in await streams.messages(Lane.ALARM)]
    assert marks == [True, True, False]


async def test_after_an_outage_alarms_come_before_telemetry(nats_server, streams, outbox):
    nats_server.kill()
    commit(outbox, Lane.TELEMETRY, 300, age=60)
    commit(outbox, Lane.ALARM, 100, age=30)
    async with sending(outbox, nats_server.url) as uplink:
        await until(lambda: uplink.lanes[Lane.ALARM].problem and not uplink.up, "it has noticed")
        nats_server.start()
        await drained(uplink)
    client = await nats.connect(nats_server.url)
    again = Streams(client)
    alarms, telemetry = [await again.messages(lane) for lane in (Lane.ALARM, Lane.TELEMETRY)]
    await client.close()
    assert _values(alarms) == [*range(100)]
    assert _values(telemetry) == [*range(300)]
    # Telemetry asks whether alarms wait before each batch, so at most its first may cross the last alarms.
    assert alarms[-1].metadata.timestamp <= telemetry[1].metadata.timestamp


def _decoded(messages):
    return [wire.decode_samples(message.data) for message in messages]


def _values(messages):
    return [sample.value for batch in _decoded(messages) for sample in batch.samples]


async def test_a_server_killed_again_and_again_loses_and_repeats_nothing(nats_server, streams, outbox):
    async with sending(outbox, nats_server.url) as uplink:
        for _ in range(4):
            commit(outbox, Lane.ALARM, 40)
            uplink.notify()
            depth = outbox.depth[Lane.ALARM]
            await until(lambda d=depth: d.stored >= d.seq - 30, "some are stored")
            nats_server.kill()
            nats_server.start()
        await drained(uplink)
    client = await nats.connect(nats_server.url)
    batches = await Streams(client).batches(Lane.ALARM)
    await client.close()
    assert [batch.seq for batch in batches] == list(range(1, 161))


async def test_telemetry_follows_as_soon_as_alarms_have_a_connection(nats_server, streams, outbox):
    nats_server.kill()
    commit(outbox, Lane.TELEMETRY, 5)
    commit(outbox, Lane.ALARM, 5)
    async with sending(outbox, nats_server.url) as uplink:
        telemetry = uplink.lanes[Lane.TELEMETRY]
        rest, rests = telemetry._rest, []

        async def for_days(delay):
            rests.append(delay)
            await rest(1e6)

        telemetry._rest = for_days
        await until(lambda: rests, "telemetry has given up for long")
        nats_server.start()
        await drained(uplink)


async def test_an_outbox_that_is_made_anew_is_sent_from_its_beginning(nats_server, streams, tmp_path):
    """Also when its places come before those of the damaged one."""
    box = Outbox(tmp_path / "box" / "outbox.db", "e1", base=2**61)
    async with sending(box, nats_server.url) as uplink:
        commit(box, Lane.ALARM, 3)
        uplink.notify()
        await drained(uplink)
        box._file._suspicion, box._file._base = "a test says so", 5
        box._file._drop()
        commit(box, Lane.ALARM, 4)
        uplink.notify()
        await until(lambda: box.depth[Lane.ALARM].base < 2**61, "it is another life")
        await drained(uplink)
    values = _values(await streams.messages(Lane.ALARM))
    assert values == [0, 1, 2, 0, 1, 2, 3]
    box.close()


async def test_without_streams_it_waits_and_says_so(nats_server, outbox):
    commit(outbox, Lane.ALARM, 3)
    async with sending(outbox, nats_server.url) as uplink:
        await until(lambda: "no stream" in uplink.problem, "it says what is missing")
        assert outbox.depth[Lane.ALARM].batches == 3
        client = await nats.connect(nats_server.url)
        streams = Streams(client)
        await streams.create()
        await drained(uplink)
        assert [batch.seq for batch in await streams.batches(Lane.ALARM)] == [1, 2, 3]
        assert uplink.problem == ""
        await client.close()


async def test_a_full_stream_keeps_the_rest_and_the_alarm_lane_undelayed(nats_server, outbox):
    client = await nats.connect(nats_server.url)
    streams = Streams(client)
    await streams.create(max_msgs=10)
    commit(outbox, Lane.TELEMETRY, 25)
    async with sending(outbox, nats_server.url) as uplink:
        telemetry = uplink.lanes[Lane.TELEMETRY]
        await until(lambda: "maximum messages" in telemetry.problem, "it says what is full")
        commit(outbox, Lane.ALARM, 5)
        uplink.notify()
        async with asyncio.timeout(10):
            await uplink.lanes[Lane.ALARM].empty.wait()
        assert outbox.depth[Lane.TELEMETRY].stored == 10
        for full in (20, 25):
            await client.jetstream().purge_stream("SAMPLES_TELEMETRY")
            await until(lambda full=full: outbox.depth[Lane.TELEMETRY].stored == full, "the next ones fit")
        await drained(uplink)
        assert [batch.seq for batch in await streams.batches(Lane.TELEMETRY)][-1] == 25
    await client.close()


async def test_the_servers_clock_is_learnt(nats_server, streams, outbox):
    async with sending(outbox, nats_server.url) as uplink:
        await until(lambda: uplink.up, "both lanes have their connection")
        offset = await uplink.clock_offset()
    assert offset is not None
    assert abs(offset) < 5


async def test_what_is_in_flight_at_a_stop_is_heard_of_and_not_sent_again(nats_server, streams, outbox):
    commit(outbox, Lane.TELEMETRY, 1000)
    async with sending(outbox, nats_server.url) as uplink:
        await until(lambda: outbox.depth[Lane.TELEMETRY].stored > 100, "it sends")
        async with asyncio.timeout(10):
            await uplink.settle()
        settled = outbox.depth[Lane.TELEMETRY].stored  # each place is one sample here, a batch may hold many
        there = len(await streams.samples(Lane.TELEMETRY))
        assert outbox.depth[Lane.TELEMETRY].stored == settled == there
