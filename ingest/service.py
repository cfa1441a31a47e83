"""The loop in which samples become readings.

Each lane has its own consumer and its own loop, so an alarm never waits behind telemetry. Every loop goes
take → work → make durable → acknowledge; whatever fails in between is tried again until it succeeds, and
a crash anywhere only means that the same batches come again.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from ingest.bus import Bus
from ingest.clocks import ClockLimits
from ingest.consumer import Consumer, Delivery
from ingest.ledger import Ledger, Prepared
from ingest.normaliser import DUPLICATE, QUARANTINED, LastSample, Normalised, Normaliser
from ingest.patience import Gate, Pause, Trouble, until_done
from ingest.progress import Progress
from ingest.quarantine import Quarantined, Reason
from ingest.sequences import BatchId
from ingest.streams import StreamMismatch, unread_streams
from language import N_, Message
from readings import Lane, SampleBatch, wire
from readings.numbers import OUTBOX_NUMBERS
from readings.subjects import (
    OUTAGE_HEADER,
    message_id,
    readings_subject,
    samples_stream,
)
from registry.site import Site

log = structlog.get_logger(__name__)

Clock = Callable[[], int]

NORMALISER: Final = "normaliser"
_GROUP: Final = 64
_HELD: Final = 4 * _GROUP
"""Batches of a lane that the normaliser holds: a group in each of its steps, and the next on its way."""
_SLICE: Final = 0.004
"""Seconds of computing after which the event loop gets a turn."""


class NormaliserService:
    """Takes sample batches from the bus, publishes reading batches, keeps the ledger."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        site: Site,
        *,
        clock: Clock = time.time_ns,
        limits: ClockLimits | None = None,
        gates: Mapping[Lane, Gate] | None = None,
    ) -> None:
        """`gates` stop a lane while there is no room on our disk."""
        self._gates = gates or {lane: Gate() for lane in Lane}
        self.progress = {lane: Progress() for lane in Lane}
        self.consumers: dict[Lane, Consumer] = {}
        """What it takes from, as far as it has begun."""
        self._bus = bus
        self._ledger = ledger
        self._normaliser = Normaliser(site, ledger.marks, limits)
        self._clock = clock
        self._begun: dict[Lane, set[BatchId]] = {lane: set() for lane in Lane}
        """Normalised and not yet committed."""
        self._told: set[str] = set()
        """Edges whose outbox was said to be an older copy."""

    def set_site(self, site: Site) -> None:
        """Use `site` from the next batch on."""
        self._normaliser.set_site(site)

    def clock_offsets(self) -> dict[str, float]:
        """See `ingest.normaliser.Normaliser.clock_offsets`."""
        return self._normaliser.clock_offsets()

    def clock_offset(self, device: str) -> float | None:
        """See `ingest.normaliser.Normaliser.clock_offset`."""
        return self._normaliser.clock_offset(device)

    def last_samples(self, device: str) -> list[LastSample]:
        """See `ingest.normaliser.Normaliser.last_samples`."""
        return self._normaliser.last_samples(device)

    async def run(self) -> None:
        """Work until cancelled.

        Raises `ingest.streams.StreamMismatch` when nobody would keep the readings, and
        `ingest.consumer.ConsumerClosed` or `ingest.bus.BusClosed` when the connection is gone for good.
        """
        if unread := await self._bus.administer("looking who reads", unread_streams):
            raise StreamMismatch(
                f"no consumer reads {', '.join(unread)}: prepare the writers before the normaliser"
            )
        async with asyncio.TaskGroup() as lanes:
            for lane in Lane:
                lanes.create_task(self._run_lane(lane), name=f"normalise {lane}")

    async def _run_lane(self, lane: Lane) -> None:
        """Normalise one group while the one before it is being made durable."""
        gate, progress = self._gates[lane], self.progress[lane]
        consumer = await self._bus.consume(samples_stream(lane), NORMALISER, capacity=_HELD)
        self.consumers[lane] = consumer
        ready: asyncio.Queue[tuple[list[Delivery], Prepared]] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._finish(lane, ready), name=f"finish {lane}")
            while True:
                await gate.passed(progress)
                deliveries = await consumer.take(_GROUP)
                group = await self._normalise(lane, deliveries)
                await ready.put((deliveries, self._ledger.prepare(lane, group)))

    async def _finish(self, lane: Lane, ready: asyncio.Queue[tuple[list[Delivery], Prepared]]) -> None:
        while True:
            deliveries, prepared = await ready.get()
            await self._publish(lane, prepared.group)
            await self._commit(lane, prepared)
            for delivery in deliveries:
                await delivery.ack()

    async def _normalise(self, lane: Lane, deliveries: Sequence[Delivery]) -> list[Normalised]:
        """The new batches among `deliveries`, normalised in order; what is no batch is quarantined."""
        group: list[Normalised] = []
        begun = self._begun[lane]
        until = time.perf_counter() + _SLICE
        for delivery in deliveries:
            try:
                batch = read_samples(delivery, lane)
            except wire.MalformedBatch as error:
                await self._quarantine(lane, delivery, str(error))
                continue
            identity = BatchId(batch.edge, lane, batch.seq)
            if identity in begun:
                continue
            if self._ledger.is_done(identity):
                if self._ledger.is_used_before(batch):
                    await self._keep_used_before(delivery, batch)
                continue
            begun.add(identity)
            replayed = delivery.headers.get(OUTAGE_HEADER) == "1"
            group.append(self._normaliser.normalise(batch, delivery.stored_at, replayed=replayed))
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + _SLICE
        return group

    async def _publish(self, lane: Lane, group: Sequence[Normalised]) -> None:
        subject = readings_subject(lane)
        waiting = [
            (message_id(done.batch.edge, lane, done.batch.seq), wire.encode(done.batch)) for done in group
        ]
        pause, told = Pause(), Trouble(self.progress[lane])
        while waiting:
            results = await self._bus.publish_in_order(subject, waiting)
            waiting = [
                message for message, result in zip(waiting, results, strict=True) if result is not None
            ]
            trouble = next((result for result in results if result is not None), None)
            if trouble is None:
                told.take_back()
            else:
                told.say(Message(N_("the bus does not take the readings: {why}"), {"why": str(trouble)}))
                await pause.wait("publishing readings", trouble)

    async def _commit(self, lane: Lane, prepared: Prepared) -> None:
        if not prepared.group:
            return
        progress, now = self.progress[lane], self._clock()
        await self._durably(lane, lambda: self._ledger.commit(prepared, now))
        for done in prepared.group:
            self._begun[lane].discard(BatchId(done.batch.edge, lane, done.batch.seq))
            progress.readings += len(done.batch.readings)
            for count in done.counts:
                if count.outcome == QUARANTINED:
                    progress.quarantined += count.n
                elif count.outcome == DUPLICATE:
                    progress.duplicates += count.n
        progress.batches += len(prepared.group)
        progress.last = now

    async def _quarantine(self, lane: Lane, delivery: Delivery, why: str) -> None:
        """Keep bytes that are no batch; they count as one, of unknown content."""
        edge = delivery.subject.split(".")[2]
        identity = _claimed_identity(delivery, edge, lane)
        entry = Quarantined(
            edge=edge,
            lane=lane,
            seq=identity.seq if identity else 0,
            source="",
            point="",
            reason=Reason.MALFORMED_BATCH,
            detail=Message(N_("not a batch of samples: {why}"), {"why": why}),
            raw=delivery.payload,
            samples=0,
            first=delivery.stored_at,
            last=delivery.stored_at,
            received=delivery.stored_at,
        )
        now = self._clock()
        log.warning("malformed batch quarantined", edge=edge, lane=str(lane), why=why)
        await self._durably(lane, lambda: self._ledger.quarantine_unread(entry, identity, now))
        self.progress[lane].quarantined += 1

    async def _keep_used_before(self, delivery: Delivery, batch: SampleBatch) -> None:
        """Keep a batch that no later stage would take, because all have done one of that number."""
        edge, lane = batch.edge, batch.lane
        times = [sample.taken for sample in batch.samples]
        entry = Quarantined(
            edge=edge,
            lane=lane,
            seq=batch.seq,
            source="",
            point="",
            reason=Reason.NUMBER_USED_BEFORE,
            detail=Message(
                N_(
                    "the outbox of {edge} is an older copy and uses numbers a second time."
                    " Stop the edge, delete its outbox.db and start it again"
                ),
                {"edge": edge},
            ),
            raw=delivery.payload,
            samples=len(times),
            first=min(times),
            last=max(times),
            received=delivery.stored_at,
        )
        if edge not in self._told:
            self._told.add(edge)
            log.error("outbox is an older copy: its batches go to quarantine", edge=edge, seq=batch.seq)
        now = self._clock()
        await self._durably(lane, lambda: self._ledger.quarantine_unread(entry, None, now))
        self.progress[lane].quarantined += len(times)

    async def _durably(self, lane: Lane, write: Callable[[], None]) -> None:
        """Run `write` in the ledger's thread until it succeeds."""
        await until_done(lambda: self._ledger.perform(write), self.progress[lane], "writing the ledger")


def read_samples(delivery: Delivery, lane: Lane) -> SampleBatch:
    """The batch of a delivery; raises `MalformedBatch`, also when it claims to be another edge's.

    The server lets an edge publish under its own subject only, so the subject is what counts.
    """
    batch = wire.decode_samples(delivery.payload)
    edge = delivery.subject.split(".")[2]
    if (batch.edge, batch.lane) != (edge, lane):
        raise wire.MalformedBatch(
            f"came as {edge}/{lane} but says {batch.edge}/{batch.lane}, number {batch.seq}"
        )
    if not 0 < batch.seq < OUTBOX_NUMBERS:
        raise wire.MalformedBatch(f"{batch.seq} is no number of a batch")
    return batch


def _claimed_identity(delivery: Delivery, edge: str, lane: Lane) -> BatchId | None:
    claimed = delivery.headers.get("Nats-Msg-Id", "").split(":")
    if (
        len(claimed) == 3
        and claimed[:2] == [edge, lane.value]
        and claimed[2].isascii()
        and claimed[2].isdecimal()
        and len(claimed[2]) < 20
        and 0 < int(claimed[2]) < OUTBOX_NUMBERS
    ):
        return BatchId(edge, lane, int(claimed[2]))
    return None
