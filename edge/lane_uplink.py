"""One lane from the outbox to JetStream, with a connection and an order of its own.

A batch is published under its message id and leaves the outbox when JetStream confirmed it. Some are in
flight at once; they are confirmed in order, so what is stored is always a prefix. Whatever goes wrong (no
server, no stream, stream full, no answer) keeps the batches: the lane waits, never in step with other
edges, and sends again from the first unconfirmed one. The message id makes that harmless.

The alarm lane knocks often, and goes first after an outage. Telemetry that waited is paced, so that it
never takes all that the core can do: other edges are live.
"""

import asyncio
import json
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import cycle
from typing import Any, Final

import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import APIError
from nats.js.errors import Error as JetStreamError

from edge.bus import Bus
from edge.clock import Clock
from edge.link_news import LinkNews
from edge.outbox import Outbox, OutboxUnavailable, Stored
from language import Message
from links.trust import as_it_is, explain
from readings import Lane
from readings.numbers import life_of
from readings.subjects import ABOUT_ME, OUTAGE_HEADER, message_id, samples_subject
from supervision.watchdog import Pulse, Watchdog

WINDOW: Final = {Lane.ALARM: 32, Lane.TELEMETRY: 16}
"""Batches in flight per lane …"""
WINDOW_BYTES: Final = 1024 * 1024
"""… and their bytes."""
CONNECT_LIMIT: Final = 15.0
"""Seconds that connecting, and hanging up before, may take."""
CONNECT_LIMITS: Final = (1, 1, 4)
"""Seconds for each step of a connection, in turn: a link that comes back is met within the second, and one
that is merely slow is connected all the same."""
HANG_UP_LIMIT: Final = 1.0
LONGEST_REFUSAL: Final = 2.0
"""Seconds between attempts at most while JetStream refuses."""
LONGEST_DELAY: Final = {Lane.ALARM: 0.5, Lane.TELEMETRY: 10.0}
"""Seconds between attempts at most. Alarms knock often; telemetry follows when they are let in."""
CONFIRM_LIMIT: Final = {Lane.ALARM: 3.0, Lane.TELEMETRY: 5.0}
"""Seconds without an answer after which a connection is taken for dead."""
OUTAGE_GRACE: Final = 1_000_000_000
"""A batch that waited less than this long (ns) for the link is as good as live."""
REPLAY_RATE: Final = 30_000
"""Samples a second of telemetry that waited through an outage; a core on two processors takes 45,000."""
_SLACK: Final = 0.5
"""Seconds of the replay rate that may be caught up."""
ALARMS_FIRST: Final = 5.0
"""Seconds that waiting telemetry stands back for waiting alarms, at most, before each batch."""

log = logging.getLogger("edge.uplink")

Read = Callable[[Lane, int, int], Awaitable[Sequence[Stored]]]
"""(lane, place, limit) → the batches that follow the place, from memory or disk."""


class _LinkLost(Exception):
    """The connection is gone or does not answer. Connect again."""


class _Refused(Exception):
    """JetStream does not take the batch now. Keep the connection, try again."""


