"""While there is little room telemetry waits everywhere, alarms pass, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest.audit import audit
from ingest.bus import Bus, StreamFull
from ingest.disk import DiskLimits, DiskWatch, Space
from ingest.floor import FloorKeeper
from ingest.ledger import Ledger
from ingest.service import NormaliserService
from ingest.stores.memory import MemoryStore
from ingest.streams import StreamLimits
from ingest.writer import WriterService
from readings import Lane
from readings.subjects import readings_stream, samples_stream
from registry.site import Site
from tests.ingest.world import batch, eventually, sample, send

GIGABYTE = 1 << 30
LIMIT = StreamLimits().samples_telemetry
TELEMETRY = [samples_stream(Lane.TELEMETRY), readings_stream(Lane.TELEMETRY)]


class Disk:
    """A disk of a terabyte whose free bytes the test chooses."""

    def __init__(self) -> None:
        self.free = 100 * GIGABYTE

    def __call__(self, folder: Path) -> Space:
        return Space(1 << 40, self.free)


async def limits_of(bus: Bus) -> list[int]:
    return [(await bus.jetstream.stream_info(name)).config.max_bytes or 0 for name in TELEMETRY]


async def held_by(bus: Bus) -> list[int]:
    return [(await bus.jetstream.stream_info(name)).state.bytes for name in TELEMETRY]


@asynccontextmanager
async def room(
    bus: Bus, site: Site, folder: Path, disk: Disk
) -> AsyncIterator[tuple[MemoryStore, FloorKeeper]]:
    watch = DiskWatch(folder, limits=DiskLimits(reserve=0), measure=disk)
    floor = FloorKeeper(watch, bus.jetstream, LIMIT)
    ledger = Ledger(folder / "ledger.db")
    store = MemoryStore()
    writer = WriterService(bus, store, gates=floor.gates)
    await writer.prepare()
    normaliser = NormaliserService(bus, ledger, site, gates=floor.gates)
    services = [asyncio.create_task(part.run()) for part in (floor, writer, normaliser)]
    try:
        yield store, floor
    finally:
        for service in services:
            service.cancel()
        await asyncio.gather(*services, return_exceptions=True)
        ledger.close()


async def test_telemetry_waits_on_the_bus_and_before_it_while_alarms_pass(
    bus: Bus, site: Site, tmp_path: Path
) -> None:
    await bus.ensure_streams(StreamLimits(readings_telemetry=LIMIT))
    disk = Disk()
    async with room(bus, site, tmp_path, disk) as (store, floor):
        await send(bus, *(batch(seq, [sample("smoke-1", "battery", seq)]) for seq in range(1, 20)))
        await eventually(lambda: len(store.batches) == 19, "telemetry flows")
        disk.free = GIGABYTE // 2
        await eventually(lambda: floor.gates[Lane.TELEMETRY].closed, "the floor is seen")
        await eventually(lambda: _limited(bus), "the streams are limited to what they hold")
        with pytest.raises(StreamFull):
            await send(bus, batch(20, [sample("smoke-1", "battery", 20)]))
        await send(bus, batch(1, [sample("smoke-1", "smoke", value=True)], lane=Lane.ALARM))
        await eventually(lambda: len(store.batches) == 20, "the alarm passes")
        assert "nearly full (512 MB free)" in str(floor.state.problem)
        disk.free = 100 * GIGABYTE
        await eventually(lambda: _has_limits(bus, [LIMIT, LIMIT]), "the ordinary limits are back")
        await send(bus, batch(20, [sample("smoke-1", "battery", 20)]))
        await eventually(lambda: len(store.batches) == 21, "telemetry flows again")
        assert floor.state.problem is None


async def test_what_was_on_its_way_stays_there_and_arrives_when_there_is_room(
    bus: Bus, site: Site, tmp_path: Path
) -> None:
    await bus.ensure_streams(StreamLimits(readings_telemetry=LIMIT))
    disk = Disk()
    disk.free = 0
    await send(bus, *(batch(seq, [sample("smoke-1", "battery", seq)]) for seq in range(1, 500)))
    async with room(bus, site, tmp_path, disk) as (store, _):
        await eventually(lambda: _limited(bus), "the streams are limited")
        held = await held_by(bus)
        assert held[0] > 0
        # somebody else of the core has just started and put the ordinary limits back
        await bus.ensure_streams(StreamLimits(readings_telemetry=LIMIT))
        await eventually(lambda: _limited(bus), "the streams are limited again")
        await send(bus, batch(1, [sample("smoke-1", "smoke", value=True)], lane=Lane.ALARM))
        await eventually(lambda: len(store.batches) == 1, "the alarm passes")
        assert await held_by(bus) == held
        disk.free = 100 * GIGABYTE
        await eventually(lambda: len(store.batches) == 500, "everything arrives")
        assert (await audit(bus.jetstream, tmp_path, None)).balanced


async def _limited(bus: Bus) -> bool:
    return await limits_of(bus) == [max(1, held) for held in await held_by(bus)]


async def _has_limits(bus: Bus, limits: list[int]) -> bool:
    return await limits_of(bus) == limits
