"""Retry and drop over a real NATS server, a real ledger and a real store, with the books looking on."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.outbox import Group, Outbox
from ingest.audit import Books, audit, balance
from ingest.bus import Bus
from ingest.clocks import DAY
from ingest.quarantine import Reason
from ingest.quarantine_acts import read as read_acts
from ingest.quarantine_service import QuarantineLimits
from ingest.stores import Store
from ingest.stores.embedded import EmbeddedStore
from ingest.stores.memory import MemoryStore
from readings import Lane, Quality, Sample, wire
from readings.subjects import message_id, samples_subject
from readings.vocabulary import MALFORMED
from registry.site import Site
from tests.ingest.room_process import RETRY_PLACES
from tests.ingest.world import (
    NOW,
    SECOND,
    Room,
    batch,
    device,
    eventually,
    quarantined,
    sample,
    send,
    small_site,
)


def mended() -> Site:
    """The site with what was a stranger before."""
    return small_site(device("stranger", "z2m-smoke"), device("heater", "climate"))


class Installation:
    """An edge's outbox, a gateway's files, and the audit over both."""

    def __init__(self, url: str, bus: Bus, folder: Path) -> None:
        self.url = url
        self.bus = bus
        self.folder = folder
        (folder / "edges" / "edge-1").mkdir(parents=True)
        self.outbox = Outbox(folder / "edges" / "edge-1" / "outbox.db", "edge-1")
        self.taken = 0

    async def take(self, *telemetry: Sample, alarms: tuple[Sample, ...] = ()) -> None:
        """What an edge does with samples, up to the stream."""
        group = {Lane.TELEMETRY: telemetry, Lane.ALARM: alarms}
        for one in self.outbox.commit(Group({lane: s for lane, s in group.items() if s}), NOW):
            await self.bus.publish(
                samples_subject("edge-1", one.lane), one.payload, message_id("edge-1", one.lane, one.seq)
            )
            self.outbox.stored(one)
        self.outbox.trim()
        self.taken += len(telemetry) + len(alarms)

    @asynccontextmanager
    async def room(self, site: Site, *stores: Store, **more: Any) -> AsyncIterator[Room]:
        """The gateway's part as a process of its own would run it, until the end of the block."""
        found = stores or (EmbeddedStore(self.folder / "readings.db"),)
        async with await Bus.connect(self.url) as bus, Room(bus, site, self.folder, found, **more) as room:
            yield room

    async def books(self) -> Books:
        """Both audits; they must balance."""
        quick = await asyncio.to_thread(balance, self.folder, self.folder / "edges")
        assert quick.balanced, quick.first_difference
        books = await audit(self.bus.jetstream, self.folder, self.folder / "edges")
        assert books.balanced, books.first_difference
        return books

    async def settled(self) -> dict[str, int]:
        """The sums of the books once nothing is under way."""

        async def quiet() -> bool:
            names = [f"{kind}_{lane.name}" for kind in ("SAMPLES", "READINGS") for lane in Lane]
            return not any([(await self.bus.jetstream.stream_info(name)).state.messages for name in names])

        await eventually(quiet, "streams empty", limit=60)
        books = await self.books()
        names = ("taken", "stored", "quarantined", "duplicates", "dropped")
        return {name: sum(getattr(row, name) for row in books.rows) for name in names}

    def stored(self, name: str) -> list[tuple[str, int, Any]]:
        """(point, time, value) of a device."""
        with sqlite3.connect(self.folder / "readings.db") as connection:
            return connection.execute(
                "SELECT point, ts, value FROM hot JOIN series USING (sid) WHERE device = ? ORDER BY 2, 1",
                (name,),
            ).fetchall()

    def entries(self, **selection: str) -> list[Any]:
        return quarantined(self.folder / "ledger.db", **selection)


