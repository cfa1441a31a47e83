"""Batches on the bus, held back, copied and put back, on a real server."""

from pathlib import Path

from ingest.bus import Bus
from ingest.sequences import BatchId
from ingest.stream_copy import StreamFile, batch_of, hold_readings, put_back, read_stream
from ingest.streams import ensure_consumer
from readings import Lane
from readings.subjects import OUTAGE_HEADER, message_id, readings_subject, samples_stream
from tests.conftest import ServerProcess
from tests.ingest.world import batch, sample, send


def test_a_message_id_names_a_batch_or_nothing() -> None:
    assert batch_of("edge-1:alarm:17") == BatchId("edge-1", Lane.ALARM, 17)
    for other in (
        "",
        "edge-1",
        "edge-1:alarm",
        "edge-1:alarm:x",
        "edge-1:noise:17",
        "a:alarm:1:2",
        "a:alarm:-1",
    ):
        assert batch_of(other) is None


async def test_samples_go_to_a_file_and_to_another_bus_in_their_order(bus: Bus, tmp_path: Path) -> None:
    sent = [batch(seq, [sample("smoke-1", "battery", seq)]) for seq in range(1, 201)]
    await send(bus, *sent, Edge="north")
    await bus.publish("samples.0.edge-1.telemetry", b"rubbish", "")
    with StreamFile(tmp_path / "s.db", create=True) as file:
        async for message in read_stream(bus.jetstream, samples_stream(Lane.TELEMETRY)):
            file.add(message)
        file.keep(lambda message: message.batch is None or message.batch.seq > 50)
        assert len(file) == 151
    for lane in Lane:
        await bus.jetstream.purge_stream(samples_stream(lane))
    with StreamFile(tmp_path / "s.db") as file:
        assert await put_back(bus, file.messages(), 1) == 151
    again = [m async for m in read_stream(bus.jetstream, samples_stream(Lane.TELEMETRY))]
    assert [m.batch.seq for m in again if m.batch] == [*range(51, 201)]
    assert again[-1].payload == b"rubbish"
    assert again[0].headers["Edge"] == "north"
    assert again[0].headers[OUTAGE_HEADER] == "1"


async def test_putting_back_again_after_a_failure_stores_once(bus: Bus, tmp_path: Path) -> None:
    await send(bus, *(batch(seq, [sample("smoke-1", "battery", seq)]) for seq in range(1, 11)))
    with StreamFile(tmp_path / "s.db", create=True) as file:
        async for message in read_stream(bus.jetstream, samples_stream(Lane.TELEMETRY)):
            file.add(message)
        file.keep(lambda _: True)
        for _ in range(2):
            await put_back(bus, file.messages(), 1)
    there = [m.batch async for m in read_stream(bus.jetstream, samples_stream(Lane.TELEMETRY))]
    assert len(there) == 20  # the edge's own, and those put back
    assert {*there} == {BatchId("edge-1", Lane.TELEMETRY, seq) for seq in range(1, 11)}


async def test_what_its_last_reader_acknowledges_is_held_back_and_then_let_go(
    bus: Bus, nats_server: ServerProcess
) -> None:
    name, jetstream = "READINGS_TELEMETRY", bus.jetstream

    async def there() -> list[int]:
        return [m.batch.seq async for m in read_stream(jetstream, name) if m.batch]

    async def publish(seq: int) -> None:
        await bus.publish(readings_subject(Lane.TELEMETRY), b"x", message_id("e1", Lane.TELEMETRY, seq))

    await ensure_consumer(jetstream, name, "store-embedded")
    reader = await bus.consume(name, "store-embedded")

    async def read(count: int) -> None:
        while count:
            for delivery in await reader.take(count):
                await delivery.ack()
                count -= 1
        await bus.flush()

    await publish(1)
    await publish(2)
    await read(1)
    async with hold_readings(jetstream):
        await publish(3)
        await read(2)
        assert await there() == [2, 3]
        assert (await jetstream.stream_info(name)).state.consumer_count == 2
    assert await there() == []
    assert (await jetstream.stream_info(name)).state.consumer_count == 1
