"""From readings to alarms and cases: the engine and the desk, driven by the bus.

Each lane is consumed on its own. What a fetch of batches led to, the engine's new state and the position in
the stream commit in one transaction; only then are the batches acknowledged and is the live feed told. With
no findings the commit waits up to `CHECKPOINT_SECONDS`, so that quiet telemetry costs one transaction a
second (docs/decisions/0003).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from cases.alarms import OUTSIDE, Alarm
from cases.case import Action, Case
from cases.desk import Changes, Desk
from cases.outside import Notice
from cases.store import CommitInDoubt, Done, EngineRecord, OperationsStore, StoreUnavailable, Transaction
from gateway.freshness import Freshness
from gateway.rates import Rates
from ingest.bus import Bus
from ingest.consumer import Consumer, Delivery
from ingest.sequences import Sequences
from ingest.streams import rules_consumer
from language import N_, Message
from readings import wire
from readings.lanes import Lane
from readings.reading import Reading, ReadingBatch
from readings.subjects import readings_stream
from registry.site import Site
from rules.commands import Acknowledge, Reset
from rules.compile import Program
from rules.engine import Engine
from rules.findings import Finding
from supervision.watchdog import Pulse, Watchdog

CHECKPOINT_SECONDS: Final = 1.0
TICK_SECONDS: Final = 0.1
ABSENT: Final = 5 * 1_000_000_000
"""A runner that was away for so long (ns) has missed what devices said meanwhile."""
FETCH: Final = {Lane.ALARM: 64, Lane.TELEMETRY: 16}
"""Batches taken at once: many small ones on the alarm lane, few on the other, so that a turn stays short."""

CAPACITY: Final = 512
"""Batches of a lane that may wait for a commit; half of them force one."""

RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)

CANNOT_WRITE: Final = N_("the operations database cannot be written: {reason}")

log = structlog.get_logger()

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Changed:
    """Alarms and cases as a commit left them."""

    alarms: tuple[Alarm, ...] = ()
    cases: tuple[Case, ...] = ()


@dataclass(slots=True)
class _Pending:
    """What the engine has seen that is not committed yet."""

    deliveries: list[Delivery] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    lanes: set[tuple[str, str]] = field(default_factory=set)
    positions: dict[str, int] = field(default_factory=dict)
    since: float = 0.0


@dataclass(slots=True)
class _Attempt:
    """The last try of a transaction that is tried until it succeeds."""

    changed: Changed = Changed()
    ticket: int | None = None
    """Of its commit, while nobody knows whether that was made."""


class RuleRunner:
    """Runs the engine over READINGS and keeps its state, the alarms and the cases in step."""

    def __init__(
        self,
        bus: Bus,
        store: OperationsStore,
        engine: Engine,
        desk: Desk,
        record: EngineRecord,
        *,
        partition: int,
        on_readings: Callable[[Sequence[Reading]], None],
        freshness: Freshness,
        rates: Rates,
        fed: Callable[[], bool] = lambda: True,
        clock: Clock = time.time_ns,
        pulse: Pulse | None = None,
    ) -> None:
        """`record` is what `engine` was restored from: the batches that its state includes.

        `fed` says whether readings can come at all: while they cannot, no device counts as silent.
        """
        self._bus = bus
        self._store = store
        self._engine = engine
        self._desk = desk
        self._done = {key: Sequences(done.ranges) for key, done in record.done.items()}
        self._partition = partition
        self._on_readings = on_readings
        self.on_changes: Callable[[Changed], None] = lambda _: None
        """Told of every commit that changed alarms or cases."""
        self._freshness = freshness
        self._rates = rates
        self._fed = fed
        self._clock = clock
        self._pulse = pulse or Watchdog(0).pulse("rules")
        self._consumers: dict[Lane, Consumer] = {}
        self._turn = asyncio.Lock()
        self._pending = _Pending()
        self.trouble: Message | None = None
        """Why nothing can be committed just now; None while all is well."""

    async def prepare(self) -> None:
        """Make the consumers, so that nothing published from now on is missed.

        Call before the normaliser runs; raises `ingest.bus.BusUnavailable`.
        """
        for lane in Lane:
            self._consumers[lane] = await self._bus.consume(
                readings_stream(lane), rules_consumer(lane), capacity=CAPACITY
            )

    async def run(self) -> None:
        """Run until cancelled, after `prepare`."""
        last, now = self._engine.last_call, self._clock()
        if last and now - last > ABSENT:
            self._engine.deaf(now)
        async with asyncio.TaskGroup() as tasks:
            for lane in Lane:
                tasks.create_task(self._consume(lane), name=f"rules {lane}")
            tasks.create_task(self._ticks(), name="rules ticks")
            tasks.create_task(self._case_timers(), name="case timers")

    async def _consume(self, lane: Lane) -> None:
        stream, consumer = readings_stream(lane), self._consumers[lane]
        while True:
            deliveries = await consumer.take(FETCH[lane])
            async with self._turn:
                for delivery in deliveries:
                    self._take(delivery, stream)
                await self._commit_if_due()

    def _take(self, delivery: Delivery, stream: str) -> None:
        pending = self._pending
        pending.since = pending.since or time.monotonic()
        pending.deliveries.append(delivery)
        batch = wire.decode_readings(delivery.payload)
        done = self._done.setdefault((batch.edge, batch.lane), Sequences())
        if not done.add(batch.seq):
            return  # delivered again although its effects are kept: only to be acknowledged
        pending.lanes.add((batch.edge, batch.lane))
        pending.positions[stream] = delivery.stream_seq
        self._judge(batch)

    def _judge(self, batch: ReadingBatch) -> None:
        now = self._clock()
        self._pending.findings += self._engine.feed(batch.readings, now, replayed=batch.replayed)
        self._freshness.take(batch.readings)
        self._on_readings(batch.readings)
        self._rates.count("ruled", batch.lane, len(batch.readings), now)

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._pulse.beat()
            async with self._turn:  # who has the turn and never gives it back stops this loop, too
                now = self._clock()
                if not self._fed():
                    self._engine.deaf(now)
                due = self._engine.next_deadline()
                if due is not None and due <= now:
                    self._pending.findings += self._engine.tick(now)
                await self._commit_if_due()

    async def _case_timers(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            with contextlib.suppress(StoreUnavailable):  # asked again in a second
                await self._in_transaction(lambda tx: self._desk.tick(tx, self._clock()))

    async def command(self, command: Acknowledge | Reset) -> None:
        """An operator's act on an alarm; raises `rules.commands.Refused` when it is not possible, and
        `StoreUnavailable`.
        """
        if command.alarm.startswith(OUTSIDE):
            await self._in_transaction(lambda tx: self._desk.command(command, tx, self._clock()))
            return
        async with self._turn:
            self._pending.findings += self._engine.command(command, self._clock())
            await self._commit()

    async def act(self, number: str, action: Action) -> None:
        """A person's act on a case; raises `cases.case.Refused`, `NoSuchCase`, `StoreUnavailable`."""

        def act(tx: Transaction) -> Changes:
            case = self._desk.act(tx, number, action, self._clock())
            parents = (case.parent,) if case.parent else ()
            return Changes(cases=(case.id, *parents))

        await self._in_transaction(act)

    async def hear(self, notices: Sequence[Notice]) -> None:
        """What somebody says who watches from outside; raises `StoreUnavailable`: nothing is kept then."""
        await self._in_transaction(lambda tx: self._desk.hear(notices, tx, self._clock()))

    async def reload(self, program: Program, site: Site) -> None:
        """Go on with other rules or another site; alarms of what is gone end with a reason."""
        async with self._turn:
            self._desk.set_site(site, program.rules.values())
            self._pending.findings += self._engine.reload(program, self._clock())
            await self._commit()

    async def flush(self) -> None:
        """Commit and acknowledge what has been seen."""
        async with self._turn:
            await self._commit()

    async def _commit_if_due(self) -> None:
        pending = self._pending
        waited = pending.since and time.monotonic() - pending.since >= CHECKPOINT_SECONDS
        if pending.findings or waited or len(pending.deliveries) >= CAPACITY // 2:
            await self._commit()

    async def _commit(self) -> None:
        pending, self._pending = self._pending, _Pending()
        changes = self._engine.take_changes()
        done = {key: Done(tuple(self._done[key])) for key in pending.lanes}

        def commit(tx: Transaction) -> Changes:
            made = self._desk.report(pending.findings, tx, self._clock())
            tx.save_engine(self._partition, dict(changes.instances), changes.marks, pending.positions, done)
            return made

        attempts, last = 0, _Attempt()
        while True:
            try:
                await self._again(commit, last)
            except StoreUnavailable as error:
                # nothing may be acknowledged or forgotten: the same transaction is tried until it succeeds
                if not self.trouble:
                    log.warning("operations database cannot be written", reason=str(error))
                self.trouble = Message(CANNOT_WRITE, {"reason": str(error)})
                self._pulse.beat(asleep=RETRY_SECONDS[-1])
                await asyncio.sleep(RETRY_SECONDS[min(attempts, len(RETRY_SECONDS) - 1)])
                attempts += 1
            else:
                break
        if self.trouble:
            log.info("operations database can be written again")
            self.trouble = None
        for delivery in pending.deliveries:
            await delivery.ack()

    async def _again(self, work: Callable[[Transaction], Changes], last: _Attempt) -> None:
        """As `_in_transaction`, unless the last attempt turns out to have been committed."""
        if last.ticket is not None:
            if await asyncio.to_thread(self._store.was_committed, last.ticket):
                self._tell(last.changed)
                return
            last.ticket = None
        await self._in_transaction(work, last)

    async def _in_transaction(
        self, work: Callable[[Transaction], Changes], attempt: _Attempt | None = None
    ) -> None:
        """Do `work` in one transaction in a thread, then tell what it changed."""
        attempt = attempt or _Attempt()

        def transact() -> None:
            with self._store.transaction() as tx:
                made = work(tx)
                alarms = tx.alarms(made.alarms)
                cases = (tx.case(number) for number in made.cases)
                attempt.changed = Changed(
                    tuple(alarms.values()), tuple(case for case in cases if case is not None)
                )

        try:
            await asyncio.to_thread(transact)
        except CommitInDoubt as doubt:
            attempt.ticket = doubt.ticket
            raise
        self._tell(attempt.changed)

    def _tell(self, changed: Changed) -> None:
        if changed.alarms or changed.cases:
            self.on_changes(changed)
