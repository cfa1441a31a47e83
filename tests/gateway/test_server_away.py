"""The rules go on while the server of the operations database is away: every alarm is there once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cases.desk import Desk
from cases.store import AlarmFilter, OperationsStore
from gateway.freshness import Freshness
from gateway.rates import Rates
from gateway.rule_runner import RuleRunner
from ingest.bus import Bus
from readings import Lane, Reading, ReadingBatch, wire
from readings.subjects import message_id, readings_subject
from rules.compile import compile_rules
from rules.engine import Engine
from rules.state import EngineState
from tests.conftest import ServerProcess
from tests.gateway.conftest import small_site, some_rules
from tests.ingest.world import eventually
from tests.postgres import Cluster

BATCHES = 60


@pytest.fixture
def mended(postgres: Cluster) -> Iterator[Cluster]:
    """The server; it runs again afterwards."""
    yield postgres
    if postgres.process is None:
        postgres.start()


@pytest.fixture
async def bus(nats_server: ServerProcess) -> AsyncIterator[Bus]:
    async with await Bus.connect(nats_server.url) as connected:
        await connected.ensure_streams()
        yield connected


def runner_on(bus: Bus, store: OperationsStore) -> RuleRunner:
    site, rules = small_site(), some_rules()
    with store.transaction() as tx:
        record = tx.load_engine()
    engine = Engine(compile_rules(rules, site), EngineState.restore(record.instances, record.marks))
    return RuleRunner(
        bus, store, engine, Desk(site, rules), record,
        partition=0, on_readings=lambda _: None, freshness=Freshness({}), rates=Rates(),
    )  # fmt: skip


async def smoke_and_clear(bus: Bus, first: int, count: int) -> None:
    """Batches in which the kitchen gets hot, or cool again: each makes an alarm or ends one."""
    for seq in range(first, first + count):
        now = time.time_ns()
        hot = Reading("s1", "temperature", 90.0 if seq % 2 else 20.0, now, now, now)
        batch = ReadingBatch("e1", Lane.ALARM, seq, (hot,))
        await bus.publish(readings_subject(Lane.ALARM), wire.encode(batch), message_id("e1", Lane.ALARM, seq))


def ruled(store: OperationsStore) -> int:
    with store.transaction() as tx:
        done = tx.load_engine().done.get(("e1", "alarm"))
    return sum(last - first + 1 for first, last in done.ranges) if done else 0


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_nothing_is_lost_or_told_twice_while_the_server_comes_and_goes(
    bus: Bus, mended: Cluster, postgres_database: str, tmp_path: Path, how: str
) -> None:
    store = mended.store(postgres_database)
    runner = runner_on(bus, store)
    await runner.prepare()
    running = asyncio.create_task(runner.run())
    for outage in range(3):
        sending = asyncio.create_task(smoke_and_clear(bus, outage * BATCHES + 1, BATCHES))
        await asyncio.sleep(0.05 * outage)
        await asyncio.to_thread(getattr(mended, how))
        await sending

        async def in_trouble() -> bool:
            return runner.trouble is not None

        await eventually(in_trouble, "the rules say why they wait", limit=60)
        await asyncio.to_thread(mended.start)

        async def all_ruled(until: int = (outage + 1) * BATCHES) -> bool:
            return not runner.trouble and await asyncio.to_thread(ruled, store) == until

        await eventually(all_ruled, "every batch is ruled", limit=60)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with store.reading() as books:
        alarms = books.alarms(AlarmFilter(state="all"), limit=1000).items
        told = [books.alarm(alarm.id) for alarm in alarms]
        assert all(books.broken_history(case.id) is None for case in books.cases().items)
    store.close()
    assert alarms
    for found in told:
        assert found is not None
        alarm, timeline = found
        assert alarm.findings == len(timeline)
        moments = [(line.kind, line.time) for line in timeline]
        assert len(set(moments)) == len(moments), "told twice"