class LaneUplink:
    """Sends one lane."""

    def __init__(
        self,
        lane: Lane,
        outbox: Outbox,
        read: Read,
        bus: Bus,
        *,
        clock: Clock,
        alarms: "LaneUplink | None" = None,
        pulse: Pulse | None = None,
        people: LinkNews | None = None,
    ) -> None:
        self.lane = lane
        self.up = False
        self.problem = "not connected yet"
        """Why nothing is sent, while nothing is."""
        self.confirmed = 0
        """Batches confirmed since the start."""
        self.empty = asyncio.Event()
        """No batch of this lane waits."""
        self.clear = asyncio.Event()
        """No batch of this lane waits that JetStream would take: telemetry need not stand back."""
        self.connected = asyncio.Event()
        """There is a connection."""
        self.client: Client | None = None
        self._settled = asyncio.Event()
        """Nothing is in flight."""
        self._settled.set()
        self._holding = False
        self._clock = clock
        self._was_held = False
        self._outbox = outbox
        self._read = read
        self._bus = bus
        self._alarms = alarms
        self._people = people
        self._pulse = pulse or Watchdog(0).pulse("uplink")
        self._subject = samples_subject(outbox.edge, lane)
        self._news = asyncio.Event()
        self._in_flight: deque[tuple[Stored, asyncio.Future[Any]]] = deque()
        self._sent = 0
        """The place of the last batch published on this connection."""
        self._repeated = 0
        """Up to this place this process has published batches on earlier connections."""
        self._published = self._repeated
        self._live_from = 0
        self._next_replay = 0.0
        """When the next batch that waited through an outage may go, by the monotonic clock."""
        self._lost = ""
        self._refused = False
        self._told: set[str] = set()
        self._told_copy = False
        self._look()

    def notify(self) -> None:
        """The outbox has something new."""
        if self._outbox.depth[self.lane].place > self._sent or self._is_of_another_life:
            self._look()
            self._news.set()

    @property
    def _is_of_another_life(self) -> bool:
        """Whether the outbox was damaged and made anew since something was sent."""
        return self._sent > 0 and life_of(self._sent) != life_of(self._outbox.depth[self.lane].base)

    async def straight(self, seq: int, payload: bytes) -> bool:
        """Publish a batch that is in no outbox; whether JetStream has it now."""
        if self.client is None or not self.up:
            return False
        headers = {"Nats-Msg-Id": message_id(self._outbox.edge, self.lane, seq)}
        try:
            await self.client.jetstream().publish(
                self._subject, payload, timeout=CONFIRM_LIMIT[self.lane], headers=headers
            )
        except (nats.errors.Error, JetStreamError, OSError, TimeoutError) as error:
            log.warning("lane %s: not taken past the outbox: %s", self.lane.value, error)
            return False
        return True

    async def clock_offset(self) -> float | None:
        """Seconds that the server's clock is ahead of the edge's, which hears of it; None: not learnt now.

        What the server tells a user about itself carries its time; half the round trip is taken off.
        """
        if self.client is None:
            return None
        asked = self._clock()
        try:
            answer = await self.client.request(ABOUT_ME, b"", timeout=2)
            stamp = datetime.fromisoformat(json.loads(answer.data)["server"]["time"])
        except (nats.errors.Error, TimeoutError, ValueError, KeyError, TypeError):
            return None
        now = self._clock()
        offset = stamp.timestamp() - (asked + now) / 2e9
        self._clock.core_says(now + round(offset * 1e9))
        return offset

    async def settle(self) -> None:
        """Send nothing more, and wait until what is in flight is confirmed: it need not be sent again."""
        self._holding = True
        await self._settled.wait()

    def _look(self) -> None:
        """Bring `empty` and `clear` up to date."""
        waiting = self._outbox.depth[self.lane].waits
        for event, holds in ((self.empty, not waiting), (self.clear, not waiting or self._refused)):
            if holds:
                event.set()
            else:
                event.clear()

    async def run(self) -> None:
        """Send what comes, connecting again for ever, until cancelled."""
        delay = 0.1
        for limit in cycle(CONNECT_LIMITS):
            before = self.confirmed
            self._pulse.beat(asleep=CONNECT_LIMIT)
            try:
                await self._one_connection(limit)
            except _LinkLost as error:
                self._tell(as_it_is(error))
            except (OSError, nats.errors.Error) as error:
                self._tell(explain(error, datetime.now(UTC)))
            except Exception as error:
                # The client library breaks in ways of its own while a connection dies. Whatever it was,
                # the batches are in the outbox and a new connection knows nothing of it.
                if not self._told:
                    log.exception("lane %s: its connection broke", self.lane.value)
                self._tell(as_it_is(f"{type(error).__name__}: {error}"))
            self.up = False
            delay = 0.1 if self.confirmed > before else min(delay * 2, LONGEST_DELAY[self.lane])
            await self._rest(delay)

    async def _rest(self, delay: float) -> None:
        """Let about `delay` seconds pass before the next attempt, telemetry no more than alarms need."""
        self._pulse.beat(asleep=delay)
        delay *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts of many edges
        if self._alarms is None or self._alarms.connected.is_set():
            await asyncio.sleep(delay)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._alarms.connected.wait()

    async def _one_connection(self, limit: int) -> None:
        client = Client()
        try:
            await client.connect(
                name=f"edge {self._outbox.edge} {self.lane.value}",
                allow_reconnect=False,
                connect_timeout=limit,
                ping_interval=5,
                max_outstanding_pings=2,
                closed_cb=self._on_closed,
                error_cb=self._on_error,
                **self._bus.options(self._outbox.edge),
            )
            self.client, self._lost = client, ""
            if not self._clock.knows:  # a moment now, and what waits has its true times
                await self.clock_offset()
            self.up = True
            self.connected.set()
            self._tell(None)
            stream = client.jetstream()
            delay = 0.1
            while True:
                before = self.confirmed
                try:
                    await self._send(stream)
                except _Refused as error:
                    self._refused = True
                    self._tell(as_it_is(error))
                    self._look()
                delay = 0.1 if self.confirmed > before else min(delay * 2, LONGEST_REFUSAL)
                self._pulse.beat(asleep=delay)
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries
        finally:
            self.client = None
            self.connected.clear()
            self._pulse.beat(asleep=CONNECT_LIMIT)
            with suppress(nats.errors.Error, OSError, TimeoutError):
                await asyncio.wait_for(client.close(), HANG_UP_LIMIT)

    async def _send(self, stream: JetStreamContext) -> None:
        """Send in order from the first unconfirmed batch; ends only by `_LinkLost` or `_Refused`."""
        depth = self._outbox.depth
        self._sent = depth[self.lane].stored
        self._repeated = self._published
        self._live_from = self._clock() - OUTAGE_GRACE
        try:
            while True:
                self._pulse.beat()
                self._news.clear()
                for batch in await self._next():
                    if batch.created < self._live_from:
                        await self._stand_back(batch)
                        headers = {"Nats-Msg-Id": self._id(batch), OUTAGE_HEADER: "1"}
                    else:
                        headers = {"Nats-Msg-Id": self._id(batch)}
                    self._check_link()
                    if self._holding:  # only now: there was time for it since `_next`
                        break
                    self._settled.clear()
                    self._published = max(self._published, batch.place)
                    future = await stream.publish_async(self._subject, batch.payload, headers=headers)
                    self._in_flight.append((batch, future))
                    self._sent = batch.place
                if self._in_flight:
                    await self._confirm()
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pulse.idle):
                            await self._news.wait()
                    self._check_link()
        finally:
            for _, future in self._in_flight:
                future.cancel()
            self._in_flight.clear()
            self._settled.set()

    async def _next(self) -> Sequence[Stored]:
        """What may be sent now without more than the window in flight."""
        room = WINDOW[self.lane] - len(self._in_flight)
        size = sum(len(batch.payload) for batch, _ in self._in_flight)
        if self._is_of_another_life:
            raise _Refused("the outbox was made anew")
        if (
            self._holding
            or room <= 0
            or size >= WINDOW_BYTES
            or self._outbox.depth[self.lane].place <= self._sent
        ):
            return ()
        is_new = self._sent >= self._outbox.depth[self.lane].numbered
        if is_new and self.lane is not Lane.ALARM and self._clock.is_awaited:
            self._was_held = True
            return ()
        if self._was_held:  # what waited is no longer live
            self._live_from, self._was_held = self._clock() - OUTAGE_GRACE, False
        try:
            found = await self._read(self.lane, self._sent, room)
        except OutboxUnavailable as error:
            raise _Refused(str(error)) from error
        if self._is_of_another_life:  # since it was asked
            raise _Refused("the outbox was made anew")
        if not found and not self._in_flight:
            raise _Refused(f"the outbox lost what follows {self.lane.value} {self._sent}")
        for index, batch in enumerate(found):
            size += len(batch.payload)
            if size >= WINDOW_BYTES:
                return found[: index + 1]
        return found

    async def _confirm(self) -> None:
        """Wait for the oldest in flight; take with it what is confirmed behind it."""
        _, oldest = self._in_flight[0]
        limit = CONFIRM_LIMIT[self.lane]
        self._pulse.beat(asleep=limit)
        await asyncio.wait([oldest], timeout=limit)
        if not oldest.done():
            self._check_link()
            raise _LinkLost(f"no answer within {limit:g} s")
        while self._in_flight and self._in_flight[0][1].done():
            batch, future = self._in_flight[0]
            try:
                if future.result().duplicate and batch.place > self._published_before:
                    self._used_before(batch)
            except (APIError, JetStreamError) as error:
                raise _Refused(_reason(error, self._subject)) from error
            except asyncio.CancelledError as error:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                raise _LinkLost(self._lost or "connection closed") from error
            self._in_flight.popleft()
            self._outbox.stored(batch)
            self.confirmed += 1
            self._refused = False
            self._tell(None)
        if not self._in_flight:
            self._settled.set()
        self._look()

    @property
    def _published_before(self) -> int:
        return max(self._repeated, self._outbox.numbered_before[self.lane])

    def _used_before(self, batch: Stored) -> None:
        """JetStream has had a batch of this number, and this one was published for the first time."""
        if not self._told_copy:
            self._told_copy = True
            log.critical(
                "lane %s: number %d was used before, so its new samples are dropped: this outbox is an older"
                " copy of itself; stop the agent, delete %s and start it again",
                self.lane.value,
                batch.seq,
                self._outbox.path,
            )

    async def _stand_back(self, batch: Stored) -> None:
        """Before a batch of waiting telemetry: alarms first, then at most `REPLAY_RATE`."""
        if self._alarms is None:
            return
        self._pulse.beat(asleep=ALARMS_FIRST + batch.samples / REPLAY_RATE)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._alarms.clear.wait(), ALARMS_FIRST)
        now = time.monotonic()
        await asyncio.sleep(max(0.0, self._next_replay - now))
        self._next_replay = max(self._next_replay, now - _SLACK) + batch.samples / REPLAY_RATE

    def _id(self, batch: Stored) -> str:
        return message_id(self._outbox.edge, batch.lane, batch.seq)

    def _check_link(self) -> None:
        if self._lost:
            raise _LinkLost(self._lost)

    async def _on_closed(self) -> None:
        self._lost = self._lost or "the server closed the connection"
        for _, future in self._in_flight:
            future.cancel()
        self._news.set()

    async def _on_error(self, error: Exception) -> None:
        if self.client is None:
            raise error  # else the library would try again by itself, for minutes and without a word
        self._lost = self._lost or str(error) or type(error).__name__

    def _tell(self, why: Message | None) -> None:
        """Say once why sending stopped, each reason once, and that it goes on again."""
        problem = "" if why is None else str(why)
        if self._people is not None:
            if why is None:
                self._people.sends(self.lane)
            else:
                self._people.waits(self.lane, why)
        if problem and problem not in self._told:
            log.info("lane %s waits: %s", self.lane.value, problem)
        elif not problem and self._told:
            log.info("lane %s sends again", self.lane.value)
        self.problem = problem
        self._told = {problem, *self._told} if problem else set()


def _reason(error: APIError | JetStreamError, subject: str) -> str:
    if isinstance(error, APIError):
        return f"{error.code} {error.description or 'refused'}"
    return f"no stream takes {subject} yet"
