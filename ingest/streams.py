"""The four streams and what they must be like.

``SAMPLES_*`` are work queues: a batch stays until the normaliser has it in the ledger, whether or not a
normaliser runs. ``READINGS_*`` keep a batch until every consumer that exists has acknowledged it; so the
consumers must exist before the first batch is published (`ensure_consumer`), and one that is no longer
used must be deleted (`forget_consumer`), or the stream fills.

All are files, refuse new messages when full (back-pressure down to the edge, never silent loss) and know
message ids for ten minutes.
"""

import contextlib
from dataclasses import dataclass
from typing import Final

from nats.js import errors
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ConsumerInfo,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.client import JetStreamContext

from readings import Lane
from readings.subjects import readings_stream, samples_stream

DUPLICATE_WINDOW: Final = 600.0
MAX_ACK_PENDING: Final = 1024

_FIXED: Final = ("subjects", "retention", "storage")
"""A stream that differs in these holds something else; it is not ours to change."""
_ADJUSTED: Final = ("discard", "duplicate_window", "max_bytes", "max_age", "max_msgs", "num_replicas")


class StreamMismatch(Exception):
    """A stream or consumer on the server is not what it must be. Stop and show the sentence."""


@dataclass(frozen=True)
class StreamLimits:
    """Bytes that each stream may hold, and copies in a cluster.

    The sum must fit the server's ``max_file_store``.
    """

    samples_alarm: int = 128 * 1024**2
    samples_telemetry: int = 512 * 1024**2
    readings_alarm: int = 128 * 1024**2
    readings_telemetry: int = 1024 * 1024**2
    replicas: int = 1

    @property
    def total(self) -> int:
        """All four together."""
        return self.samples_alarm + self.samples_telemetry + self.readings_alarm + self.readings_telemetry


def stream_configs(limits: StreamLimits) -> list[StreamConfig]:
    """The four streams as they must be."""
    size = {
        samples_stream(Lane.ALARM): limits.samples_alarm,
        samples_stream(Lane.TELEMETRY): limits.samples_telemetry,
        readings_stream(Lane.ALARM): limits.readings_alarm,
        readings_stream(Lane.TELEMETRY): limits.readings_telemetry,
    }
    return [
        StreamConfig(
            name=name(lane),
            subjects=[subject.format(lane=lane.value)],
            retention=retention,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            duplicate_window=DUPLICATE_WINDOW,
            max_bytes=size[name(lane)],
            max_age=0,
            max_msgs=-1,
            num_replicas=limits.replicas,
        )
        for name, subject, retention in (
            (samples_stream, "samples.*.*.{lane}", RetentionPolicy.WORK_QUEUE),
            (readings_stream, "readings.*.{lane}", RetentionPolicy.INTEREST),
        )
        for lane in Lane
    ]


async def ensure_streams(stream: JetStreamContext, limits: StreamLimits) -> None:
    """Make the streams that are missing and adjust the others; raises `StreamMismatch`."""
    for wanted in stream_configs(limits):
        try:
            found = (await stream.stream_info(wanted.name or "")).config
        except errors.NotFoundError:
            try:
                await stream.add_stream(wanted)
            except errors.APIError as error:
                raise StreamMismatch(f"stream {wanted.name} cannot be made: {error.description}") from error
            continue
        for field in _FIXED:
            is_now, must_be = getattr(found, field), getattr(wanted, field)
            if is_now != must_be:
                raise StreamMismatch(
                    f"stream {wanted.name} exists with {field} {_text(is_now)}, but must have"
                    f" {_text(must_be)}; empty and delete it, or give this site a server of its own"
                )
        if any(getattr(found, field) != getattr(wanted, field) for field in _ADJUSTED):
            adjusted = found.evolve(**{field: getattr(wanted, field) for field in _ADJUSTED})
            try:
                await stream.update_stream(adjusted)
            except errors.APIError as error:
                raise StreamMismatch(
                    f"stream {wanted.name} cannot be adjusted: {error.description}"
                ) from error


async def limit_stream(stream: JetStreamContext, name: str, limit: int, *, to_content: bool) -> None:
    """Let the stream hold at most `limit` bytes, or (`to_content`) no more than it holds now.

    It then refuses what is new as a full stream does, and loses nothing: ``discard: new`` never deletes.
    Raises `nats.errors.Error`.
    """
    found = await stream.stream_info(name)
    wanted = min(limit, max(1, found.state.bytes)) if to_content else limit
    if found.config.max_bytes != wanted:
        await stream.update_stream(found.config.evolve(max_bytes=wanted))


async def ensure_consumer(
    stream: JetStreamContext, name: str, durable: str, ack_wait: float = 30.0
) -> ConsumerInfo:
    """Make the durable consumer when it is missing; raises `StreamMismatch`, `nats.errors.Error`."""
    try:
        found: ConsumerInfo = await stream.consumer_info(name, durable)
    except errors.NotFoundError:
        return await stream.add_consumer(
            name,
            ConsumerConfig(
                durable_name=durable,
                ack_policy=AckPolicy.EXPLICIT,
                deliver_policy=DeliverPolicy.ALL,
                ack_wait=ack_wait,
                max_deliver=-1,
                max_ack_pending=MAX_ACK_PENDING,
            ),
        )
    config = found.config
    if config.deliver_subject or config.ack_policy != AckPolicy.EXPLICIT:
        raise StreamMismatch(
            f"consumer {durable} of {name} exists, but does not pull with explicit acknowledgement;"
            " delete it and start again"
        )
    if config.ack_wait != ack_wait:
        return await stream.add_consumer(name, config.evolve(ack_wait=ack_wait))
    return found


def store_consumer(store: str) -> str:
    """The name of a store's consumers on the readings streams."""
    return f"store-{store}"


def rules_consumer(lane: Lane) -> str:
    """The name of the rules' consumer on a lane's stream of readings."""
    return f"rules-{lane}"


async def unread_streams(stream: JetStreamContext) -> list[str]:
    """The readings streams that no consumer exists for: what is published there vanishes."""
    names = [readings_stream(lane) for lane in Lane]
    return [name for name in names if not (await stream.stream_info(name)).state.consumer_count]


async def forget_consumer(stream: JetStreamContext, name: str, durable: str) -> None:
    """Delete a consumer that nobody uses any more, so that its stream does not wait for it.

    Raises `nats.errors.Error`.
    """
    with contextlib.suppress(errors.NotFoundError):
        await stream.delete_consumer(name, durable)


def _text(value: object) -> str:
    return str(getattr(value, "value", value))
