"""What waits on a real bus, told apart from what somebody has in hand already."""

from gateway.queues import Queue, Queues
from ingest.bus import Bus
from ingest.service import NORMALISER
from ingest.streams import rules_consumer, store_consumer
from readings.lanes import Lane
from readings.subjects import readings_stream, readings_subject, samples_stream
from tests.conftest import ServerProcess


async def test_what_was_taken_and_not_acknowledged_is_in_hand_and_the_rest_waits(
    nats_server: ServerProcess,
) -> None:
    async with await Bus.connect(nats_server.url, name="test") as bus:
        await bus.ensure_streams()
        for lane in Lane:
            await bus.consume(samples_stream(lane), NORMALISER, capacity=1)
            await bus.consume(readings_stream(lane), store_consumer("embedded"), capacity=1)
        rules = {
            lane: await bus.consume(readings_stream(lane), rules_consumer(lane), capacity=2) for lane in Lane
        }
        for number in range(5):
            await bus.publish(readings_subject(Lane.ALARM), b"{}", f"e:alarm:{number}")
        (taken, *_) = await rules[Lane.ALARM].take(2)
        queues = Queues(bus, ["embedded"])
        found = {(queue.reader, queue.lane): queue for queue in await queues.look()}
        seen = found["rules", Lane.ALARM]
        assert seen == Queue("READINGS_ALARM", "rules", Lane.ALARM, 3, 2)
        assert found["normaliser", Lane.TELEMETRY] == Queue(
            "SAMPLES_TELEMETRY", "normaliser", Lane.TELEMETRY, 0, 0
        )
        assert await queues.waiting() == 10
        await taken.ack()


async def test_a_bus_that_does_not_answer_has_no_queues(nats_server: ServerProcess) -> None:
    async with await Bus.connect(nats_server.url, name="test") as bus:
        assert await Queues(bus, ["embedded"]).look() == []
