"""A store that is away has the stream as its spool, as long as that has room; the rules go on throughout."""

import asyncio
from pathlib import Path

from nats.js.client import JetStreamContext

from ingest.audit import Books, audit
from ingest.bus import Bus
from ingest.clocks import DAY
from ingest.consumer import Consumer
from ingest.ledger import Ledger
from ingest.service import NormaliserService
from ingest.spool import Spool, SpoolWatch
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_client import InfluxSettings
from ingest.streams import StreamLimits, rules_consumer
from ingest.writer import WriterService
from readings import Lane
from readings.subjects import readings_stream
from registry.site import Site
from tests.ingest.fault_server import Answer, FaultServer
from tests.ingest.world import NOW, SECOND, batch, eventually, sample, send

SMALL = 2_000_000
"""Several writes of 50 batches fit in, so that how much is left does not hang on when the last one went."""


def test_nothing_goes_before_the_rules_have_had_it() -> None:
    spool = Spool(Lane.TELEMETRY, 1000, 5 * DAY)
    spool.note(900, judged=10)
    assert spool.may_go(10, NOW, NOW)
    assert not spool.may_go(11, NOW, NOW)


def test_room_is_made_until_the_stream_is_eased() -> None:
    spool = Spool(Lane.TELEMETRY, 1000, 5 * DAY)
    for used, goes in ((799, False), (800, True), (701, True), (700, False), (799, False)):
        spool.note(used, judged=10)
        assert spool.may_go(1, NOW, NOW) == goes


def test_what_has_waited_too_long_goes() -> None:
    spool = Spool(Lane.TELEMETRY, 1000, 5 * DAY)
    spool.note(1, judged=10)
    assert not spool.may_go(1, NOW - 5 * DAY, NOW)
    assert spool.may_go(1, NOW - 5 * DAY - 1, NOW)


async def obey(consumer: Consumer, ruled: list[int]) -> None:
    """The rules, as far as the stream knows: they take and acknowledge."""
    while True:
        for delivery in await consumer.take(64):
            await delivery.ack()
            ruled.append(delivery.stream_seq)


async def test_while_influxdb_is_away_the_rules_go_on_and_the_oldest_readings_go(
    bus: Bus, site: Site, tmp_path: Path
) -> None:
    await bus.ensure_streams(StreamLimits(SMALL, SMALL, readings_alarm=SMALL, readings_telemetry=SMALL))
    server = FaultServer()
    server.judge = lambda lines: Answer(500, '{"error":"engine is closed"}')
    store = InfluxStore(InfluxSettings(server.url), site, tmp_path / "influx.db")
    ledger = Ledger(tmp_path / "ledger.db")
    watch = SpoolWatch(bus.jetstream, dict.fromkeys(Lane, SMALL), 5 * DAY)
    writer = WriterService(bus, store, spools=watch.spools)
    ruled: list[int] = []
    rules = await bus.consume(readings_stream(Lane.TELEMETRY), rules_consumer(Lane.TELEMETRY))
    other = await bus.consume(readings_stream(Lane.ALARM), rules_consumer(Lane.ALARM))
    await writer.prepare()
    normaliser = NormaliserService(bus, ledger, site)
    work = [part.run() for part in (watch, writer, normaliser)]
    tasks = [asyncio.create_task(one) for one in (*work, obey(rules, ruled), obey(other, []))]
    sent = 1
    try:
        for seq in range(1, 1001):  # three times what the stream can hold
            start = NOW + seq * SECOND
            await send(bus, batch(seq, [sample("smoke-1", "voltage", n, start + n) for n in range(100)]))
            sent += 100
            await eventually(lambda seq=seq: len(ruled) >= seq - 20, "the rules keep up", 30)
        await eventually(lambda: len(ruled) == 1000, "the rules have had everything")
        progress = writer.progress[Lane.TELEMETRY]
        assert progress.expired > 0
        assert "let go unwritten" in str(progress.problem) or "engine is closed" in str(progress.problem)
        server.judge = lambda lines: None
        await send(bus, batch(1001, [sample("smoke-1", "voltage", 1, NOW + 1001 * SECOND)]))
        await eventually(lambda: _empty(bus.jetstream), "the rest is written", 60)
        assert progress.problem is None
        books: Books = await audit(bus.jetstream, tmp_path, None)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ledger.close()
        await store.close()
        server.close()
    assert books.balanced, books.first_difference
    (row,) = books.rows
    assert (row.taken, row.expired) == (sent, progress.expired)
    assert row.stored > 15_000  # the newest that the stream could hold are there
    assert row.stored == len(server.points) == sent - progress.expired
    newest = sorted(int(at) for _, at in server.points)
    assert newest[-1] == NOW + 1001 * SECOND  # it is the oldest that went


async def _empty(jetstream: JetStreamContext) -> bool:
    return not (await jetstream.stream_info(readings_stream(Lane.TELEMETRY))).state.messages
