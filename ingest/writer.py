"""The loop that stores readings: from the bus into one store, independently of all other readers.

Each lane has its own consumer and its own loop, so an alarm never waits behind telemetry. Every loop goes
take → write → acknowledge; what cannot be written waits in the stream, as long as that has room
(`ingest.spool`).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from ingest.bus import Bus
from ingest.consumer import Consumer, Delivery
from ingest.database import StoreUnavailable
from ingest.patience import Gate, Trouble, until_done
from ingest.progress import Progress
from ingest.spool import Spool
from ingest.stores import Store
from ingest.streams import store_consumer
from language import N_, Message
from readings import Lane, ReadingBatch, wire
from readings.subjects import readings_stream
from registry.site import Site

log = structlog.get_logger(__name__)

_TIDY_EVERY: Final = 60.0
_OVERHEAD: Final = 100
"""Bytes that a stream needs for a message besides what is in it, about."""


class WriterService:
    """Takes reading batches from the bus into one store, independently of all other readers."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        *,
        clock: Callable[[], int] = time.time_ns,
        capacity: int = 256,
        gates: Mapping[Lane, Gate] | None = None,
        spools: Mapping[Lane, Spool] | None = None,
    ) -> None:
        """`gates` stop a lane while there is no room on our disk, `spools` tell when waiting has to end."""
        self.progress = {lane: Progress() for lane in Lane}
        self.store = store
        self._bus = bus
        self._clock = clock
        self._capacity = capacity
        self.consumers: dict[Lane, Consumer] = {}
        """What it takes from, as far as it has begun."""
        self._gates = gates or {lane: Gate() for lane in Lane}
        self._spools = spools or {}
        self._behind = {lane: Trouble(self.progress[lane]) for lane in Lane}

    def set_site(self, site: Site) -> None:
        """Use `site` from the next write on."""
        self.store.set_site(site)

    async def prepare(self) -> None:
        """Make the consumers, so that nothing published from now on is missed. Call before the normaliser
        runs; raises `ingest.bus.BusUnavailable`."""
        for lane in Lane:
            if lane not in self.consumers:
                self.consumers[lane] = await self._bus.consume(
                    readings_stream(lane), store_consumer(self.store.name), capacity=self._capacity
                )

    async def run(self) -> None:
        """Work until cancelled; raises `ingest.consumer.ConsumerClosed` when the connection is gone."""
        await self.prepare()
        async with asyncio.TaskGroup() as tasks:
            for lane, consumer in self.consumers.items():
                tasks.create_task(self._run_lane(lane, consumer), name=f"write {self.store.name} {lane}")
            tasks.create_task(self._tidy(), name=f"tidy {self.store.name}")

    async def _run_lane(self, lane: Lane, consumer: Consumer) -> None:
        free = asyncio.Semaphore(self.store.limits.in_flight)
        async with asyncio.TaskGroup() as writes:
            while True:
                await self._gates[lane].passed(self.progress[lane])
                deliveries, batches = await self._gather(consumer)
                await free.acquire()
                write = writes.create_task(
                    self._write(lane, deliveries, batches), name=f"write {len(batches)} batches"
                )
                write.add_done_callback(lambda _: free.release())

    async def _gather(self, consumer: Consumer) -> tuple[list[Delivery], list[ReadingBatch]]:
        """Batches worth one write: what is there, or more when the store likes to linger."""
        limits, loop = self.store.limits, asyncio.get_running_loop()
        deliveries: list[Delivery] = []
        batches: list[ReadingBatch] = []
        readings, until, within = 0, 0.0, None
        while readings < limits.readings and not (deliveries and consumer.full):
            arrived = await consumer.take(16, within=within)
            if not arrived:
                break
            for delivery in arrived:
                try:
                    batch = wire.decode_readings(delivery.payload)
                except wire.MalformedBatch as error:
                    # Written by another version of us: it stays in the stream until one comes that knows it.
                    log.warning("unreadable batch left in stream", stream=consumer.stream, why=str(error))
                    await delivery.retry_later(_TIDY_EVERY)
                    continue
                deliveries.append(delivery)
                batches.append(batch)
                readings += len(batch.readings)
            if not until:
                until = loop.time() + limits.linger
            within = max(0.0, until - loop.time())
            await asyncio.sleep(0)
        return deliveries, batches

    async def _write(
        self, lane: Lane, deliveries: Sequence[Delivery], batches: Sequence[ReadingBatch]
    ) -> None:
        if not deliveries:
            return
        progress = self.progress[lane]
        readings = sum(len(batch.readings) for batch in batches)

        async def write_or_let_go() -> bool:
            if may_go():
                await self.store.let_go(batches, self._clock())
                return False
            await self.store.write(batches, self._clock())
            return True

        def may_go() -> bool:
            last, spool = deliveries[-1], self._spools.get(lane)
            return (
                spool is not None
                and not self._gates[lane].closed
                and spool.may_go(last.stream_seq, last.stored_at, self._clock())
            )

        written = await until_done(
            write_or_let_go,
            progress,
            f"writing to {self.store.name}",
            slow=_SLOW if self.store.limits.remote else None,
            enough=may_go,
        )
        for delivery in deliveries:
            await delivery.ack()
        if written:
            progress.readings += readings
            self._behind[lane].take_back()
        else:
            progress.expired += readings
            self._behind[lane].say(Message(_BEHIND, {"n": progress.expired}))
            self._spools[lane].gone(sum(len(delivery.payload) + _OVERHEAD for delivery in deliveries))
        progress.batches += len(batches)
        progress.last = self._clock()

    async def _tidy(self) -> None:
        """Housekeeping in small pieces, so that a write never waits long for one."""
        more = False
        while True:
            await asyncio.sleep(0.05 if more else _TIDY_EVERY)
            try:
                more = await self.store.tidy(self._clock())
            except StoreUnavailable as error:
                more = False
                log.warning("housekeeping postponed", store=self.store.name, error=str(error))


_SLOW: Final = Message(N_("a write has not been answered for some seconds"))
_BEHIND: Final = N_(
    "too far behind for what the stream can hold: the oldest readings were let go unwritten, {n} so far"
)
