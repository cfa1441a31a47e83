"""The batches on the bus, copied to one file and put back from it.

Not by JetStream's own snapshots: those hold where every consumer has got to at *their* moment, which is
later than that of the stores' files, so what a store did in between would not be delivered again. Here a
batch is kept when somebody in the copied files still waits for it, and put back under its identity, which
lets every stage find out whether it has done it.

``SAMPLES_*`` can simply be read. In ``READINGS_*`` a batch disappears when the last consumer acknowledges it,
so a consumer of our own holds back everything from its beginning on (`hold_readings`).
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import nats.errors
from nats.js import errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext

from ingest.bus import MESSAGE_ID, Bus
from ingest.database import StoreUnavailable
from ingest.sequences import BatchId
from readings import Lane
from readings.subjects import OUTAGE_HEADER, readings_stream, samples_stream

_READ_AHEAD: Final = 32
_PUT_AHEAD: Final = 64
_FORGOTTEN_AFTER: Final = 900.0
"""Seconds after which the server forgets a holding consumer whose process has died."""

_RESTORED: Final = "restored-"
"""Begins the message id of what was put back, with the time and a colon: no edge may be called so."""

_TABLE: Final = """
CREATE TABLE messages (id INTEGER PRIMARY KEY, stream TEXT NOT NULL, subject TEXT NOT NULL,
    headers TEXT NOT NULL, payload BLOB NOT NULL, stored INTEGER NOT NULL, outbox TEXT NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream; `stored` is when the stream took it, ns since 1970 UTC.

    `outbox` is the edge in whose outbox it waits, for one that no stream has taken yet.
    """

    stream: str
    subject: str
    headers: dict[str, str]
    payload: bytes
    stored: int
    outbox: str = ""

    @property
    def batch(self) -> BatchId | None:
        """The identity that its message id claims; None for what no edge of ours has sent."""
        return batch_of(self.headers.get(MESSAGE_ID, ""))


def batch_of(message_id: str) -> BatchId | None:
    """The batch that a message id (`readings.subjects.message_id`) names, if it names one."""
    if message_id.startswith(_RESTORED):
        message_id = message_id.partition(":")[2]
    edge, _, rest = message_id.partition(":")
    lane, _, seq = rest.partition(":")
    if lane not in [*Lane] or not (seq.isascii() and seq.isdecimal() and len(seq) < 20):
        return None
    return BatchId(edge, Lane(lane), int(seq))


@asynccontextmanager
async def hold_readings(jetstream: JetStreamContext) -> AsyncIterator[None]:
    """Let no batch disappear from ``READINGS_*`` meanwhile; raises `nats.errors.Error`."""
    held: list[tuple[str, str]] = []
    try:
        for lane in Lane:
            name = readings_stream(lane)
            made = await jetstream.add_consumer(
                name,
                ConsumerConfig(
                    ack_policy=AckPolicy.EXPLICIT,
                    deliver_policy=DeliverPolicy.ALL,
                    inactive_threshold=_FORGOTTEN_AFTER,
                    max_ack_pending=1,
                    description="holds back what a backup has yet to copy",
                ),
            )
            held.append((name, made.name))
        yield
    finally:
        for name, consumer in held:
            await jetstream.delete_consumer(name, consumer)


async def read_stream(jetstream: JetStreamContext, name: str) -> AsyncIterator[Message]:
    """What is in the stream now, in order; raises `nats.errors.Error`."""
    try:
        state = (await jetstream.stream_info(name)).state
    except errors.NotFoundError:
        return
    if not state.messages:
        return
    for start in range(state.first_seq, state.last_seq + 1, _READ_AHEAD):
        some = range(start, min(start + _READ_AHEAD, state.last_seq + 1))
        for message in await asyncio.gather(*(_message(jetstream, name, seq) for seq in some)):
            if message is not None:
                yield message


async def _message(jetstream: JetStreamContext, name: str, seq: int) -> Message | None:
    try:
        raw = await jetstream.get_msg(name, seq)
    except errors.NotFoundError:
        return None
    return Message(
        name,
        raw.subject or "",
        dict(raw.headers or {}),
        raw.data or b"",
        int(raw.time.timestamp() * 1e9) if raw.time is not None else 0,
    )


class StreamFile:
    """The file: an SQLite database of messages in order. Raises `StoreUnavailable`; a context manager."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open it, or with `create` make it; then it must not exist."""
        self.path = path
        mode = "rwc" if create else "ro"
        try:
            self._file = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)
            if create:
                self._file.execute(_TABLE)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """How many messages it holds."""
        (count,) = self._file.execute("SELECT count(*) FROM messages").fetchone()
        return int(count)

    def add(self, message: Message) -> None:
        """Append a message; durable with the next `keep`."""
        row = (
            message.stream,
            message.subject,
            json.dumps(message.headers),
            message.payload,
            message.stored,
            message.outbox,
        )
        with self._translated():
            self._file.execute(
                "INSERT INTO messages (stream, subject, headers, payload, stored, outbox)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )

    def keep(self, wanted: Callable[[Message], bool]) -> None:
        """Drop every message that is not `wanted`, and commit."""
        with self._translated():
            for number, message in self._numbered():
                if not wanted(message):
                    self._file.execute("DELETE FROM messages WHERE id = ?", (number,))
            self._file.commit()

    def messages(self) -> Iterator[Message]:
        """All messages, in order."""
        with self._translated():
            for _, message in self._numbered():
                yield message

    def _numbered(self) -> Iterator[tuple[int, Message]]:
        last = 0
        while True:
            rows = self._file.execute(
                "SELECT id, stream, subject, headers, payload, stored, outbox FROM messages WHERE id > ?"
                " ORDER BY id LIMIT 64",
                (last,),
            ).fetchall()
            if not rows:
                return
            for last, stream, subject, headers, *rest in rows:
                yield last, Message(stream, subject, json.loads(headers), *rest)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise StoreUnavailable(f"{self.path}: {error}") from error


async def put_back(bus: Bus, messages: Iterable[Message], now: int) -> int:
    """Publish `messages` again, each stream in its order; how many. Their readers must exist already.

    Samples are marked as having waited through an outage, and their message ids with `now`: a stream that
    had them before the restoration would take them for repetitions for some minutes. Whether they are is
    for the ledger to say, which knows batches by their numbers. Readings keep their ids: their streams must
    be new ones. Raises `ingest.bus.BusUnavailable` and `BusClosed`.
    """
    count = 0
    group: list[Message] = []
    for message in messages:
        group.append(_again(message, now))
        if len(group) >= _PUT_AHEAD:
            count += await _put(bus, group)
            group.clear()
    return count + await _put(bus, group)


def _again(message: Message, now: int) -> Message:
    if message.stream not in [samples_stream(lane) for lane in Lane]:
        return message
    claimed = message.headers.get(MESSAGE_ID, "")
    if claimed.startswith(_RESTORED):
        claimed = claimed.partition(":")[2]
    headers = {**message.headers, MESSAGE_ID: f"{_RESTORED}{now}:{claimed}", OUTAGE_HEADER: "1"}
    return replace(message, headers=headers)


async def _put(bus: Bus, group: Sequence[Message]) -> int:
    outcomes = await asyncio.gather(
        *(bus.publish(m.subject, m.payload, m.headers.get(MESSAGE_ID, ""), m.headers) for m in group),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return len(group)


async def waiting_in_broker(jetstream: JetStreamContext) -> int:
    """Messages that the server's own MQTT broker holds for clients that are away; 0 when it has none."""
    try:
        return int((await jetstream.stream_info("$MQTT_msgs")).state.messages)
    except (errors.NotFoundError, nats.errors.Error, ValueError):
        return 0
