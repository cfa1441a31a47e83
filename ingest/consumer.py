"""Delivery from a stream: in order, prefetched, acknowledged one by one.

A pull consumer on the plain protocol rather than nats-py's `fetch`, which waits out a round trip for
every group and cannot tell a lost delivery. Here messages are asked for ahead, and three things restore
the order of the stream after trouble (a crash, a cut connection, a delivery that never arrived): what is
unacknowledged is asked for again from the first on, before anything newer is given out.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.client import JetStreamContext
from nats.js.errors import APIError

from ingest.streams import ensure_consumer

log = structlog.get_logger(__name__)

_EXPIRES: Final = 30.0
_HEARTBEAT: Final = 5.0
_RESETS: Final = (2, 14)
"""Servers from this version on take a consumer back to its first unacknowledged message."""
_NO_HEADERS: Final[Mapping[str, str]] = {}


class ConsumerClosed(Exception):
    """The connection is gone for good, or the consumer was closed."""


class Delivery:
    """One message and what may be said about it.

    `stored_at` is when the stream stored it (ns since 1970 UTC): the same at every delivery. Acknowledge
    last: `ack` promises that nothing can lose the message's effects any more.
    """

    __slots__ = (
        "_consumer",
        "_reply",
        "delivered",
        "headers",
        "payload",
        "stored_at",
        "stream_seq",
        "subject",
    )

    def __init__(self, consumer: "Consumer", message: Msg, position: "_Position") -> None:
        self.payload = message.data
        self.headers: Mapping[str, str] = message.headers or _NO_HEADERS
        self.subject = message.subject
        self.stream_seq = position.stream_seq
        self.delivered = position.delivered
        """1 the first time, more when it is delivered again."""
        self.stored_at = position.stored_at
        self._reply = message.reply
        self._consumer = consumer

    async def ack(self) -> None:
        """Done with it. When the connection is down, it comes again and is found done."""
        await self._consumer.answer(self, b"", final=True)

    async def in_progress(self) -> None:
        """Still at it. `Consumer` says so by itself for everything it has given out."""
        await self._consumer.answer(self, b"+WPI", final=False)

    async def retry_later(self, delay: float = 0.0) -> None:
        """Deliver it again after `delay` seconds; newer messages will overtake it."""
        body = b'-NAK {"delay": %d}' % int(delay * 1e9) if delay > 0 else b"-NAK"
        await self._consumer.answer(self, body, final=True)


class _Position(msgspec.Struct, frozen=True):
    delivered: int
    stream_seq: int
    consumer_seq: int
    stored_at: int


class Consumer:
    """A durable consumer. `take` gives the next messages, in the order of the stream."""

    def __init__(
        self,
        client: Client,
        stream: JetStreamContext,
        name: str,
        durable: str,
        capacity: int,
        ack_wait: float,
    ) -> None:
        self.stream = name
        self.durable = durable
        self._client = client
        self._context = stream
        self._capacity = capacity
        self._ack_wait = ack_wait
        self._buffer: deque[Delivery] = deque()
        self._held: dict[int, Delivery] = {}
        """Given out or buffered, not yet acknowledged, by stream sequence."""
        self.finished = 0
        """Deliveries of which the last has been said, since the start."""
        self._asked = 0
        self._expected = 0
        self._arrived = asyncio.Event()
        self._broken = asyncio.Event()
        self._closed = False
        self._subscription: Subscription | None = None
        self._inbox = ""
        self._keeper: asyncio.Task[None] | None = None
        self._last_heard = 0.0

    async def open(self) -> None:
        """Make the consumer if needed and start asking; raises `nats.errors.Error`."""
        await self._restore_order()
        self._keeper = asyncio.create_task(self._keep(), name=f"consumer {self.durable} of {self.stream}")

    async def take(self, most: int, *, within: float | None = None) -> list[Delivery]:
        """Up to `most` messages, as soon as there is one; none after `within` seconds.

        Raises `ConsumerClosed`.
        """
        try:
            async with asyncio.timeout(within):
                while not self._buffer:
                    if self._closed:
                        raise ConsumerClosed(f"{self.durable} of {self.stream}")
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return []
        return [self._buffer.popleft() for _ in range(min(most, len(self._buffer)))]

    @property
    def in_hand(self) -> int:
        """Deliveries given out or waiting to be taken, of which the last has not been said."""
        return len(self._held)

    @property
    def full(self) -> bool:
        """Whether nothing more comes until something is acknowledged."""
        return not self._buffer and len(self._held) >= self._capacity

    async def pending(self) -> tuple[int, int]:
        """Messages of the stream (not yet delivered, delivered and not yet acknowledged)."""
        info = await self._context.consumer_info(self.stream, self.durable)
        return info.num_pending or 0, info.num_ack_pending or 0

    async def answer(self, delivery: Delivery, body: bytes, *, final: bool) -> None:
        """Say something about a delivery; a lost answer only means that it comes again."""
        if final:
            self._held.pop(delivery.stream_seq, None)
            self.finished += 1
        try:
            await self._client.publish(delivery._reply, body)
        except nats.errors.Error as error:
            log.debug("answer not sent", consumer=self.durable, error=repr(error))
            return
        # Asking for every place as it gets free would double the traffic; for a quarter it does not.
        room = self._capacity - len(self._held) - self._asked
        if final and (room >= self._capacity // 4 or not self._held):
            await self._ask()

    def interrupted(self) -> None:
        """The connection was cut: deliveries may have been lost, so the order is restored."""
        self._broken.set()

    def closed(self) -> None:
        """The connection is closed for good."""
        self._closed = True
        self._arrived.set()

    async def close(self) -> None:
        """Stop asking. What was given out and not acknowledged will be delivered again."""
        self.closed()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()
            self._subscription = None

    async def _keep(self) -> None:
        """Keep deliveries alive, notice silence, mend the order: everything that is not the fast path."""
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + self._ack_wait / 3
        while not self._closed:
            try:
                async with asyncio.timeout(min(_HEARTBEAT, self._ack_wait / 3)):
                    await self._broken.wait()
            except TimeoutError:
                if self._asked and loop.time() - self._last_heard > 3 * _HEARTBEAT:
                    self._broken.set()
            try:
                if self._broken.is_set():
                    self._broken.clear()
                    await self._restore_order()
                elif loop.time() >= renew_at:
                    for delivery in [*self._held.values()]:
                        await delivery.in_progress()
                    renew_at = loop.time() + self._ack_wait / 3
            except (nats.errors.Error, TimeoutError) as error:
                if self._client.is_closed:
                    self.closed()
                    return
                log.warning("consumer cannot be reached", consumer=self.durable, error=repr(error))
                self._broken.set()
                await asyncio.sleep(1.0)

    async def _restore_order(self) -> None:
        """Start over at the first unacknowledged message; makes the consumer when it is missing.

        First nothing may come any more, and then the server is asked what is pending: a delivery between
        the two would be dropped here, and would come again after ``ack_wait`` only.
        """
        if self._subscription is not None:
            await self._subscription.unsubscribe()
            self._subscription = None
        for delivery in self._buffer:
            del self._held[delivery.stream_seq]
        self._buffer.clear()
        self._expected = 0
        info = await ensure_consumer(self._context, self.stream, self.durable, self._ack_wait)
        if info.num_ack_pending and not await self._reset():
            # It delivers again by itself after this time, what is delivered again before what is new.
            await asyncio.sleep(self._ack_wait)
        self._asked = 0
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(self._inbox, cb=self._receive)
        self._last_heard = asyncio.get_running_loop().time()
        await self._ask()

    async def _reset(self) -> bool:
        """Have the server deliver at once what is pending; False when it cannot.

        Raises `nats.errors.Error` when it does not answer.
        """
        server = self._client.connected_server_version
        if (server.major, server.minor) < _RESETS:
            return False  # it would not even answer
        try:
            await self._context.reset_consumer(self.stream, self.durable)
        except APIError as error:
            log.warning("consumer cannot be reset", consumer=self.durable, error=str(error))
            return False
        return True

    async def _ask(self) -> None:
        room = self._capacity - len(self._held) - self._asked
        if room <= 0 or self._closed:
            return
        self._asked += room
        request = b'{"batch":%d,"expires":%d,"idle_heartbeat":%d}' % (
            room,
            int(_EXPIRES * 1e9),
            int(_HEARTBEAT * 1e9),
        )
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.durable}"
        await self._client.publish(subject, request, reply=self._inbox)

    async def _receive(self, message: Msg) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        if message.headers is not None and "Status" in message.headers and not message.reply:
            await self._told(message.headers)
            return
        position = _position(message.reply)
        self._asked = max(0, self._asked - 1)
        if self._expected and position.consumer_seq != self._expected:
            self._broken.set()  # one in between was lost on the way
            return
        self._expected = position.consumer_seq + 1
        known = self._held.get(position.stream_seq)
        if known is not None:
            known._reply = message.reply  # delivered again while in hand: answer the newer delivery
            return
        delivery = Delivery(self, message, position)
        self._held[position.stream_seq] = delivery
        self._buffer.append(delivery)
        self._arrived.set()

    async def _told(self, headers: Mapping[str, str]) -> None:
        status = headers.get("Status", "")
        if status == "100":
            return
        # 408: the request has expired; 404: nothing there; 409: the consumer moved, or was deleted.
        left = int(headers.get("Nats-Pending-Messages", "0") or 0)
        self._asked = max(0, self._asked - left) if left else 0
        if status == "409" and "Leadership" not in headers.get("Description", ""):
            self._broken.set()
            return
        await self._ask()


def _position(reply: str) -> _Position:
    """Read ``$JS.ACK.…``: 9 tokens, or at least 11 with domain and account (NATS ADR-15)."""
    tokens = reply.split(".")
    at = 4 if len(tokens) == 9 else 6
    delivered, stream_seq, consumer_seq, stored_at = map(int, tokens[at : at + 4])
    return _Position(delivered, stream_seq, consumer_seq, stored_at)
