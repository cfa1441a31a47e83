"""What was taken during an outage of the link, from the outbox to the readings that the rules are fed."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edge.bus import Bus as Link
from edge.outbox import Group, Outbox
from edge.uplink import Uplink
from ingest.bus import Bus
from ingest.stores.memory import MemoryStore
from readings import Lane, Sample
from readings.quality import Quality
from registry.site import Site
from tests.ingest.world import SECOND, Room, eventually, sample


async def test_every_reading_keeps_its_times_and_says_whether_it_waited(
    nats_server: Any, bus: Bus, site: Site, tmp_path: Path
) -> None:
    """An hour without a link, in small pieces that travel in fewer batches, then live ones."""
    outbox = Outbox(tmp_path / "edges" / "edge-1" / "outbox.db", "edge-1")
    worker = ThreadPoolExecutor(1)

    async def read(lane: Lane, after: int, limit: int) -> Any:
        return await asyncio.get_running_loop().run_in_executor(worker, outbox.read, lane, after, limit)

    began = time.time_ns() - 3600 * SECOND
    waited: list[Sample] = []
    for n in range(360):
        taken = began + n * 10 * SECOND
        # the device's own clock is two seconds behind the edge's
        telemetry = [sample("climate-1", "humidity", n % 100, taken, time=taken - 2 * SECOND)]
        alarm = [sample("smoke-1", "smoke", n == 180, taken, time=taken - 2 * SECOND)]
        outbox.commit(Group({Lane.TELEMETRY: telemetry, Lane.ALARM: alarm}), taken)
        waited += telemetry + alarm
    store = MemoryStore("embedded")
    async with Room(bus, site, tmp_path, [store]):
        uplink = Uplink(outbox, read, Link(nats_server.url))
        sending = asyncio.create_task(uplink.run())
        await uplink.drain()
        now = time.time_ns()
        live = [sample("climate-1", "humidity", 50, now), sample("smoke-1", "smoke", False, now)]
        outbox.commit(Group({Lane.TELEMETRY: live[:1], Lane.ALARM: live[1:]}), now)
        uplink.notify()
        await eventually(lambda: len(_readings(store)) == len(waited) + 2, "everything is stored")
        sending.cancel()
        await asyncio.wait([sending])
    found = _readings(store)
    assert len([batch for batch in store.batches.values() if batch.replayed]) < 300
    for one in waited:
        replayed, reading = found[one.source.removeprefix("z2m/"), one.taken]
        assert replayed
        assert (reading.time, reading.taken) == (one.time, one.taken)
        assert reading.received >= now - 60 * SECOND
        assert not reading.quality & Quality.CLOCK_SUSPECT
        assert reading.value == one.value
    for one in live:
        replayed, reading = found[one.source.removeprefix("z2m/"), one.taken]
        assert not replayed
        assert reading.time == now
    outbox.close()
    worker.shutdown()


def _readings(store: MemoryStore) -> dict[tuple[str, int], tuple[bool, Any]]:
    return {
        (reading.device, reading.taken): (batch.replayed, reading)
        for batch in store.batches.values()
        for reading in batch.readings
    }
