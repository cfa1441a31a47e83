"""The bus: NATS JetStream, as far as this system uses it.

`Bus` connects and stays connected, publishes with a message id (so that a repeated publication is stored
once) and opens durable consumers. Streams are in `ingest.streams`, delivery in `ingest.consumer`.
Errors say what to do: `BusUnavailable` and `StreamFull` mean keep and try again, `BusClosed` that this
connection will not come back by itself.
"""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext

from ingest.consumer import Consumer
from ingest.patience import Pause
from ingest.streams import StreamLimits, ensure_streams
from links.trust import tls_options
from readings.wire import UNREADABLE

log = structlog.get_logger(__name__)

MESSAGE_ID: Final = "Nats-Msg-Id"
_AFTER: Final = "Nats-Expected-Last-Msg-Id"
CORE_INBOX: Final = "_CORE"
"""Where the core gets its answers and deliveries: a prefix that edges may not subscribe to."""

PING_SECONDS: Final = 5
PINGS_UNANSWERED: Final = 2
"""After so many a connection counts as dead: a router that forgot it ends it on neither side."""
_ACK_LIMIT: Final = 10.0
_ANSWER_LIMIT: Final = 5.0
"""Seconds in which the server carries out an administrative request."""
_FULL: Final = frozenset((10047, 10077, 10122, 10023))
"""JetStream error codes: account storage, stream bytes, messages per subject, insufficient resources."""


_UNANSWERED: Final = (
    TimeoutError,
    nats.errors.StaleConnectionError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.OutboundBufferLimitError,
)
"""What a request ends with that the server may never have seen."""

_Result = TypeVar("_Result")


class BusUnavailable(Exception):
    """The bus cannot be reached or did not answer. Keep the message and try again."""


class StreamFull(BusUnavailable):
    """The stream takes nothing more for now: back-pressure. Keep the message and try again, slower."""


class BusClosed(Exception):
    """The server refused this client for good (wrong credentials), or the bus was closed. Connect anew."""


@dataclass(frozen=True)
class Credentials:
    """How a client shows who it is; all empty for a server without accounts."""

    user: str = ""
    password: str = ""
    token: str = ""
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    """What the server's certificate must say instead of the host that is connected to."""

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, tls={self.tls is not None})"  # never the secrets


