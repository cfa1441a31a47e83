"""What a server that met a full disk forgot to delete does not stay for ever, and is not lost either."""

import asyncio
from pathlib import Path
from typing import Any

import nats.errors
from nats.js.errors import Error as JetStreamError

from chaos.small_disk import MEGABYTE, small_disk
from ingest.bus import Bus
from ingest.leftovers import Leftovers
from ingest.nats_config import ServerPorts
from ingest.nats_server import NatsServer
from readings import Lane, wire
from readings.subjects import OUTAGE_HEADER, message_id, samples_stream, samples_subject
from tests.conftest import free_port
from tests.ingest.world import batch, eventually, sample

STREAM = samples_stream(Lane.TELEMETRY)


async def publish(bus: Bus, seq: int) -> None:
    one = batch(seq, [sample("smoke-1", "battery", n) for n in range(50)])
    subject, identity = samples_subject(one.edge, one.lane), message_id(one.edge, one.lane, one.seq)
    await bus.publish(subject, wire.encode(one), identity, {OUTAGE_HEADER: "1"})


async def taken(consumer: Any, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += await consumer.take(count - len(found))
    return found


async def messages(bus: Bus) -> int:
    return (await bus.jetstream.stream_info(STREAM)).state.messages


async def answers(bus: Bus) -> bool:
    try:
        await messages(bus)
    except (nats.errors.Error, JetStreamError):
        return False
    return True


def seqs(deliveries: list[Any]) -> list[int]:
    return [wire.decode_samples(delivery.payload).seq for delivery in deliveries]


async def test_what_the_server_forgot_to_delete_on_a_full_disk_is_given_out_again_and_goes(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 40 * MEGABYTE) as disk:
        ports = ServerPorts(free_port(), 0, free_port())
        server = NatsServer(disk.folder / "nats", tmp_path / "secrets", ports)
        server.start()
        try:
            async with await Bus.connect(server.url, server.credentials("core")) as bus:
                await bus.ensure_streams()
                consumer = await bus.consume(STREAM, "normaliser")
                for seq in range(1, 51):
                    await publish(bus, seq)
                deliveries = await taken(consumer, 50)
                disk.fill()
                for delivery in deliveries:
                    await delivery.ack()

                async def acknowledged() -> bool:
                    (reader,) = await bus.jetstream.consumers_info(STREAM)
                    return reader.ack_floor is not None and reader.ack_floor.stream_seq == 50

                await eventually(acknowledged, "the server has all acknowledgements")
                disk.clear()
                server.stop()
                server.start()
                await eventually(lambda: answers(bus), "the server is back", 40)
                left = await messages(bus)
                assert left > 0, "this server forgets nothing: the scenario proves nothing"

                leftovers = Leftovers(bus)
                assert await leftovers.look(STREAM) == 0, "perhaps they are just being deleted"
                assert await leftovers.look(STREAM) == left
                again = await taken(consumer, left)
                assert seqs(again) == list(range(51 - left, 51))
                assert again[0].headers[OUTAGE_HEADER] == "1"
                for delivery in again:
                    await delivery.ack()
                await eventually(lambda: _is(messages(bus), 0), "the stream is empty")
                assert await leftovers.look(STREAM) == 0
        finally:
            server.stop()


async def _is(found: Any, wanted: int) -> bool:
    return bool(await found == wanted)


async def test_what_is_on_its_way_is_left_alone(bus: Bus) -> None:
    consumer = await bus.consume(STREAM, "normaliser")
    leftovers = Leftovers(bus)
    for seq in range(1, 11):
        await publish(bus, seq)
    deliveries = await taken(consumer, 10)
    for _ in range(3):
        assert await leftovers.look(STREAM) == 0
    for delivery in deliveries[:5]:
        await delivery.ack()
    for _ in range(3):
        assert await leftovers.look(STREAM) == 0
    for delivery in deliveries[5:]:
        await delivery.ack()
    await eventually(lambda: _is(messages(bus), 0), "all is done with")
    assert await leftovers.look(STREAM) == 0


async def test_a_stream_that_nobody_reads_is_left_alone(bus: Bus) -> None:
    await publish(bus, 1)
    leftovers = Leftovers(bus)
    assert [await leftovers.look(STREAM) for _ in range(3)] == [0, 0, 0]
    assert await messages(bus) == 1
