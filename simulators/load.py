"""Load for measurements: sample batches as an edge publishes them, and single MQTT messages.

Both number what they send and tell what was acknowledged, so that whoever measures can count losses
and duplicates; both cost little, because they run on the machine that is measured.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import nats
import nats.errors
import nats.js.errors
from nats.js.client import JetStreamContext

from readings import Lane, Sample, SampleBatch, Scalar
from readings.subjects import message_id, samples_subject
from readings.wire import encode
from simulators.mqtt_frames import connect, publish, read_packets

RETRY_PAUSE: Final = 0.05
"""Seconds before a batch that the stream refused (full: back-pressure) is offered again."""


@dataclass(frozen=True, slots=True)
class BatchLoad:
    """What one edge sends in one lane."""

    edge: str
    lane: Lane
    sources: Sequence[str]
    """Native addresses (``<connection>/<address>``), taken in turn."""
    points: Sequence[str]
    """Native points that every source reports."""
    rate: float
    """Readings a second; 0 means as fast as the stream takes them."""
    seconds: float
    batch: int = 100
    """Readings in a batch."""
    first_seq: int = 1
    value: Callable[[int], Scalar] = field(default=lambda number: 20.0 + number % 1_000 / 100)
    """The value of the n-th reading."""
    series: Sequence[tuple[str, str]] = ()
    """Instead of every point of every source: these (source, point), in turn."""


@dataclass(slots=True)
class LoadResult:
    """What a load did. Latencies are seconds from handing over to the acknowledgement."""

    messages: int = 0
    readings: int = 0
    refused: int = 0
    """Attempts that the receiver turned away; each was repeated until it was taken."""
    began: int = 0
    """Nanoseconds since 1970 UTC, and so is `ended`."""
    ended: int = 0
    behind: float = 0.0
    """Seconds that the sender was behind its plan at the end."""
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Readings a second, over the whole time."""
        return self.readings / max((self.ended - self.began) / 1e9, 1e-9)


class BatchMaker:
    """Makes numbered batches; the order of sources and points goes round."""

    def __init__(self, load: BatchLoad, now: Callable[[], int]) -> None:
        self._load = load
        self._now = now
        every = ((source, point) for source in load.sources for point in load.points)
        self._series = [*(load.series or every)]
        self.seq = load.first_seq
        self.number = 0

    def __call__(self) -> SampleBatch:
        """The next batch."""
        load, series, number, taken = self._load, self._series, self.number, self._now()
        count = len(series)
        samples = []
        for n in range(number, number + load.batch):
            source, point = series[n % count]
            # a nanosecond apart: one series twice in a batch must stay two readings
            samples.append(Sample(source, point, load.value(n), taken + n - number))
        self.number += load.batch
        batch = SampleBatch(load.edge, load.lane, self.seq, tuple(samples))
        self.seq += 1
        return batch


async def publish_batches(
    url: str,
    loads: Sequence[BatchLoad],
    *,
    user: str | None = None,
    password: str | None = None,
    in_flight: int = 64,
    partition: int = 0,
) -> dict[tuple[str, Lane], LoadResult]:
    """Publish all `loads` at once, as their edges would; a result per (edge, lane).

    ``Nats-Msg-Id`` and subject are those of readings/; at most `in_flight` batches per lane wait for
    their acknowledgement. A stream that is full is asked again; nothing is skipped. Raises
    `nats.errors.Error` when the server goes away for good.
    """
    connection = await nats.connect(
        url, user=user, password=password, max_reconnect_attempts=-1, name="gridwarden-load"
    )
    try:
        stream = connection.jetstream(timeout=10)
        async with asyncio.TaskGroup() as tasks:
            running = {
                (load.edge, load.lane): tasks.create_task(
                    _publish(stream, load, in_flight, partition), name=f"load {load.edge} {load.lane}"
                )
                for load in loads
            }
        return {key: task.result() for key, task in running.items()}
    finally:
        await connection.close()