@pytest.fixture
def installation(nats_server: Any, bus: Bus, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(nats_server.url, bus, tmp_path)
    yield made
    made.outbox.close()


def old(seconds: float) -> int:
    return NOW - int(seconds * SECOND)


async def test_a_retry_brings_readings_in_at_their_own_time(installation: Installation) -> None:
    async with installation.room(small_site()):
        for age in (7200, 3600, 60):
            await installation.take(
                sample("stranger", "battery", age / 100, old(age)),
                sample("smoke-1", "battery", 1, old(age)),
                alarms=(sample("stranger", "smoke", age == 3600, old(age), time=old(age + 5)),),
            )
        before = await installation.settled()
    assert (before["stored"], before["quarantined"]) == (3, 6)
    async with installation.room(mended()) as room:
        outcome = await room.act("retry")
        after = await installation.settled()
    assert (outcome.state, outcome.passed, outcome.refused, outcome.done) == ("done", 6, 0, 6)
    assert after == {"taken": 9, "stored": 9, "quarantined": 0, "duplicates": 0, "dropped": 0}
    assert installation.stored("stranger") == [
        ("smoke", old(7205), 0), ("battery", old(7200), 72.0),
        ("smoke", old(3605), 1), ("battery", old(3600), 36.0),
        ("smoke", old(65), 0), ("battery", old(60), 0.6),
    ]  # fmt: skip
    assert installation.entries() == []


async def test_retried_readings_say_that_they_are_replayed_and_late(installation: Installation) -> None:
    async with installation.room(small_site(), MemoryStore()) as room:
        await installation.take(sample("stranger", "battery", 1, old(100)))
        await room.stored(1)
    store = MemoryStore()
    async with installation.room(mended(), store) as room:
        await installation.take(sample("stranger", "battery", 2, old(10)))
        await room.stored(1)
        await room.act("retry")
        await room.stored(2)
    live, retried = store.batches.values()
    assert (live.replayed, retried.replayed) == (False, True)
    (reading,) = retried.readings
    assert (reading.time, reading.quality) == (old(100), Quality.LATE)


async def test_what_is_refused_again_stays_with_its_new_reason(installation: Installation) -> None:
    async with installation.room(small_site()):
        await installation.take(
            sample("heater", "humidity", 40, old(9)),
            sample("heater", "humidity", "wet", old(8)),
            sample("heater", "colour", "red", old(7)),
            sample("nobody", "battery", 1, old(6)),
        )
        await installation.settled()
        kept = installation.entries(source="z2m/heater", point="humidity")
    async with installation.room(mended()) as room:
        first = await room.act("retry")
        sums = await installation.settled()
        found = {(row.entry.source, row.entry.point): row for row in installation.entries()}
        second = await room.act("retry")
        again = {(row.entry.source, row.entry.point): row for row in installation.entries()}
        assert await installation.settled() == sums
    assert (first.passed, first.refused, second.passed, second.refused) == (1, 3, 0, 3)
    assert sums == {"taken": 4, "stored": 1, "quarantined": 3, "duplicates": 0, "dropped": 0}
    wet = found["z2m/heater", "humidity"]
    assert (wet.entry.reason, wet.entry.samples, wet.tries) == (Reason.UNUSABLE_VALUE, 1, 1)
    assert (wet.id, wet.at) == (kept[0].id, kept[0].at)
    assert wet.tried > wet.at
    assert [one.value for one in wire.decode_samples(wet.entry.raw).samples] == ["wet"]
    assert found["z2m/heater", "colour"].entry.reason is Reason.UNKNOWN_POINT
    assert "has no point colour" in str(found["z2m/heater", "colour"].entry.detail)
    assert found["z2m/nobody", "battery"].entry.reason is Reason.UNKNOWN_DEVICE
    assert {row.tries for row in again.values()} == {2}
    assert [one.entry.raw for one in again.values()] == [one.entry.raw for one in found.values()]
    async with installation.room(mended()) as room:
        assert (await room.act("drop")).dropped == 3
        sums = await installation.settled()
    assert sums == {"taken": 4, "stored": 1, "quarantined": 0, "duplicates": 0, "dropped": 3}


async def test_a_retry_run_twice_and_two_at_once_bring_nothing_in_twice(installation: Installation) -> None:
    async with installation.room(small_site()):
        for number in range(300):
            await installation.take(sample("stranger", "battery", number % 100, old(1000 - number)))
        await installation.settled()
    async with installation.room(mended()) as room:
        outcomes = await asyncio.gather(room.act("retry"), room.act("retry"), room.act("retry"))
        outcomes.append(await room.act("retry"))
        sums = await installation.settled()
    assert [one.passed for one in outcomes] == [300, 0, 0, 0]
    assert sums["stored"] == len(installation.stored("stranger")) == 300


async def test_only_what_was_selected_is_tried(installation: Installation) -> None:
    async with installation.room(small_site()):
        await installation.take(
            sample("stranger", "battery", 1),
            sample("stranger", "voltage", 3000),
            sample("heater", "humidity", 40),
            sample("heater", "nonsense", 40),
        )
        await installation.settled()
        numbers = {row.entry.point: row.id for row in installation.entries()}
    async with installation.room(mended()) as room:
        by_id = await room.act("retry", entries=(f"normaliser-{numbers['voltage']}", "influx-1"))
        by_source = await room.act("retry", source="*/heat*")
        by_reason = await room.act("retry", reason="unknown_unit")
        elsewhere = await room.act("retry", stage="influx")
    assert (by_id.entries, by_id.passed) == (1, 1)
    assert (by_source.entries, by_source.passed, by_source.refused) == (2, 1, 1)
    assert by_reason.entries == elsewhere.entries == 0
    assert {row.entry.point for row in installation.entries()} == {"battery", "nonsense"}


async def test_repeated_samples_are_duplicates_and_live_memory_is_left_alone(
    installation: Installation,
) -> None:
    again = sample("stranger", "battery", 5, old(50))
    async with installation.room(small_site()):
        await installation.take(again, sample("stranger", "battery", 6, old(49)))
        await installation.take(again)
        for number in range(20):
            await installation.take(sample("stranger", "battery", number, old(40 - number)))
        await installation.settled()
    live = sample("stranger", "battery", 77, old(1))
    async with installation.room(mended()) as room:
        await installation.take(live)
        await installation.settled()
        outcome = await room.act("retry")
        await installation.take(live)  # the broker delivers it again
        sums = await installation.settled()
    assert (outcome.passed, outcome.duplicates) == (22, 1)
    assert sums == {"taken": 25, "stored": 23, "quarantined": 0, "duplicates": 2, "dropped": 0}
    assert len(installation.stored("stranger")) == 23


async def test_a_wrong_clock_gives_the_same_time_at_a_retry(installation: Installation) -> None:
    since_start = [sample("stranger", "battery", n, n * SECOND) for n in (1, 4)]  # 1970
    before = time.time_ns()
    async with installation.room(small_site()):
        await installation.take(*since_start)
        await installation.settled()
        (row,) = installation.entries()
    assert before < row.entry.received < time.time_ns()
    async with installation.room(mended()) as room:
        await room.act("retry")
        await installation.settled()
    times = [at for _, at, _ in installation.stored("stranger")]
    assert times == [row.entry.received - 3 * SECOND, row.entry.received] == [row.entry.first, row.entry.last]


async def test_dead_letters_of_an_edge_cannot_be_tried_but_dropped(installation: Installation) -> None:
    async with installation.room(small_site()) as room:
        await installation.take(Sample("z2m/gate", MALFORMED, "AAEC", NOW, event="no JSON"))
        await installation.settled()
        retried = await room.act("retry")
        assert (retried.state, retried.entries, retried.left, retried.refused) == ("done", 0, 1, 0)
        assert installation.entries()[0].tries == 0
        dropped = await room.act("drop", reason="malformed", note="a test of the installer")
        sums = await installation.settled()
    assert (dropped.entries, dropped.done, dropped.dropped) == (1, 1, 1)
    assert sums == {"taken": 1, "stored": 0, "quarantined": 0, "duplicates": 0, "dropped": 1}


async def test_an_act_is_recorded_with_who_when_and_what(installation: Installation) -> None:
    before = time.time_ns()
    async with installation.room(small_site()) as room:
        await installation.take(*(sample("nobody", "battery", n, old(n)) for n in range(5)))
        await installation.settled()
        await room.act("drop", source="z2m/nobody", note="does not belong to us")
    with sqlite3.connect(installation.folder / "ledger.db") as connection:
        ((act, outcome),) = read_acts(connection)
    assert (act.kind, act.actor, act.note) == ("drop", "c1", "does not belong to us")
    assert act.selection.source == "z2m/nobody"
    assert before < act.at < outcome.ended < time.time_ns()
    assert (outcome.state, outcome.entries, outcome.done, outcome.dropped) == ("done", 1, 1, 5)


async def test_bytes_that_become_readable_are_read_under_their_own_number(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edge was updated before the gateway."""
    (one,) = installation.outbox.commit(
        Group({Lane.TELEMETRY: [sample("smoke-1", "battery", 5), sample("nobody", "battery", 6)]}), NOW
    )
    newer = b"\x02" + one.payload[1:]
    subject = samples_subject("edge-1", Lane.TELEMETRY)
    await installation.bus.publish(subject, newer, message_id("edge-1", Lane.TELEMETRY, one.seq))
    installation.outbox.stored(one)
    installation.outbox.trim()
    async with installation.room(small_site()) as room:
        await eventually(lambda: len(installation.entries()) == 1, "quarantined")
        first = await room.act("retry")
        assert (first.refused, installation.entries()[0].tries) == (1, 1)
        books = await audit(installation.bus.jetstream, installation.folder, installation.folder / "edges")
        assert not books.balanced  # two samples are missing, and a batch that nobody could read
        monkeypatch.setattr(wire, "_body", lambda payload: memoryview(payload)[1:])
        second = await room.act("retry")
        sums = await installation.settled()
    assert (second.passed, second.refused) == (1, 1)
    assert sums == {"taken": 2, "stored": 1, "quarantined": 1, "duplicates": 0, "dropped": 0}
    assert installation.stored("smoke-1") == [("battery", NOW, 5.0)]
    (row,) = installation.entries()
    assert (row.entry.reason, row.entry.seq) == (Reason.UNKNOWN_DEVICE, one.seq)


async def test_a_batch_under_a_used_number_gets_another(bus: Bus, site: Site, tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "readings.db")
    later = time.time_ns() + 3600 * SECOND
    async with Room(bus, site, tmp_path, [store]) as room:
        await send(bus, batch(1, [sample("smoke-1", "battery", 1)]))
        await room.stored(1)
        other = batch(1, [sample("smoke-1", "battery", 2, later), sample("nobody", "battery", 3, later)])
        await bus.publish(samples_subject("edge-1", Lane.TELEMETRY), wire.encode(other), "again")
        await eventually(lambda: len(quarantined(tmp_path / "ledger.db")) == 1, "quarantined")
        outcome = await room.act("retry")
        await room.stored(2)
        books = await audit(bus.jetstream, tmp_path, None)
    assert (outcome.passed, outcome.refused) == (1, 1)
    assert books.balanced, books.first_difference
    (row,) = quarantined(tmp_path / "ledger.db")
    assert (row.entry.reason, row.tries) == (Reason.UNKNOWN_DEVICE, 1)
    sums = Counter({name: sum(getattr(one, name) for one in books.rows) for name in ("taken", "stored")})
    assert sums == {"taken": 3, "stored": 2}


async def test_the_books_balance_at_any_moment_of_a_retry(installation: Installation) -> None:
    async with installation.room(small_site()):
        for number in range(1200):
            await installation.take(
                *(sample("stranger", "battery", n, old(10_000 - number * 5 - n)) for n in range(5)),
                sample("nobody", "battery", number, old(number)),
            )
        await installation.settled()
    audits = 0
    async with installation.room(mended()) as room:

        async def load() -> None:
            for number in range(200):
                await installation.take(sample("stranger", "voltage", 3000, NOW + number * SECOND))

        loading = asyncio.create_task(load())
        retry = asyncio.create_task(room.act("retry"))
        while not (retry.done() and loading.done()):
            await installation.books()
            audits += 1
        assert (await retry).passed == 6000
        drop = asyncio.create_task(room.act("drop"))
        while not drop.done():
            await installation.books()
        sums = await installation.settled()
    assert sums == {
        "taken": installation.taken, "stored": 6200, "quarantined": 0, "duplicates": 0, "dropped": 1200,
    }  # fmt: skip
    assert audits > 3


async def test_nothing_is_lost_or_counted_twice_when_the_process_is_killed_during_a_retry(
    nats_server: Any, installation: Installation
) -> None:
    expected = []
    async with installation.room(small_site()):
        for number in range(300):
            at = old(10_000 - number * 10)
            await installation.take(
                *(sample("stranger", "battery", number % 100, at + n) for n in range(20)),
                sample("nobody", "battery", 1, at),
                alarms=(sample("stranger", "smoke", number % 2 == 0, at),),
            )
            expected += [("battery", at + n, number % 100) for n in range(20)] + [
                ("smoke", at, number % 2 == 0)
            ]
        await installation.settled()
    command = [sys.executable, "-m", "tests.ingest.room_process", nats_server.url, str(installation.folder)]
    for place, nth in ((place, nth) for nth in (1, 2) for place in RETRY_PLACES):
        process = await asyncio.to_thread(
            subprocess.run,
            [*command, place, str(nth), "retry"],
            timeout=60,
            check=False,
            capture_output=True,
        )
        assert process.returncode == -9, process.stderr.decode()
        await installation.books()
    async with installation.room(mended()) as room:
        await room.act("retry")
        sums = await installation.settled()
    assert sums == {
        "taken": installation.taken, "stored": 6300, "quarantined": 300, "duplicates": 0, "dropped": 0,
    }  # fmt: skip
    assert installation.stored("stranger") == sorted(expected, key=lambda one: (one[1], one[0]))
    with sqlite3.connect(installation.folder / "ledger.db") as connection:
        (_, last), *killed = read_acts(connection)
    assert last.state == "done"
    assert {(one.state, one.problem) for _, one in killed} == {("stopped", "interrupted")}


async def test_entries_over_the_limits_are_dropped_and_recorded(installation: Installation) -> None:
    limits = QuarantineLimits(keep_for=DAY, keep_bytes=4000)
    async with installation.room(small_site()):
        await installation.take(sample("nobody", "old", "x"))
        await installation.settled()
    with sqlite3.connect(installation.folder / "ledger.db") as connection:
        connection.execute("UPDATE quarantine SET at = at - ?", (2 * DAY,))
    async with installation.room(small_site()):
        for number in range(8):
            await installation.take(sample("nobody", f"p{number}", "x" * 1000))
        await installation.settled()
    async with installation.room(small_site(), limits=limits):
        await eventually(lambda: len(installation.entries()) < 9, "tidied")
        sums = await installation.settled()
    assert [row.entry.point for row in installation.entries()] == ["p5", "p6", "p7"]
    assert (sums["quarantined"], sums["dropped"]) == (3, 6)
    with sqlite3.connect(installation.folder / "ledger.db") as connection:
        ((act, outcome),) = read_acts(connection)
    assert (act.kind, act.actor, outcome.state, outcome.dropped) == ("expire", "", "done", 6)


def test_a_quarantine_of_an_older_version_is_kept(tmp_path: Path, site: Site) -> None:
    from ingest.ledger import Ledger

    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE quarantine (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, lane TEXT NOT NULL,
                seq INTEGER NOT NULL, source TEXT NOT NULL, point TEXT NOT NULL, reason TEXT NOT NULL,
                detail TEXT NOT NULL, raw BLOB NOT NULL, samples INTEGER NOT NULL, first INTEGER NOT NULL,
                last INTEGER NOT NULL, at INTEGER NOT NULL);
            CREATE INDEX quarantine_source ON quarantine (edge, source, point, reason);
            INSERT INTO quarantine VALUES (7, 'edge-1', 'alarm', 3, 'z2m/x', 'smoke', 'unknown_device',
                '["no {what}", {"what": "device"}]', x'01', 2, 10, 20, 30);
            """
        )
    connection.close()
    Ledger(path).close()
    Ledger(path).close()
    (row,) = quarantined(path)
    assert (row.id, row.at, row.entry.received, row.tries, str(row.entry.detail)) == (
        7,
        30,
        30,
        0,
        "no device",
    )
