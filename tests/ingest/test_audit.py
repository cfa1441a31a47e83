"""The books, with a real outbox at one end and a real store at the other, through crashes."""

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edge.outbox import Group, Limits, Outbox, Stored
from edge.thinner import Thinner
from ingest.audit import Books, audit, balance
from ingest.bus import Bus, BusUnavailable
from ingest.database import open_reader
from ingest.quarantine import Reason
from ingest.restorations import note_restoration, upto
from ingest.snapshots import Snapshot
from ingest.stores.embedded import EmbeddedStore, Retention
from ingest.stores.memory import MemoryStore
from readings import Lane, Sample
from readings.subjects import message_id, samples_subject
from registry.site import Site
from tests.conftest import ServerProcess
from tests.ingest.room_process import PLACES
from tests.ingest.world import NOW, SECOND, Room, eventually, quarantined, sample


class Edge:
    """An edge as far as the books see it: a real outbox, and a hand that carries batches to the bus."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        folder.mkdir(parents=True)
        self.outbox = Outbox(folder / "outbox.db", folder.name)
        self.sent: list[Sample] = []
        self._dice = random.Random(seed)
        self._clock = NOW

    def take(self, commits: int) -> list[Stored]:
        batches: list[Stored] = []
        for _ in range(commits):
            telemetry = [self._sample() for _ in range(self._dice.randrange(1, 20))]
            alarms = [sample("smoke-1", "smoke", self._dice.random() < 0.5, self._tick())]
            self.sent += telemetry + alarms
            batches += self.outbox.commit(Group({Lane.TELEMETRY: telemetry, Lane.ALARM: alarms}), NOW)
        return batches

    def _sample(self) -> Sample:
        source = self._dice.choice(["smoke-1", "smoke-2", "climate-1", "stranger"])
        if self._dice.random() < 0.2:
            return sample(source, "battery", 7, NOW)  # the same one again
        return sample(source, "battery", self._dice.random(), self._tick())

    def _tick(self) -> int:
        self._clock += SECOND // 100
        return self._clock

    def to_be_taken_at(self, now: int) -> None:
        self._clock = now

    async def send(self, bus: Bus, batches: list[Stored], *, forget: bool = True) -> None:
        for one in batches:
            await self._publish(bus, one)
            if forget:
                self.outbox.stored(one)
        self.outbox.trim()

    async def _publish(self, bus: Bus, one: Stored) -> None:
        """Until it is confirmed, as an edge does when its connection is cut."""
        edge = self.outbox.edge
        while True:
            try:
                await bus.publish(
                    samples_subject(edge, one.lane), one.payload, message_id(edge, one.lane, one.seq)
                )
            except BusUnavailable:
                await eventually(lambda: bus.connected, "connected again")
            else:
                return


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path / "edges" / "edge-1")
    yield edge
    edge.outbox.close()


async def settled(bus: Bus, folder: Path) -> Books:
    """The audit once nothing is under way any more."""

    async def quiet() -> bool:
        names = [f"{kind}_{lane.name}" for kind in ("SAMPLES", "READINGS") for lane in Lane]
        return not any([(await bus.jetstream.stream_info(name)).state.messages for name in names])

    await eventually(quiet, "streams empty", limit=60)
    return await audit(bus.jetstream, folder, folder / "edges")


def replace_outbox(edge: Edge, *, by: Path | None = None) -> None:
    """Stop the edge; its folder is lost; start it again, with `by` put back where given."""
    path, edge_id = edge.outbox.path, edge.outbox.edge
    edge.outbox.close()
    shutil.rmtree(path.parent)
    if by is not None:
        shutil.copytree(by, path.parent)
    edge.outbox = Outbox(path, edge_id)


async def test_an_edge_whose_outbox_was_deleted_loses_nothing_and_repeats_nothing(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    """With batches of the lost outbox in every stage: stored, in the stream, and in front of a store."""

    async def balances() -> None:
        for books in (
            await audit(bus.jetstream, tmp_path, tmp_path / "edges"),
            await asyncio.to_thread(balance, tmp_path, tmp_path / "edges"),
        ):
            assert books.balanced, books.first_difference

    await edge.send(bus, edge.take(10))
    replace_outbox(edge)
    await balances()
    later = edge.take(10)
    await balances()
    await edge.send(bus, later)
    await balances()
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        await balances()
        for settle in (True, False, True):
            if settle:
                await settled(bus, tmp_path)
            replace_outbox(edge)
            await balances()
            await edge.send(bus, edge.take(10))
            await balances()
        books = await settled(bus, tmp_path)
        await balances()
    assert total(books, "taken") == len(edge.sent)
    assert total(books, "stored") + total(books, "quarantined") + total(books, "duplicates") == len(edge.sent)
    _compare_values(edge, tmp_path / "readings.db")


async def test_a_batch_that_a_new_outbox_loses_is_noticed(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    await edge.send(bus, edge.take(10))
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        await settled(bus, tmp_path)
        replace_outbox(edge)
        batches = edge.take(3)
        await edge.send(bus, [one for one in batches if one.lane is Lane.ALARM])
        books = await settled(bus, tmp_path)
        assert books.balanced  # the others still wait
        for one in batches:
            edge.outbox.stored(one)
        edge.outbox.trim()
        books = await settled(bus, tmp_path)
    lost = sum(one.samples for one in batches if one.lane is Lane.TELEMETRY)
    assert sum(row.difference for row in books.rows) == lost


async def test_an_outbox_put_back_from_a_copy_is_named_and_its_batches_are_kept(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    await edge.send(bus, edge.take(3))
    edge.outbox.close()
    shutil.copytree(edge.outbox.path.parent, tmp_path / "copy")
    edge.outbox = Outbox(edge.outbox.path, edge.outbox.edge)
    await edge.send(bus, edge.take(7))
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        assert (await settled(bus, tmp_path)).balanced
        replace_outbox(edge, by=tmp_path / "copy")
        edge.to_be_taken_at(time.time_ns() + 3600 * SECOND)
        batches = edge.take(1)
        for one in batches:  # later than the stream remembers message ids
            await bus.publish(samples_subject(edge.outbox.edge, one.lane), one.payload, f"later-{one.lane}")
        books = await settled(bus, tmp_path)
        assert not books.balanced
        assert [*books.outdated] == [("edge-1", Lane.ALARM), ("edge-1", Lane.TELEMETRY)]
        assert "older copy" in str(books.first_difference)
        rows = quarantined(tmp_path / "ledger.db")
        kept = {row.entry.raw for row in rows if row.entry.reason is Reason.NUMBER_USED_BEFORE}
        assert kept == {one.payload for one in batches}
        # What the message says helps.
        replace_outbox(edge)
        await edge.send(bus, edge.take(3))
        assert (await settled(bus, tmp_path)).balanced


async def test_thinned_samples_are_in_the_books_of_their_device_on_the_whole_way(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    """Two hours without a link, an outbox that gets full meanwhile, then everything that is left is sent."""

    async def balances() -> Books:
        quick = await asyncio.to_thread(balance, tmp_path, tmp_path / "edges")
        books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
        for found in (quick, books):
            assert found.balanced, found.first_difference
        return books

    edge.outbox.limits = Limits(bytes=100_000, spare=0)
    edge.outbox.trim()
    now = NOW
    worker = ThreadPoolExecutor(1)
    thinner = Thinner(edge.outbox, worker, lambda: now)
    taken = 0
    for _ in range(720):
        now += 10 * SECOND
        samples = [sample("smoke-1", "battery", taken + n, now + n) for n in range(9)]
        samples += [sample("stranger", "battery", n, now + n) for n in range(3)]
        edge.outbox.commit(Group({Lane.TELEMETRY: samples}), now)
        taken += len(samples)
        if edge.outbox.fullness > 0.8:
            await thinner.make_room()
    worker.shutdown()
    thinned = edge.outbox.depth[Lane.TELEMETRY].thinned
    assert thinned > 0
    books = await balances()
    assert (total(books, "taken"), total(books, "thinned")) == (taken, thinned)
    assert total(books, "waiting") == taken - thinned
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        depth = edge.outbox.depth[Lane.TELEMETRY]
        while depth.waits:
            await edge.send(bus, edge.outbox.read(Lane.TELEMETRY, depth.stored, 5))
            await balances()
        books = await settled(bus, tmp_path)
    assert books.balanced, books.first_difference
    by_source = {row.source: row for row in books.rows}
    assert sum(row.thinned for row in by_source.values()) == thinned
    for source in ("z2m/smoke-1", "z2m/stranger"):
        row = by_source[source]
        assert row.thinned > 0
        assert row.taken == row.stored + row.quarantined + row.thinned


async def test_what_a_store_let_go_is_no_longer_stored_and_the_books_still_balance(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    store = EmbeddedStore(tmp_path / "readings.db", Retention(keep_bytes=400_000, slice_readings=500))
    async with Room(bus, site, tmp_path, [store]):
        for number in range(60):
            start = NOW + number * SECOND
            samples = [sample("smoke-1", "battery", (number * 7 + n) % 100, start + n) for n in range(200)]
            edge.outbox.commit(Group({Lane.TELEMETRY: samples}), start)
        depth = edge.outbox.depth[Lane.TELEMETRY]
        while depth.waits:
            await edge.send(bus, edge.outbox.read(Lane.TELEMETRY, depth.stored, 50))
        books = await settled(bus, tmp_path)
    assert books.balanced, books.first_difference
    (rows,) = open_reader(tmp_path / "readings.db").execute("SELECT count(*) FROM hot").fetchone()
    assert 0 < rows < 12_000
    assert total(books, "stored") == rows
    assert total(books, "expired") == 12_000 - rows
    assert total(books, "taken") == 12_000


async def test_a_damaged_outbox_costs_what_it_says_and_the_books_balance_all_the_same(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    """Some of its batches were sent and it never heard so, some have a number, some have none yet."""

    async def balances() -> Books:
        quick = await asyncio.to_thread(balance, tmp_path, tmp_path / "edges")
        books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
        for found in (quick, books):
            assert found.balanced, found.first_difference
        return books

    batches = edge.take(400)
    await edge.send(bus, batches[:40], forget=False)
    packed = edge.outbox.read(Lane.TELEMETRY, edge.outbox.depth[Lane.TELEMETRY].numbered, 2)
    await edge.send(bus, packed[:1], forget=False)
    path, folder = edge.outbox.path, edge.outbox.path.parent
    edge.outbox.close()
    with path.open("r+b") as file:  # the last third, without the very end
        file.seek(path.stat().st_size * 2 // 3)
        file.write(b"\xff" * 16_384)
    edge.outbox = Outbox(path, folder.name)
    lost = edge.outbox.lost
    assert 0 < lost < len(edge.sent) / 2
    await balances()
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        await balances()
        for lane in Lane:
            depth = edge.outbox.depth[lane]
            while depth.waits:
                await edge.send(bus, edge.outbox.read(lane, depth.stored, 5))
                await balances()
        books = await settled(bus, tmp_path)
        assert books.balanced, books.first_difference
        rows = quarantined(tmp_path / "ledger.db")
    assert total(books, "taken") == len(edge.sent) - lost + 1  # and what the edge says about it
    (told,) = [row.entry for row in rows if row.entry.source == "edge/self"]
    assert f"{lost} lost" in str(told.detail)
    assert len(_stored(tmp_path / "readings.db")) == len({*_stored(tmp_path / "readings.db")})


async def test_an_old_batch_that_comes_again_is_only_dropped(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    edge.to_be_taken_at(time.time_ns())
    batches = edge.take(3)
    await edge.send(bus, batches)
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        await settled(bus, tmp_path)
        for one in batches:
            subject = samples_subject(edge.outbox.edge, one.lane)
            await bus.publish(subject, one.payload, f"again-{one.lane}-{one.seq}")
        books = await settled(bus, tmp_path)
        rows = quarantined(tmp_path / "ledger.db")
    assert books.balanced
    assert not [row for row in rows if row.entry.reason is Reason.NUMBER_USED_BEFORE]


async def test_unreadable_batches_are_named_as_the_reason_of_a_difference(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    batches = edge.take(5)
    spoilt = next(one for one in batches if one.lane is Lane.TELEMETRY)
    batches[batches.index(spoilt)] = spoilt._replace(payload=b"\x00 spoilt")
    await edge.send(bus, batches)
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        books = await settled(bus, tmp_path)
    assert sum(row.difference for row in books.rows) == spoilt.samples
    assert "1 batch of this edge could not be read" in str(books.first_difference)


def total(books: Books, name: str) -> int:
    return sum(getattr(row, name) for row in books.rows)


async def test_books_balance_at_every_stage_of_the_way(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    batches = edge.take(20)
    books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
    assert books.balanced
    assert total(books, "waiting") == total(books, "taken") == len(edge.sent)

    await edge.send(bus, batches)
    books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
    assert books.balanced
    assert total(books, "in_stream") == len(edge.sent)

    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        books = await settled(bus, tmp_path)
    assert books.balanced
    assert books.proved
    assert books.first_difference is None
    assert total(books, "stored") + total(books, "quarantined") + total(books, "duplicates") == len(edge.sent)
    assert all(total(books, name) > 0 for name in ("stored", "quarantined", "duplicates"))
    assert balance(tmp_path, tmp_path / "edges").balanced


async def test_books_balance_at_any_moment_while_everything_runs(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    audits = 0
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):

        async def load() -> None:
            for _ in range(60):
                await edge.send(bus, edge.take(5))

        loading = asyncio.create_task(load())
        while not loading.done():
            books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
            assert books.balanced, books.first_difference
            quick = await asyncio.to_thread(balance, tmp_path, tmp_path / "edges")
            assert quick.balanced, quick.first_difference
            audits += 1
        await loading
        books = await settled(bus, tmp_path)
    assert books.balanced
    assert total(books, "taken") == len(edge.sent)
    assert audits > 3


async def test_a_batch_that_is_in_two_places_counts_once(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    """The edge has published, but not yet heard that it is stored."""
    await edge.send(bus, edge.take(5), forget=False)
    books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
    assert (books.balanced, total(books, "waiting")) == (True, 0)
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        books = await settled(bus, tmp_path)
    assert (books.balanced, total(books, "waiting")) == (True, 0)


@pytest.mark.parametrize(
    ("file", "statement", "stage"),
    [
        (
            "edges/edge-1/outbox.db",
            "UPDATE taken SET samples = samples + 1 WHERE source = 'z2m/smoke-2'",
            "normaliser",
        ),
        (
            "ledger.db",
            "UPDATE recent SET counts = '[]' WHERE id = (SELECT max(id) FROM recent WHERE lane='telemetry')",
            "normaliser",
        ),
        (
            "readings.db",
            "UPDATE recent SET counts = '[]' WHERE id = (SELECT max(id) FROM recent WHERE lane = 'alarm')",
            "store embedded",
        ),
    ],
)
async def test_the_first_stage_that_does_not_balance_is_named(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge, file: str, statement: str, stage: str
) -> None:
    await edge.send(bus, edge.take(5))
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        await settled(bus, tmp_path)
        with sqlite3.connect(tmp_path / file) as connection:
            assert connection.execute(statement).rowcount == 1
        connection.close()
        for books in (
            await audit(bus.jetstream, tmp_path, tmp_path / "edges"),
            balance(tmp_path, tmp_path / "edges"),
        ):
            assert not books.balanced
            assert stage in str(books.first_difference)


async def test_a_batch_lost_between_edge_and_bus_is_noticed(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    batches = edge.take(5)
    lost = next(one for one in batches if one.lane is Lane.TELEMETRY)
    batches.remove(lost)
    await edge.send(bus, batches)
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        books = await settled(bus, tmp_path)
    assert not books.balanced
    assert sum(row.difference for row in books.rows) == lost.samples


async def test_a_store_that_is_behind_is_no_difference(
    bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    stuck = EmbeddedStore(tmp_path / "readings.db")
    await stuck.close()
    fake = MemoryStore("embedded")
    fake.fail_next = 10**9
    await edge.send(bus, edge.take(5))
    async with Room(bus, site, tmp_path, [fake]) as room:
        await eventually(lambda: room.normaliser.progress[Lane.TELEMETRY].batches == 5, "normalised")
        await eventually(lambda: room.normaliser.progress[Lane.ALARM].batches == 5, "normalised")
        books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
        assert books.balanced
        assert total(books, "stored") == 0
        assert balance(tmp_path, tmp_path / "edges").balanced


async def test_books_balance_after_the_nats_server_was_killed_at_work(
    nats_server: Any, bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    async with Room(bus, site, tmp_path, [EmbeddedStore(tmp_path / "readings.db")]):
        for _ in range(3):
            await edge.send(bus, edge.take(20))
            nats_server.kill()
            await asyncio.to_thread(nats_server.start)
            await eventually(lambda: bus.connected, "connected again")
        books = await settled(bus, tmp_path)
    assert books.balanced, books.first_difference
    assert total(books, "taken") == len(edge.sent)
    _compare_values(edge, tmp_path / "readings.db")


async def test_nothing_is_lost_or_counted_twice_when_the_process_is_killed_anywhere(
    nats_server: Any, bus: Bus, tmp_path: Path, edge: Edge
) -> None:
    for name in ("embedded",):  # as the gateway does before anything is published
        for lane in Lane:
            consumer = await bus.consume(f"READINGS_{lane.name}", f"store-{name}")
            await consumer.close()
    command = [sys.executable, "-m", "tests.ingest.room_process", nats_server.url, str(tmp_path)]
    for place in PLACES:
        await edge.send(bus, edge.take(30))
        process = await asyncio.to_thread(
            subprocess.run, [*command, place, "2"], timeout=60, check=False, capture_output=True
        )
        assert process.returncode == -9, process.stderr.decode()
        books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
        assert books.balanced, (place, books.first_difference)
    process = subprocess.Popen([*command, "-", "0"])
    try:
        books = await settled(bus, tmp_path)
    finally:
        process.terminate()
        process.wait()
    assert books.balanced, books.first_difference
    assert total(books, "taken") == len(edge.sent)
    _compare_values(edge, tmp_path / "readings.db")


def _stored(path: Path) -> list[tuple[str, str, int, Any]]:
    """(device, point, time, value) of everything in the embedded store."""
    connection = sqlite3.connect(path)
    found = connection.execute(
        "SELECT device, point, ts, value FROM hot JOIN series USING (sid) ORDER BY 1, 2, 3"
    ).fetchall()
    connection.close()
    return found


def _compare_values(edge: Edge, path: Path) -> None:
    """Every value that was sent by a known device is in the store, once."""
    found = _stored(path)
    expected: dict[tuple[str, str, int], Any] = {}
    for one in edge.sent:
        device = one.source.removeprefix("z2m/")
        if device in ("smoke-1", "smoke-2"):
            expected[device, one.point, one.taken] = one.value
    assert found == sorted((*key, value) for key, value in expected.items())


async def test_what_was_lost_with_a_restored_core_is_named_and_the_books_balance(
    nats_server: ServerProcess, bus: Bus, site: Site, tmp_path: Path, edge: Edge
) -> None:
    """The edge was told that its batches are kept; then the core was put back to a moment before."""

    def lose(batches: list[Stored]) -> None:
        for batch in batches:
            edge.outbox.stored(batch)
        edge.outbox.trim()

    async def run(take: int) -> Books:
        store = EmbeddedStore(tmp_path / "readings.db")
        async with await Bus.connect(nats_server.url) as own, Room(own, site, tmp_path, [store]):
            await edge.send(own, edge.take(take))
            return await settled(own, tmp_path)

    await run(10)
    with Snapshot(tmp_path / "ledger.db") as ledger:
        last = upto(ledger.done(), [])
    note_restoration(tmp_path / "ledger.db", NOW, NOW + 1, last)
    lost = edge.take(4)
    lose(lost)
    books = await audit(bus.jetstream, tmp_path, tmp_path / "edges")
    assert books.losses == ()  # nobody can know it before the edge goes on
    proved = await run(3)
    for books in (proved, await asyncio.to_thread(balance, tmp_path, tmp_path / "edges")):
        assert books.balanced, books.first_difference
        assert {(loss.lane, loss.batches) for loss in books.losses} == {(lane, 4) for lane in Lane}
        assert total(books, "lost") == sum(batch.samples for batch in lost)
        assert total(books, "taken") == len(edge.sent)
        assert total(books, "in_stream") == 0
    lose(edge.take(1))  # without a restoration
    assert {loss.batches for loss in (await run(1)).losses} == {4}
