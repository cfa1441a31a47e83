"""Load: everything sent is acknowledged, numbered and counted."""

import asyncio
import json

import aiomqtt
import nats
import pytest

from readings import Lane
from readings.subjects import samples_stream
from readings.wire import decode_samples
from simulators.load import BatchLoad, BatchMaker, MessageLoad, numbered, publish_batches, publish_messages
from simulators.mqtt_frames import length


async def stream(connection, lane: Lane, **limits):
    return await connection.jetstream().add_stream(
        name=samples_stream(lane), subjects=[f"samples.0.*.{lane.value}"], **limits
    )


async def test_batches_arrive_as_an_edge_would_send_them(nats_server):
    connection = await nats.connect(nats_server.url)
    await stream(connection, Lane.ALARM)
    await stream(connection, Lane.TELEMETRY)
    loads = [
        BatchLoad(
            "e1", lane, ["z2m/a", "z2m/b"], ["temperature", "humidity"], rate=2_000, seconds=0.5, batch=50
        )
        for lane in Lane
    ]
    results = await publish_batches(nats_server.url, loads)
    for lane in Lane:
        result = results["e1", lane]
        assert result.readings == 50 * result.messages > 0
        assert len(result.latencies) == result.messages
        subscription = await connection.jetstream().pull_subscribe(f"samples.0.e1.{lane.value}", "test")
        messages = await subscription.fetch(result.messages, timeout=10)
        batches = [decode_samples(message.data) for message in messages]
        assert [batch.seq for batch in batches] == list(range(1, result.messages + 1))
        assert messages[0].headers["Nats-Msg-Id"] == f"e1:{lane.value}:1"
        series = [(s.source, s.point, s.taken) for batch in batches for s in batch.samples]
        assert len(set(series)) == len(series), "every reading has a time of its own"
    await connection.close()


async def test_a_full_stream_is_asked_again_until_there_is_room(nats_server):
    connection = await nats.connect(nats_server.url)
    await stream(connection, Lane.ALARM, max_msgs=3, discard="new", retention="workqueue")
    load = BatchLoad("e1", Lane.ALARM, ["z2m/a"], ["smoke"], rate=0, seconds=0.2, batch=10)
    loading = asyncio.create_task(publish_batches(nats_server.url, [load], in_flight=4))
    seen: set[int] = set()
    subscription = await connection.jetstream().pull_subscribe("samples.0.e1.alarm", "test")
    async with asyncio.timeout(30):
        while not loading.done() or seen != set(range(1, loading.result()["e1", Lane.ALARM].messages + 1)):
            try:
                messages = await subscription.fetch(10, timeout=0.2)
            except TimeoutError:
                messages = []
            for message in messages:
                seen.add(decode_samples(message.data).seq)
                await message.ack_sync()
    assert loading.result()["e1", Lane.ALARM].refused > 0
    await connection.close()


def test_batches_go_round_all_series():
    load = BatchLoad("e", Lane.ALARM, ["a", "b"], ["x", "y"], rate=1, seconds=1, batch=3, value=lambda n: n)
    make = BatchMaker(load, lambda: 1_000)
    first, second = make(), make()
    assert [(s.source, s.point, s.value) for s in first.samples] == [
        ("a", "x", 0),
        ("a", "y", 1),
        ("b", "x", 2),
    ]
    assert (second.samples[0].source, second.samples[0].point, second.seq) == ("b", "y", 2)


async def test_every_message_is_acknowledged_and_heard_by_its_number(mosquitto_broker):
    topics = [f"zigbee2mqtt/load-{number}" for number in range(20)]
    load = MessageLoad(topics, numbered("voltage", {"battery": 97}), seconds=0.3)
    async with aiomqtt.Client("127.0.0.1", mosquitto_broker.port) as client:
        await client.subscribe("zigbee2mqtt/#", qos=1)
        result = await publish_messages("127.0.0.1", mosquitto_broker.port, load)
        assert result.messages == len(result.latencies) > 100
        numbers: set[int] = set()
        async with asyncio.timeout(60):
            async for message in client.messages:
                payload = json.loads(bytes(message.payload))
                assert payload["battery"] == 97
                numbers.add(payload["voltage"])
                if len(numbers) == result.messages:
                    break
    assert numbers == set(range(1, result.messages + 1))


async def test_a_rate_is_kept(mosquitto_broker):
    load = MessageLoad(["t"], numbered("n"), seconds=1.0, rate=200)
    result = await publish_messages("127.0.0.1", mosquitto_broker.port, load)
    assert 150 <= result.messages <= 200


async def test_a_broker_that_goes_away_is_an_error(mosquitto_broker):
    load = MessageLoad(["t"], numbered("n"), seconds=30, rate=100)
    task = asyncio.create_task(publish_messages("127.0.0.1", mosquitto_broker.port, load))
    await asyncio.wait_for(_first_message(mosquitto_broker.port), 20)
    mosquitto_broker.kill()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(task, 20)


async def _first_message(port: int) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("t")
        await anext(client.messages)


@pytest.mark.parametrize(
    ("size", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (268_435_455, "ffffff7f")]
)
def test_remaining_lengths_are_those_of_the_standard(size, encoded):
    assert length(size).hex() == encoded
