"""Publishing, streams and delivery on a real NATS server that is broken and mended."""

import asyncio
import os
import signal
from typing import Any

import pytest
from nats.js.api import RetentionPolicy, StreamConfig

import ingest.consumer
from ingest.bus import Bus, BusUnavailable, Credentials, StreamFull
from ingest.streams import StreamLimits, StreamMismatch, forget_consumer, unread_streams
from readings import Lane
from tests.conftest import free_port
from tests.ingest.world import eventually

SAMPLES = "SAMPLES_TELEMETRY"
SUBJECT = "samples.0.edge-1.telemetry"


async def fill(bus: Bus, n: int, first: int = 1) -> None:
    await asyncio.gather(
        *(bus.publish(SUBJECT, str(i).encode(), f"edge-1:telemetry:{i}") for i in range(first, first + n))
    )


async def drain(consumer: Any, n: int, *, ack: bool = True) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(40):
        while len(found) < n:
            for delivery in await consumer.take(16):
                found.append(int(delivery.payload))
                if ack:
                    await delivery.ack()
    return found


async def test_a_message_id_is_stored_once(bus: Bus) -> None:
    first = await bus.publish(SUBJECT, b"x", "edge-1:telemetry:1")
    again = await bus.publish(SUBJECT, b"x", "edge-1:telemetry:1")
    assert (first.duplicate, again.duplicate) == (False, True)
    assert (await bus.jetstream.stream_info(SAMPLES)).state.messages == 1


async def test_messages_come_in_order_with_the_time_they_were_stored(bus: Bus) -> None:
    await fill(bus, 300)
    consumer = await bus.consume(SAMPLES, "test")
    assert await drain(consumer, 300) == [*range(1, 301)]
    await fill(bus, 10, first=301)
    deliveries = await consumer.take(100)
    assert all(delivery.stored_at > 1_700_000_000 * 10**9 for delivery in deliveries)
    assert [delivery.stream_seq for delivery in deliveries] == sorted(d.stream_seq for d in deliveries)


async def test_what_a_crashed_reader_had_in_hand_comes_again_before_anything_newer(
    nats_server: Any, bus: Bus
) -> None:
    await fill(bus, 100)
    crashed = await Bus.connect(nats_server.url)
    held = await (await crashed.consume(SAMPLES, "test")).take(40)
    for delivery in held[:10]:
        await delivery.ack()
    await crashed.flush()
    await crashed._client.close()
    consumer = await bus.consume(SAMPLES, "test")
    found: list[int] = []
    while 100 not in found:
        found += await drain(consumer, 1)
    assert found[0] <= 11  # the server may not have got to the last acknowledgements before the crash
    assert found == [*range(found[0], 101)]


async def test_delivery_goes_on_in_order_after_the_server_was_killed(nats_server: Any, bus: Bus) -> None:
    consumer = await bus.consume(SAMPLES, "test")
    await fill(bus, 200)
    found = await drain(consumer, 50)
    nats_server.kill()
    await asyncio.to_thread(nats_server.start)
    await eventually(lambda: bus.connected, "connected again")
    await fill(bus, 50, first=201)
    while len(set(found)) < 250:
        found += await drain(consumer, 1)
    seen: list[int] = []
    for number in found:
        if number not in seen:
            seen.append(number)
    assert seen == [*range(1, 251)]


@pytest.mark.parametrize("held", [0, 3])
async def test_what_a_killed_server_did_not_answer_is_asked_again(
    nats_server: Any, bus: Bus, held: int
) -> None:
    await fill(bus, 5)
    before = await Bus.connect(nats_server.url)
    await (await before.consume(SAMPLES, "test")).take(held)
    await before._client.close()  # crashed: what it held has to come first, and is asked for
    os.kill(nats_server.process.pid, signal.SIGSTOP)
    opening = asyncio.create_task(bus.consume(SAMPLES, "test"))
    streams = asyncio.create_task(bus.ensure_streams())
    await asyncio.sleep(0.2)  # sent, and never read
    nats_server.kill()
    await asyncio.to_thread(nats_server.start)
    await streams
    assert await drain(await opening, 5) == [1, 2, 3, 4, 5]


async def test_what_the_server_refuses_is_not_asked_again(bus: Bus) -> None:
    with pytest.raises(BusUnavailable, match=r"opening consumer test of ELSEWHERE: .*stream not found"):
        await bus.consume("ELSEWHERE", "test")