class PublishAck(msgspec.Struct, frozen=True):
    """What the stream says about a stored message; `duplicate`: it was there already."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False


class _ApiError(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct, frozen=True):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _ApiError | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


class Bus:
    """One connection. Make it with `Bus.connect`; use as an async context manager or `close` it."""

    def __init__(self) -> None:
        self._client = Client()
        self._waiting: dict[str, asyncio.Future[PublishAck]] = {}
        self._tokens = count()
        self._inbox = ""
        self._consumers: list[Consumer] = []
        self._url = ""
        self._trouble: Exception | None = None

    @classmethod
    async def connect(
        cls,
        url: str,
        credentials: Credentials | None = None,
        *,
        name: str = "gridwarden",
        patience: float | None = 10.0,
        inbox: str = CORE_INBOX,
    ) -> Self:
        """Connect to `url` (several, comma separated, for a cluster) and stay connected for ever after.

        Raises `BusUnavailable` when there is no connection within `patience` seconds (None: waits on).
        """
        bus = cls()
        bus._url = ",".join(part.rpartition("@")[2] for part in url.split(","))
        client = bus._client
        try:
            async with asyncio.timeout(patience):
                await client.connect(
                    [part.strip() for part in url.split(",")],
                    name=name,
                    inbox_prefix=inbox,
                    error_cb=bus._on_error,
                    disconnected_cb=bus._on_disconnected,
                    reconnected_cb=bus._on_reconnected,
                    closed_cb=bus._on_closed,
                    connect_timeout=3,
                    ping_interval=PING_SECONDS,
                    max_outstanding_pings=PINGS_UNANSWERED,
                    reconnect_time_wait=0.2,  # type: ignore[arg-type]  # annotated int, used as seconds
                    max_reconnect_attempts=-1,
                    reconnect_to_server_handler=_with_jitter,
                    **_options(url, credentials or Credentials()),
                )
                bus._inbox = client.new_inbox()
                await client.subscribe(f"{bus._inbox}.*", cb=bus._answered)
        except (TimeoutError, nats.errors.Error, OSError, ValueError) as error:
            await client.close()
            raise BusUnavailable(f"no connection to NATS at {bus._url}: {bus._trouble or error}") from error
        return bus

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether the connection is up now."""
        return bool(self._client.is_connected)

    @property
    def jetstream(self) -> JetStreamContext:
        """The JetStream interface of nats-py, for administration."""
        return self._client.jetstream(timeout=_ANSWER_LIMIT)

    async def administer(
        self, doing: str, action: Callable[[JetStreamContext], Awaitable[_Result]]
    ) -> _Result:
        """Carry out `action`, from its start each time the bus leaves one of its requests unanswered.

        A bus that is started again answers none of what it was asked before, so whoever sets something up
        meanwhile asks again. Raises `BusUnavailable` when the server refuses, `BusClosed`.
        """
        pause = Pause(longest=1.0)
        while True:
            try:
                return await action(self.jetstream)
            except nats.errors.ConnectionClosedError as error:
                raise self._gone() from error
            except _UNANSWERED as error:
                await pause.wait(doing, error)
            except nats.errors.Error as error:
                raise BusUnavailable(f"{doing}: {error}") from error

    async def ensure_streams(self, limits: StreamLimits | None = None) -> None:
        """Make or update the four streams.

        Raises `ingest.streams.StreamMismatch`, `BusUnavailable`, `BusClosed`.
        """
        await self.administer(
            "setting up the streams", lambda stream: ensure_streams(stream, limits or StreamLimits())
        )

    async def publish(
        self, subject: str, payload: bytes, message_id: str, headers: Mapping[str, str] | None = None
    ) -> PublishAck:
        """Publish and wait until the stream has stored it durably.

        Publishing the same `message_id` again within the stream's duplicate window stores nothing more.
        Several may be under way; they are stored in the order of the calls.
        Raises `StreamFull`, `BusUnavailable` or `BusClosed`.
        """
        loop = asyncio.get_running_loop()
        token = str(next(self._tokens))
        answer: asyncio.Future[PublishAck] = loop.create_future()
        self._waiting[token] = answer
        # One timer instead of a task per message: asyncio.timeout would cost as much as the publication.
        timer = loop.call_later(_ACK_LIMIT, _give_up, answer, subject)
        try:
            await self._client.publish(
                subject,
                payload,
                reply=f"{self._inbox}.{token}",
                headers={MESSAGE_ID: message_id, **(headers or {})},
            )
            return await answer
        except nats.errors.ConnectionClosedError as error:
            raise self._gone() from error
        except nats.errors.Error as error:
            raise BusUnavailable(f"publishing to {subject}: {error!r}") from error
        finally:
            timer.cancel()
            del self._waiting[token]

    async def publish_in_order(
        self, subject: str, messages: Sequence[tuple[str, bytes]]
    ) -> list[BusUnavailable | None]:
        """Publish (message id, payload) pairs; for each None, or why it is not stored.

        Once one is refused (the stream is full), the server refuses those after it too, even if they are
        small enough to fit: each names the one before it. Raises `BusClosed`.
        """
        before = ["", *(message_id for message_id, _ in messages)]
        results = await asyncio.gather(
            *(
                self.publish(subject, payload, message_id, {_AFTER: last} if last else None)
                for last, (message_id, payload) in zip(before, messages, strict=False)
            ),
            return_exceptions=True,
        )
        outcomes: list[BusUnavailable | None] = []
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, BusUnavailable):
                raise result
            outcomes.append(result if isinstance(result, BusUnavailable) else None)
        return outcomes

    async def consume(
        self, stream: str, durable: str, *, capacity: int = 64, ack_wait: float = 30.0
    ) -> Consumer:
        """Open the durable consumer `durable` of `stream`, made when it does not exist.

        Holds at most `capacity` unacknowledged messages. Raises `BusUnavailable`, `BusClosed`.
        """
        consumer = Consumer(self._client, self.jetstream, stream, durable, capacity, ack_wait)
        await self.administer(f"opening consumer {durable} of {stream}", lambda _: consumer.open())
        self._consumers.append(consumer)
        return consumer

    async def tell(self, subject: str, payload: bytes) -> None:
        """Send to whoever listens now; nobody keeps it. While the connection is down it is dropped."""
        with contextlib.suppress(nats.errors.Error):
            await self._client.publish(subject, payload)

    async def listen(self, subject: str, hear: Callable[[bytes], Awaitable[None]]) -> None:
        """Give every message on `subject` to `hear`, one after the other, from now on."""

        async def received(message: Msg) -> None:
            await hear(message.data)

        await self._client.subscribe(subject, cb=received)

    async def ask(self, subject: str, question: bytes, *, within: float) -> bytes:
        """The answer of whoever serves `subject`; raises `BusUnavailable` when none comes in time."""
        try:
            return (await self._client.request(subject, question, timeout=within)).data
        except (nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"nobody answers on {subject}: {error!r}") from error

    async def serve(self, subject: str, respond: Callable[[str, bytes], Awaitable[bytes]]) -> None:
        """Answer every question on `subject` (which may have wildcards), one after the other, from now on.

        `respond` makes the answer of the subject it was asked on and the question; it must not fail.
        """

        async def asked(message: Msg) -> None:
            answer = await respond(message.subject, message.data)
            with contextlib.suppress(nats.errors.Error):  # who asked asks again when the connection is back
                await self._client.publish(message.reply, answer)

        await self._client.subscribe(subject, cb=asked)

    async def flush(self) -> None:
        """Wait until the server has everything sent so far (acknowledgements above all)."""
        try:
            await self._client.flush(timeout=5)
        except (nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"flushing: {error!r}") from error

    async def close(self) -> None:
        """Send what is pending and close the connection."""
        for consumer in self._consumers:
            await consumer.close()
        await self._client.close()

    def _gone(self) -> BusClosed:
        return BusClosed(f"connection to NATS at {self._url}: {self._trouble or 'closed'}")

    async def _on_error(self, error: Exception) -> None:
        # A server that refuses us cuts the connection, too; the reason is worth more than the cut.
        if not isinstance(error, OSError) or self._trouble is None:
            self._trouble = error

    async def _on_disconnected(self) -> None:
        if not self._client.is_closed:
            log.warning("bus connection lost", url=self._url)

    async def _on_reconnected(self) -> None:
        log.warning("bus connection is back", url=self._url)
        self._trouble = None
        # Answers on the cut connection are lost: whoever waits tries again at once, under the same id.
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(BusUnavailable("the connection was cut"))
        for consumer in self._consumers:
            consumer.interrupted()

    async def _on_closed(self) -> None:
        self._trouble = self._client.last_error or self._trouble
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._gone())
        for consumer in self._consumers:
            consumer.closed()

    async def _answered(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject.rpartition(".")[2])
        if waiting is None or waiting.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            waiting.set_exception(BusUnavailable("no stream takes this subject"))
            return
        try:
            answer = _decode_answer(message.data)
        except UNREADABLE as error:
            waiting.set_exception(BusUnavailable(f"unreadable answer of the stream: {error}"))
            return
        if answer.error is None:
            waiting.set_result(PublishAck(answer.stream, answer.seq, answer.duplicate))
        elif answer.error.code == 503 or answer.error.err_code in _FULL:
            waiting.set_exception(StreamFull(answer.error.description))
        else:
            waiting.set_exception(BusUnavailable(answer.error.description))


def _give_up(answer: asyncio.Future[PublishAck], subject: str) -> None:
    if not answer.done():
        answer.set_exception(BusUnavailable(f"no answer from the stream of {subject} in {_ACK_LIMIT:g} s"))


def _with_jitter(servers: list[Any], _info: dict[str, Any]) -> tuple[Any, float]:
    """Clients that lost one server must not come back all at once: up to 5 s, random around doubling."""
    server = min(servers, key=lambda candidate: candidate.reconnects)
    return server, min(5.0, 0.1 * 2 ** min(server.reconnects, 6)) * random.uniform(0.5, 1.5)  # noqa: S311


def _options(url: str, credentials: Credentials) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if credentials.user:
        options |= {"user": credentials.user, "password": credentials.password}
    if credentials.token:
        options["token"] = credentials.token
    return options | tls_options(url, credentials.tls, credentials.server_name)
