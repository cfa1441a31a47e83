"""Everything that grows is bounded, on a disk that has room for the bounds and for little more."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from chaos.installation import installation
from chaos.small_disk import MEGABYTE, SmallDisk, small_disk
from chaos.world import Layout, World
from ingest.audit import balance
from supervision.ending import end
from tests.ingest.world import eventually

READINGS = 8 * MEGABYTE
QUARANTINE = MEGABYTE // 4
STREAM = 4 * MEGABYTE
DISK = 64 * MEGABYTE
MESSAGES = 10_000
"""On each edge, of 24 values each: together more than twice what the store may hold."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", DISK) as mounted:
        yield mounted


@dataclass
class Extremes:
    """The least room that there was, and the most that the store and each stream took. Bytes."""

    least: int
    largest: int = 0
    streams: Counter[str] = field(default_factory=Counter)

    async def watch(self, disk: SmallDisk, world: World) -> None:
        """Look until cancelled."""
        while True:
            self.least = min(self.least, disk.free)
            self.largest = max(self.largest, size(world.core_data, "readings.db*"))
            for name, state in (await world.streams()).items():
                self.streams[name] = max(self.streams[name], state["bytes"])
            await asyncio.sleep(0.1)


def size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.suffix != ".db-shm")


def asked(file: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
        return int(reader.execute(query).fetchone()[0] or 0)


async def talk_rubbish(world: World, stop: asyncio.Event) -> None:
    """Messages of a device that nobody has registered, more than the quarantine may hold of them."""
    edge = world.layout.edges[0]
    base = next(c for c in world.site.edges[edge].connections if c.id == "z2m").settings["topic"]
    async with aiomqtt.Client("127.0.0.1", world.ports["mqtt"]) as client:
        said, text = 0, "x" * 2_000
        while not stop.is_set() or said < 2 * QUARANTINE:
            await client.publish(f"{base}/stranger", f'{{"smoke": "{text}"}}', qos=1)
            said += len(text)


@pytest.mark.timeout(400)
async def test_a_small_disk_is_never_full_and_the_newest_is_always_there(
    tmp_path: Path, disk: SmallDisk
) -> None:
    layout = Layout(
        streams={"telemetry_bytes": STREAM, "alarm_bytes": STREAM},
        keep={"readings_bytes": READINGS, "quarantine_bytes": QUARANTINE},
    )
    homes = {"core": disk.folder / "core", "bus": disk.folder / "nats"}
    async with installation(tmp_path, layout, homes) as world:
        stop, seen = asyncio.Event(), Extremes(disk.free)
        watch = asyncio.create_task(seen.watch(disk, world))
        rubbish = asyncio.create_task(talk_rubbish(world, stop))
        loads = [await world.load(edge, 0, messages=MESSAGES, classes=("meter",)) for edge in layout.edges]
        for load in loads:
            await load.finished(300)
        marks = world.marks()
        stop.set()
        await rubbish
        await world.end_loads()
        await world.quiet(120)
        await end([watch])
        assert watch.cancelled(), "it looked until the end"

        ledger = world.core_data / "ledger.db"
        in_quarantine = "SELECT sum(length(raw)) FROM quarantine"
        await eventually(lambda: asked(ledger, in_quarantine) <= QUARANTINE, "the quarantine is bounded", 60)
        assert READINGS / 2 < seen.largest <= READINGS
        assert seen.streams["SAMPLES_TELEMETRY"] > STREAM / 2, "more came than went"
        assert max(seen.streams.values()) <= STREAM
        assert seen.least > DISK / 10, "the floor was never met"
        assert world.stored(marks), "the newest are there"
        books = await asyncio.to_thread(balance, world.core_data, world.edge_data)
        assert books.balanced, books.first_difference
        assert sum(row.expired for row in books.rows) > 0, "old readings were let go, and counted"
        assert sum(row.dropped for row in books.rows) > 0, "so were old entries of the quarantine"