async def _publish(stream: JetStreamContext, load: BatchLoad, in_flight: int, partition: int) -> LoadResult:
    make = BatchMaker(load, time.time_ns)
    subject = samples_subject(load.edge, load.lane, partition)
    result = LoadResult(began=time.time_ns())
    start = time.monotonic()
    room = asyncio.Semaphore(in_flight)
    pause = load.batch / load.rate if load.rate else 0.0
    planned = 0

    async def one(batch: SampleBatch) -> None:
        payload = encode(batch)
        headers = {"Nats-Msg-Id": message_id(batch.edge, batch.lane, batch.seq)}
        handed = time.monotonic()
        while True:
            try:
                await stream.publish(subject, payload, headers=headers)
                break
            except (nats.js.errors.APIError, nats.errors.TimeoutError, nats.errors.NoRespondersError):
                result.refused += 1
                await asyncio.sleep(RETRY_PAUSE)
        result.latencies.append(time.monotonic() - handed)
        result.messages += 1
        result.readings += len(batch.samples)
        room.release()

    async with asyncio.TaskGroup() as tasks:
        while (elapsed := time.monotonic() - start) < load.seconds:
            due = planned * pause
            if elapsed < due:
                await asyncio.sleep(due - elapsed)
                continue
            await room.acquire()
            tasks.create_task(one(make()))
            planned += 1
    result.ended = time.time_ns()
    result.behind = max(0.0, min(time.monotonic() - start, load.seconds) - planned * pause) if pause else 0.0
    return result


Payload = Callable[[int], bytes]
"""The payload of the n-th message."""


def numbered(point: str, others: Mapping[str, Scalar] | None = None) -> Payload:
    """Zigbee2MQTT-like payloads whose native `point` carries the message's number (from 1).

    With `others`, these values come along in every message.
    """
    rest = msgspec.json.encode(dict(others or {}))[1:-1]
    tail = b"," + rest + b"}" if rest else b"}"
    head = b'{"' + point.encode() + b'":'
    return lambda number: head + b"%d" % number + tail


@dataclass(frozen=True, slots=True)
class MessageLoad:
    """Single MQTT messages at a rate, or as fast as the broker acknowledges."""

    topics: Sequence[str]
    """Taken in turn."""
    payload: Payload
    seconds: float
    rate: float = 0.0
    """Messages a second; 0 means as fast as possible."""
    in_flight: int = 1_000
    """Messages that may wait for their acknowledgement (QoS 1)."""


async def publish_messages(
    host: str,
    port: int,
    load: MessageLoad,
    *,
    username: str | None = None,
    password: str | None = None,
    identifier: str = "gridwarden-load",
) -> LoadResult:
    """Publish `load` with QoS 1 and wait until everything is acknowledged; raises ConnectionError.

    Speaks MQTT 3.1.1 itself (CONNECT, PUBLISH, PUBACK and PINGREQ only), about 3 µs a message: a
    client library's 50 to 100 µs would be most of what is measured.
    """
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(connect(identifier, username, password))
    packets = read_packets(reader)
    kind, body = await anext(packets)
    if kind != 0x20 or body[1] != 0:
        raise ConnectionError(f"the broker refused the connection (code {body[1] if len(body) > 1 else '?'})")
    result = LoadResult(began=time.time_ns())
    waiting: deque[tuple[int, float]] = deque()
    acknowledged = asyncio.Event()

    async def take_acknowledgements() -> None:
        async for kind, body in packets:
            if kind == 0x40:
                number = int.from_bytes(body, "big")
                while waiting:
                    first, handed = waiting.popleft()
                    result.latencies.append(time.monotonic() - handed)
                    if first == number:
                        break
                acknowledged.set()
        raise ConnectionError("the broker closed the connection")

    async def send() -> None:
        start = time.monotonic()
        topics = [topic.encode() for topic in load.topics]
        count = len(topics)
        number = 0
        while (now := time.monotonic()) - start < load.seconds:
            room = load.in_flight - len(waiting)
            due = int((now - start) * load.rate) - number if load.rate else room
            burst = min(room, due, 200)
            if room <= 0:
                acknowledged.clear()
                await acknowledged.wait()
                continue
            if due <= 0:
                await asyncio.sleep(min(1 / load.rate, 0.005))
                continue
            frames = []
            for _ in range(burst):
                number += 1
                identity = (number - 1) % 65_535 + 1
                frames.append(publish(topics[number % count], load.payload(number), identity))
                waiting.append((identity, now))
            writer.write(b"".join(frames))
            await writer.drain()
            await asyncio.sleep(0)
        result.messages = result.readings = number
        while waiting:
            acknowledged.clear()
            await acknowledged.wait()
        result.ended = time.time_ns()

    try:
        listening = asyncio.ensure_future(take_acknowledgements())
        sending = asyncio.ensure_future(send())
        done, pending = await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()
    finally:
        writer.write(b"\xe0\x00")
        writer.close()
    return result
