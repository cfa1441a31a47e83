"""What waits on the bus, and for whom."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import nats.errors
from nats.js.errors import APIError

from ingest.audit import Books, audit, balance
from ingest.bus import Bus
from ingest.service import NORMALISER
from ingest.streams import rules_consumer, store_consumer
from readings.lanes import Lane
from readings.subjects import readings_stream, samples_stream


@dataclass(frozen=True, slots=True)
class Queue:
    """Batches of a lane that a reader has yet to do: those that wait, and those it has in hand.

    What is in hand was taken and is acknowledged once what follows from it is kept; only what waits is a
    backlog. `reader` is ``normaliser``, ``rules`` or a store's name.
    """

    stream: str
    reader: str
    lane: Lane
    waiting: int
    in_hand: int


class Queues:
    """Asks the bus how far its readers have come."""

    def __init__(self, bus: Bus, stores: list[str]) -> None:
        self._bus = bus
        self._readers = [(samples_stream(lane), NORMALISER, lane, "normaliser") for lane in Lane]
        for lane in Lane:
            stream = readings_stream(lane)
            self._readers += [(stream, store_consumer(store), lane, store) for store in stores]
            self._readers.append((stream, rules_consumer(lane), lane, "rules"))

    async def look(self) -> list[Queue]:
        """Every queue; empty while the bus does not answer."""
        found = []
        try:
            for stream, durable, lane, reader in self._readers:
                info = await self._bus.jetstream.consumer_info(stream, durable)
                found.append(Queue(stream, reader, lane, info.num_pending or 0, info.num_ack_pending or 0))
        except (nats.errors.Error, APIError, TimeoutError):
            return []
        return found

    async def waiting(self) -> int:
        """Batches in all streams that somebody has yet to do, those in hand included."""
        return sum(queue.waiting + queue.in_hand for queue in await self.look())

    async def audit(self, data: Path, edges: Path | None) -> Books:
        """The books with the streams' contents; without them while the bus does not answer."""
        try:
            return await audit(self._bus.jetstream, data, edges)
        except (nats.errors.Error, APIError, TimeoutError):
            return await asyncio.to_thread(balance, data, edges)
