"""A simulated bridge's connection to its broker: an agenda, a queue, and coming back for ever.

What is due goes out in order, a few messages in flight at a time; a message leaves the queue only when
the broker has acknowledged it (QoS 1), and only then is it written down. While the broker is away,
what is due waits (one report per device, not one per interval) and what a scenario did is kept.
"""

import asyncio
import contextlib
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiomqtt

from simulators.clock import Clock
from simulators.record import Record, Sent

IN_FLIGHT: Final = 8
"""Messages on their way at once; aiomqtt warns above ten."""
_LONGEST_PAUSE: Final = 8.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where an MQTT broker is, and who one is there."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, text: str, username: str | None = None, password: str | None = None) -> "Broker":
        """The broker in ``host``, ``host:port`` or ``mqtt://host:port``; raises ValueError."""
        parts = urlsplit(text if "://" in text else f"mqtt://{text}")
        if parts.scheme not in ("mqtt", "tcp") or not parts.hostname:
            raise ValueError(f"{text!r} is no broker's address (host:port or mqtt://host:port)")
        return cls(parts.hostname, parts.port or 1883, username or parts.username, password or parts.password)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, and the values it carries for the record."""

    topic: str
    payload: bytes
    retain: bool = False
    sent: tuple[Sent, ...] = ()


Job = Callable[[], Iterable[Outgoing]]
"""Makes messages when its time has come."""


class Publisher:
    """Sends what is due and what is handed to it, over a connection that comes back."""

    def __init__(
        self,
        broker: Broker,
        *,
        name: str,
        clock: Clock,
        record: Record | None,
        opening: Callable[[], Iterable[Outgoing]],
        closing: Sequence[Outgoing],
    ) -> None:
        """`opening` is said after every connect; `closing` at the end, the first of it also as the will."""
        self.name = name
        self._broker = broker
        self._clock = clock
        self._record = record
        self._opening = opening
        self._closing = closing
        self._agenda: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._queue: deque[Outgoing] = deque()
        self._news = asyncio.Event()
        self.connected = asyncio.Event()

    def at(self, moment: float, job: Job) -> None:
        """Run `job` at `moment` seconds of the story and send what it makes."""
        heapq.heappush(self._agenda, (moment, next(self._order), job))
        self._news.set()

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Send these next."""
        self._queue.extend(messages)
        self._news.set()

    async def run(self) -> None:
        """Stay connected until cancelled; then say goodbye."""
        pause = 0.2
        while True:
            try:
                async with self._client() as client:
                    pause = 0.2
                    try:
                        await self._talk(client)
                    except asyncio.CancelledError:
                        await self._say_goodbye(client)
                        raise
            except aiomqtt.MqttError:
                # the broker is away, or did not like us: come back, later and later
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
                pause = min(pause * 2, _LONGEST_PAUSE)
            finally:
                self.connected.clear()

    def _client(self) -> aiomqtt.Client:
        will = self._closing[0] if self._closing else None
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._broker.password,
            identifier=f"sim-{self.name}-{random.randrange(16**6):06x}",
            will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=will.retain) if will else None,
            keepalive=30,
        )

    async def _talk(self, client: aiomqtt.Client) -> None:
        # nothing is subscribed: this ends with the connection, also when there is nothing to send
        lost = asyncio.ensure_future(anext(client.messages))
        lost.add_done_callback(lambda _: self._news.set())
        try:
            greeting = deque(self._opening())
            while greeting:
                await self._flush(client, greeting)
            self.connected.set()
            while not lost.done():
                self._news.clear()
                self._take_due()
                if self._queue:
                    await self._flush(client, self._queue)
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._news.wait()
            raise aiomqtt.MqttError("the connection is lost")
        finally:
            lost.cancel()
            with contextlib.suppress(aiomqtt.MqttError, asyncio.CancelledError):
                await lost

    def _take_due(self) -> None:
        now = self._clock.elapsed()
        while self._agenda and self._agenda[0][0] <= now and len(self._queue) < 4 * IN_FLIGHT:
            _, _, job = heapq.heappop(self._agenda)
            self._queue.extend(job())

    def _pause(self) -> float | None:
        """Seconds to the next thing due."""
        if not self._agenda:
            return None
        return max(0.0, (self._agenda[0][0] - self._clock.elapsed()) / self._clock.speed)

    async def _flush(self, client: aiomqtt.Client, queue: deque[Outgoing]) -> None:
        """Send the head of `queue` and take off what was acknowledged; raises `aiomqtt.MqttError`."""
        head = list(itertools.islice(queue, IN_FLIGHT))
        sending = asyncio.gather(
            *(client.publish(m.topic, m.payload, qos=1, retain=m.retain) for m in head),
            return_exceptions=True,
        )
        try:
            results = await asyncio.shield(sending)
        except asyncio.CancelledError:
            # told to end: what is on its way still gets its line in the record
            done, _ = await asyncio.wait({sending}, timeout=1.0)
            if done:
                self._settle(head, sending.result(), queue)
            raise
        self._settle(head, results, queue)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _settle(
        self, head: Sequence[Outgoing], results: Sequence[BaseException | None], queue: deque[Outgoing]
    ) -> None:
        """Take off `queue` and write down what was acknowledged; the rest stays at its head."""
        for _ in head:
            queue.popleft()
        queue.extendleft(reversed([m for m, result in zip(head, results, strict=True) if result]))
        if self._record is not None:
            for message, result in zip(head, results, strict=True):
                if result is None:
                    for sent in message.sent:
                        self._record.write(sent)

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(1.0):
                for message in self._closing:
                    await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
