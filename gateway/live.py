"""The live feed: what changes is told to everybody who listens, and nobody slow delays anybody.

Each event gets a number; the last `KEPT` are kept so that a client whose link dropped resumes with
``Last-Event-ID``. A listener that falls more than `QUEUE` events behind is told ``stale`` once (fetch
everything anew) instead of being fed from a growing queue.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

KEPT: Final = 1000
QUEUE: Final = 500
BEAT_SECONDS: Final = 15.0
READINGS_PER_EVENT: Final = 500
LONGEST_NUMBER: Final = 20
"""Digits of an event's number; a longer ``Last-Event-ID`` was never given out."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event, already encoded. `number` is 0 for events that cannot be resumed."""

    number: int
    name: str
    data: str

    def encode(self) -> str:
        """The event in ``text/event-stream`` form."""
        head = f"id: {self.number}\n" if self.number else ""
        return f"{head}event: {self.name}\ndata: {self.data}\n\n"


@dataclass(eq=False, slots=True)
class Subscription:
    """One listener: what it wants and what waits for it."""

    devices: frozenset[str]
    waiting: deque[Event] = field(default_factory=deque)
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    close: Callable[[], None] = lambda: None

    def offer(self, event: Event) -> None:
        """Queue `event`, or replace everything by one ``stale`` when the listener cannot keep up."""
        if len(self.waiting) >= QUEUE:
            self.waiting.clear()
            event = Event(event.number, "stale", "{}")
        self.waiting.append(event)
        self.filled.set()


class LiveFeed:
    """Where the rule runner and the services tell what changed."""

    def __init__(self, first_number: int) -> None:
        """`first_number` must exceed every number an earlier process used (e.g. milliseconds since 1970)."""
        self._number = first_number
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._listeners: set[Subscription] = set()
        self._watched: frozenset[str] = frozenset()

    @property
    def listeners(self) -> int:
        """How many listen just now."""
        return len(self._listeners)

    @property
    def watched(self) -> frozenset[str]:
        """The devices whose readings somebody wants live."""
        return self._watched

    def tell(self, name: str, body: object) -> None:
        """Tell everybody; `body` is anything msgspec can encode as JSON."""
        self._number += 1
        event = Event(self._number, name, msgspec.json.encode(body).decode())
        self._kept.append(event)
        for listener in self._listeners:
            listener.offer(event)

    def tell_readings(self, rows: Iterable[tuple[str, dict[str, object]]]) -> None:
        """Tell ``(device, row)`` to those who watch the device; not kept, the next value replaces it."""
        chosen = [(device, row) for device, row in rows if device in self._watched]
        if not chosen:
            return
        for listener in self._listeners:
            mine = [row for device, row in chosen if device in listener.devices]
            if mine:
                data = msgspec.json.encode(mine[-READINGS_PER_EVENT:]).decode()
                listener.offer(Event(0, "readings", data))

    def subscribe(self, devices: frozenset[str], last_event_id: str) -> Subscription:
        """A new listener, first given what it missed since `last_event_id`."""
        subscription = Subscription(devices)
        if last_event_id.isdecimal() and len(last_event_id) <= LONGEST_NUMBER:
            last = int(last_event_id)
            oldest = self._kept[0].number if self._kept else self._number + 1
            if last + 1 < oldest and last < self._number:
                subscription.offer(Event(self._number, "stale", "{}"))
            else:
                for event in self._kept:
                    if event.number > last:
                        subscription.offer(event)
        self._listeners.add(subscription)
        subscription.close = lambda: self._leave(subscription)
        self._watched = frozenset().union(*(one.devices for one in self._listeners))
        return subscription

    def _leave(self, subscription: Subscription) -> None:
        self._listeners.discard(subscription)
        self._watched = frozenset().union(*(one.devices for one in self._listeners))

    def close(self) -> None:
        """End every listener's stream, so that the server can stop."""
        for listener in self._listeners:
            listener.offer(Event(0, "bye", "{}"))


async def event_stream(
    subscription: Subscription, gone: Callable[[], Awaitable[bool]], beat: float = BEAT_SECONDS
) -> AsyncIterator[str]:
    """The bytes of one listener's stream, until it leaves or the feed closes."""
    try:
        yield "retry: 2000\n\n"
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(subscription.filled.wait(), beat)
            if not subscription.waiting:
                if await gone():
                    return
                yield Event(0, "beat", "{}").encode()
                continue
            while subscription.waiting:
                event = subscription.waiting.popleft()
                if event.name == "bye":
                    return
                yield event.encode()
            subscription.filled.clear()
    finally:
        subscription.close()