async def test_what_comes_while_the_order_is_restored_is_not_dropped_for_an_ack_wait(
    nats_server: Any, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = await bus.consume(SAMPLES, "test")
    looked = asyncio.Event()
    look = ingest.consumer.ensure_consumer

    async def look_and_then_something_comes(*arguments: Any) -> Any:
        found = await look(*arguments)
        if not looked.is_set():
            async with await Bus.connect(nats_server.url) as other:
                await fill(other, 1)
            await asyncio.sleep(0.3)  # it is delivered, to whoever has asked
            looked.set()
        return found

    monkeypatch.setattr(ingest.consumer, "ensure_consumer", look_and_then_something_comes)
    consumer.interrupted()
    await looked.wait()
    (delivery,) = await consumer.take(1, within=10)
    assert delivery.delivered == 1


async def test_held_deliveries_stay_ours_beyond_the_ack_wait(bus: Bus) -> None:
    await fill(bus, 5)
    consumer = await bus.consume(SAMPLES, "test", ack_wait=0.6)
    held = await consumer.take(5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            await consumer.take(1)
    for delivery in held:
        await delivery.ack()
    await bus.flush()
    await eventually(lambda: _pending_is(consumer, (0, 0)), "nothing left")


async def _pending_is(consumer: Any, wanted: tuple[int, int]) -> bool:
    return await consumer.pending() == wanted


async def test_retry_later_delivers_again(bus: Bus) -> None:
    await fill(bus, 1)
    consumer = await bus.consume(SAMPLES, "test")
    (first,) = await consumer.take(1)
    await first.retry_later(0.1)
    (again,) = await consumer.take(1)
    assert (again.stream_seq, again.delivered) == (first.stream_seq, 2)


async def test_a_full_stream_pushes_back_and_keeps_the_order(nats_server: Any) -> None:
    async with await Bus.connect(nats_server.url) as bus:
        await bus.ensure_streams(StreamLimits(samples_telemetry=20_000))
        sizes = [bus.publish(SUBJECT, bytes(1000), f"edge-1:telemetry:{i}") for i in range(100)]
        outcomes = await asyncio.gather(*sizes, return_exceptions=True)
        assert isinstance(outcomes[-1], StreamFull)
        messages = [("a", bytes(3000)), ("b", bytes(10)), ("c", bytes(10))]
        refused = await bus.publish_in_order(SUBJECT, messages)
        assert all(isinstance(result, BusUnavailable) for result in refused)
        consumer = await bus.consume(SAMPLES, "test")
        for delivery in await consumer.take(10):
            await delivery.ack()
        await bus.flush()

        async def taken() -> bool:
            return await bus.publish_in_order(SUBJECT, messages) == [None, None, None]

        await eventually(taken, "room again")


async def test_streams_are_adjusted_to_new_limits(bus: Bus) -> None:
    await bus.ensure_streams(StreamLimits(samples_telemetry=77 * 1024**2))
    config = (await bus.jetstream.stream_info(SAMPLES)).config
    assert config.max_bytes == 77 * 1024**2


async def test_a_stream_that_is_something_else_is_refused(nats_server: Any) -> None:
    async with await Bus.connect(nats_server.url) as bus:
        await bus.jetstream.add_stream(
            StreamConfig(name="SAMPLES_ALARM", subjects=["other.>"], retention=RetentionPolicy.LIMITS)
        )
        with pytest.raises(StreamMismatch, match=r"SAMPLES_ALARM exists with subjects \['other.>'\]"):
            await bus.ensure_streams()


async def test_streams_that_do_not_fit_the_server_are_refused(bus: Bus) -> None:
    with pytest.raises(StreamMismatch, match="READINGS_TELEMETRY cannot be adjusted: insufficient storage"):
        await bus.ensure_streams(StreamLimits(readings_telemetry=2**50))


async def test_readings_wait_for_every_consumer_that_exists(bus: Bus) -> None:
    assert await unread_streams(bus.jetstream) == ["READINGS_ALARM", "READINGS_TELEMETRY"]
    one = await bus.consume("READINGS_TELEMETRY", "one")
    await bus.consume("READINGS_TELEMETRY", "two")
    assert await unread_streams(bus.jetstream) == ["READINGS_ALARM"]
    await bus.publish("readings.0.telemetry", b"1", "edge-1:telemetry:1")
    await drain(one, 1)
    await bus.flush()

    async def messages(n: int) -> bool:
        return (await bus.jetstream.stream_info("READINGS_TELEMETRY")).state.messages == n

    await eventually(lambda: messages(1), "kept for the other")
    await forget_consumer(bus.jetstream, "READINGS_TELEMETRY", "two")
    await eventually(lambda: messages(0), "gone when nobody waits for it")


async def test_no_server_is_said_clearly() -> None:
    with pytest.raises(BusUnavailable, match=r"no connection to NATS at 127\.0\.0\.1"):
        await Bus.connect(f"nats://user:secret@127.0.0.1:{free_port()}", patience=0.5)


def test_credentials_do_not_show_their_secrets() -> None:
    assert "hunter2" not in repr(Credentials(user="edge", password="hunter2", token="hunter2"))


def test_lanes_have_streams_of_their_own() -> None:
    from ingest.streams import stream_configs

    names = {config.name for config in stream_configs(StreamLimits())}
    assert names == {f"{kind}_{lane.name}" for kind in ("SAMPLES", "READINGS") for lane in Lane}
