"""A backup of a core that never rests, put back elsewhere: nothing acknowledged is missing, nothing counts
twice, and what is lost is known."""

import asyncio
import random
import shutil
import time
from pathlib import Path

import pytest

from gridwarden.backup import taking
from gridwarden.backup.archive import Archive
from gridwarden.backup.places import Target
from gridwarden.backup.restoring import restore
from gridwarden.backup.taking import take
from gridwarden.installation import Installation
from ingest.bus import Bus
from ingest.snapshots import Snapshot
from readings import Lane
from tests.backup.conftest import Core, Edge


class SlowSnapshot(Snapshot):
    """Whoever is read next has gone on meanwhile: what is between two moments becomes visible."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def time_between_the_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "Snapshot", SlowSnapshot)


async def in_another_thread(installation: Installation, target: Path) -> None:
    """Back up as another process would: what is backed up does not stand still for it."""
    await asyncio.to_thread(lambda: asyncio.run(take(installation, target, with_secrets=False)))


async def backed_up(here: Core, edge: Edge, target: Path, seed: int) -> set[tuple[str, str, int]]:
    """Run `here`, back it up at some moment, let it go on, and end it; what was confirmed before."""
    dice = random.Random(seed)
    over = asyncio.Event()
    async with await Bus.connect(here.server.url) as bus:
        await bus.ensure_streams()
        async with here.room(bus) as room:
            living = asyncio.create_task(edge.live(bus, over))
            await room.stored(dice.randrange(5, 60))
            before = set(edge.confirmed)
            await in_another_thread(here.installation, target)
            await room.stored(room.writers[0].progress[Lane.TELEMETRY].batches + dice.randrange(5, 30))
            over.set()
            await living
    assert len(edge.confirmed) > len(before)
    return before


@pytest.mark.parametrize("seed", range(8))
async def test_the_edge_goes_on_where_the_restored_core_cannot_follow(
    here: Core, there: Core, tmp_path: Path, seed: int
) -> None:
    edge = Edge(here.edges, seed)
    before = await backed_up(here, edge, tmp_path / "backup.tar", seed)
    there = Core(there.folder, there.server, edges=here.edges)  # the edge lives on
    archive = Archive(tmp_path / "backup.tar")
    archive.verify()
    await restore(archive, Target.of_config(there.config), force=False)
    async with await Bus.connect(there.server.url) as bus, there.room(bus) as room:
        for _ in range(3):
            edge.take()
            await edge.send(bus)
        await room.stored(3)
        books = await there.settled(bus)
    edge.outbox.close()
    stored = there.stored()
    assert before <= stored.keys()
    assert {key: edge.taken[key] for key in stored} == stored
    assert books.balanced, books.first_difference
    assert sum(row.stored for row in books.rows) == len(stored)
    assert sum(row.taken for row in books.rows) == len(edge.taken)
    lost = edge.taken.keys() - stored.keys()
    assert lost, "the edge sent something between the backup and the end"
    assert sum(row.lost for row in books.rows) == len(lost)
    assert sum(loss.batches for loss in books.losses) > 0
    assert {loss.backup for loss in books.losses} == {archive.manifest.taken}
    assert (there.folder / "site" / "edges" / "edge-1.yaml").read_text() == "id: edge-1\n"


@pytest.mark.parametrize("seed", range(8, 12))
async def test_what_waited_in_an_outbox_is_not_lost_with_the_machine(
    here: Core, there: Core, tmp_path: Path, seed: int
) -> None:
    """Also what had no number yet; and an edge with a new outbox goes on beside it."""
    edge = Edge(here.edges, seed)
    await backed_up(here, edge, tmp_path / "first.tar", seed)
    for _ in range(400):  # the link is down: more than an outbox numbers in advance
        edge.take()
    taken = await take(here.installation, tmp_path / "backup.tar.gz", with_secrets=False)
    assert taken.manifest.waiting["edge-1"] > 0
    edge.outbox.close()
    shutil.rmtree(here.folder / "core")
    await restore(Archive(tmp_path / "backup.tar.gz"), Target.of_config(there.config), force=False)
    there.edges.mkdir()
    fresh = Edge(there.edges, seed + 100)
    fresh._time = edge._time
    async with await Bus.connect(there.server.url) as bus, there.room(bus) as room:
        fresh.take()
        await fresh.send(bus)
        await room.stored(2)
        books = await there.settled(bus)
    fresh.outbox.close()
    assert there.stored() == edge.taken | fresh.taken
    assert books.balanced, books.first_difference
    assert sum(row.taken for row in books.rows) == len(edge.taken) + len(fresh.taken)
    assert books.losses == ()


async def test_the_same_place_and_a_bus_that_survived(here: Core, tmp_path: Path) -> None:
    """The core's disk is lost, its bus and its edge are not: what the bus still holds is taken up."""
    edge = Edge(here.edges, 77)
    before = await backed_up(here, edge, tmp_path / "backup", 77)
    async with await Bus.connect(here.server.url) as bus:
        for _ in range(20):  # confirmed by the bus, and no normaliser runs any more
            edge.take()
            await edge.send(bus)
        waiting = set(edge.confirmed)
        shutil.rmtree(here.data)
        await restore(Archive(tmp_path / "backup"), Target.of_config(here.config), force=True)
        async with here.room(bus) as room:
            await room.stored(20)
            books = await here.settled(bus)
    edge.outbox.close()
    stored = here.stored()
    assert before <= stored.keys()
    assert len(stored) >= len(before) + 20
    assert {key: edge.taken[key] for key in stored} == stored
    assert books.balanced, books.first_difference
    assert sum(row.lost for row in books.rows) == len(waiting - stored.keys())
    moved = [path.name for path in here.folder.iterdir() if ".before-" in path.name]
    assert len(moved) == 1
    assert moved[0].startswith("site.before-")
