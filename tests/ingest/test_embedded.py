"""The embedded store: what goes in comes out, old readings move and go."""

import math
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest.audit_files import read_stage
from ingest.clocks import DAY
from ingest.database import StoreUnavailable, open_reader
from ingest.stores.embedded import EmbeddedStore, Retention
from ingest.stores.embedded_reader import EmbeddedHistory
from ingest.stores.memory import MemoryStore
from readings import Lane, Quality, Reading, ReadingBatch, Scalar
from tests.ingest.world import NOW, SECOND

HOUR = DAY // 24


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "readings.db", Retention(slice_readings=50))
    yield store
    await store.close()


@pytest.fixture
async def history(store: EmbeddedStore) -> AsyncIterator[EmbeddedHistory]:
    history = EmbeddedHistory(store.path)
    yield history
    await history.close()


def reading(value: Scalar, time: int = NOW, point: str = "p", quality: int = 0, event: str = "") -> Reading:
    return Reading("d", point, value, time, NOW + SECOND, NOW, quality, event)


def batch(seq: int, *readings: Reading) -> ReadingBatch:
    return ReadingBatch("edge-1", Lane.TELEMETRY, seq, readings)


def expired(store: EmbeddedStore) -> int:
    """How many readings have gone, as the store counts them."""
    (n,) = open_reader(store.path).execute("SELECT sum(expired) FROM series").fetchone()
    return int(n)


async def values(history: EmbeddedHistory, point: str = "p") -> list[Scalar]:
    return [row.value for row in (await history.series("d", point, 0, NOW * 2)).rows]


async def test_values_keep_their_kind(store: EmbeddedStore, history: EmbeddedHistory) -> None:
    given: list[Scalar] = [True, 1, 1.0, "1", 0.1 + 0.2, -(2**63), "刷卡\x00", "", False]
    await store.write([batch(1, *(reading(value, NOW + n) for n, value in enumerate(given)))], NOW)
    assert [repr(value) for value in await values(history)] == [repr(value) for value in given]


async def test_nan_stays_nan_and_does_not_spoil_a_summary(
    store: EmbeddedStore, history: EmbeddedHistory
) -> None:
    nan = reading(math.nan, NOW + 1, quality=Quality.NOT_A_NUMBER)
    await store.write([batch(1, reading(1.0), nan, reading(3.0, NOW + 2))], NOW)
    assert [math.isnan(value) for value in await values(history)] == [False, True, False]  # type: ignore[arg-type]
    (bucket,) = (await history.series("d", "p", NOW, NOW + 10, buckets=1)).buckets
    assert (bucket.count, bucket.minimum, bucket.maximum, bucket.mean) == (2, 1.0, 3.0, 2.0)


async def test_marks_are_kept_only_where_there_are_any(
    store: EmbeddedStore, history: EmbeddedHistory
) -> None:
    suspect = Quality.CLOCK_SUSPECT | Quality.LATE
    await store.write([batch(1, reading(1.0), reading(2.0, NOW + 1, quality=suspect, event="e"))], NOW)
    plain, marked = (await history.series("d", "p", 0, NOW * 2)).rows
    assert (plain.quality, plain.received, plain.event) == (0, None, "")
    assert (marked.quality, marked.received, marked.event) == (int(suspect), NOW + SECOND, "e")
    stored = open_reader(store.path).execute("SELECT quality, received, event FROM hot").fetchone()
    assert stored == (None, None, None)


@pytest.mark.parametrize("marked_first", [True, False])
async def test_of_readings_of_one_time_the_last_stays_marked_or_not(
    store: EmbeddedStore, history: EmbeddedHistory, *, marked_first: bool
) -> None:
    plain, marked = reading(1.0), reading(2.0, quality=Quality.LATE, event="e")
    await store.write([batch(1, *((marked, plain) if marked_first else (plain, marked)))], NOW)
    expected = (1.0, 0, "") if marked_first else (2.0, int(Quality.LATE), "e")
    (row,) = (await history.series("d", "p", 0, NOW * 2)).rows
    (latest,) = await history.latest(["d"])
    for found in (row, latest.row):
        assert (found.value, found.quality, found.event) == expected


async def test_latest_is_the_newest_by_time_not_by_arrival(
    store: EmbeddedStore, history: EmbeddedHistory
) -> None:
    await store.write([batch(1, reading(2.0, NOW + 5), reading(1.0, NOW))], NOW)
    await store.write([batch(2, reading(0.0, NOW + 1))], NOW)
    (latest,) = await history.latest(["d", "other"])
    assert (latest.device, latest.point, latest.row.value) == ("d", "p", 2.0)


async def test_a_batch_counts_once_however_often_it_comes(
    store: EmbeddedStore, history: EmbeddedHistory
) -> None:
    one = batch(1, reading(1.0), reading(2.0, NOW + 1))
    await store.write([one, one], NOW)
    await store.write([one, batch(2, reading(3.0, NOW + 2))], NOW)
    assert await history.counts(0, NOW * 2) == {("d", "p"): 3}
    rows = open_reader(store.path).execute("SELECT seq, counts FROM recent").fetchall()
    assert rows == [(1, "[[1,2]]"), (2, "[[1,1]]")]


async def test_a_spike_survives_every_width(store: EmbeddedStore, history: EmbeddedHistory) -> None:
    readings = [reading(99.0 if n == 777 else 20.0, NOW + n * SECOND) for n in range(1000)]
    await store.write([batch(1, *readings)], NOW)
    for buckets in (1, 3, 10, 999):
        found = await history.series("d", "p", NOW, NOW + 1000 * SECOND, buckets=buckets)
        assert len(found.buckets) <= buckets
        assert max(bucket.maximum for bucket in found.buckets) == 99.0
        assert sum(bucket.count for bucket in found.buckets) == 1000


async def test_readings_move_to_the_history_unchanged(store: EmbeddedStore, history: EmbeddedHistory) -> None:
    readings = [reading(float(n), NOW + n * SECOND, f"p{n % 3}") for n in range(500)]
    await store.write([batch(1, *readings)], NOW)
    before = [await history.series("d", f"p{n}", 0, NOW * 2) for n in range(3)]
    slices = 0
    while await store.tidy(NOW + HOUR + 400 * SECOND):
        slices += 1
    reader = open_reader(store.path)
    moved = reader.execute("SELECT count(*) FROM history").fetchone()
    left = reader.execute("SELECT count(*) FROM hot").fetchone()
    assert (moved, left) == ((400,), (100,))
    assert slices == 8
    assert [await history.series("d", f"p{n}", 0, NOW * 2) for n in range(3)] == before


async def test_old_readings_go(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "readings.db", Retention(keep_for=10 * DAY))
    history = EmbeddedHistory(store.path)
    await store.write([batch(1, *(reading(float(n), NOW + n * HOUR) for n in range(480)))], NOW)
    while await store.tidy(NOW + 480 * HOUR):
        pass
    kept = await values(history)
    assert kept == [float(n) for n in range(480 - len(kept), 480)]
    assert 240 <= len(kept) < 247  # a slice of six hours goes when its youngest is too old
    assert expired(store) == 480 - len(kept)
    await history.close()
    await store.close()


async def test_what_arrived_late_goes_with_its_own_time(tmp_path: Path) -> None:
    """Readings of years ago, and of a clock that was put back, take nothing with them that is younger."""
    store = EmbeddedStore(tmp_path / "readings.db", Retention(keep_for=10 * DAY, slice_readings=100))
    history = EmbeddedHistory(store.path)
    recent = [reading(float(n), NOW + n * HOUR) for n in range(100)]
    ancient = [reading(float(n), NOW - 2000 * DAY + n, "old") for n in range(30)]
    await store.write([batch(1, *recent[:50], *ancient[:10])], NOW)
    while await store.tidy(NOW + 60 * HOUR):
        pass
    assert len(await values(history)) == 50
    assert not await values(history, "old")
    await store.write([batch(2, *ancient[10:], *recent[50:])], NOW)
    while await store.tidy(NOW + 110 * HOUR):
        pass
    assert len(await values(history)) == 100
    assert not await values(history, "old")
    await history.close()
    await store.close()


@pytest.mark.parametrize("hot_for", [HOUR, 10 * SECOND])
async def test_at_full_rate_the_files_stay_below_their_limit_and_the_oldest_go(
    tmp_path: Path, hot_for: int
) -> None:
    limit = 4 << 20
    retention = Retention(keep_bytes=limit, hot_for=hot_for, slice_readings=2000)
    store = EmbeddedStore(tmp_path / "readings.db", retention)
    history = EmbeddedHistory(store.path)
    largest = 0
    for seq in range(1, 151):
        now = NOW + seq * SECOND
        some = (reading(f"{seq}.{n}", now + n, f"p{n % 40}") for n in range(1000))
        await store.write([batch(seq, *some)], now)
        if seq % 5 == 0:
            await store.tidy(now)
        files = [path.stat().st_size for path in tmp_path.glob("readings.db*") if path.suffix != ".db-shm"]
        largest = max(largest, sum(files))
    assert limit / 2 < largest <= limit
    kept = await history.counts(0, NOW * 2)
    assert sum(kept.values()) + expired(store) == 150_000
    assert sum(kept.values()) > 20_000
    newest = {row.row.time for row in await history.latest(["d"])}
    assert max(newest) == now + 999
    oldest = min([(await history.series("d", f"p{n}", 0, NOW * 2)).rows[0].time for n in range(40)])
    assert oldest > NOW + 40 * SECOND
    counts = read_stage(store.path)
    assert counts.expired("edge-1", Lane.TELEMETRY) == {"d": expired(store)}
    await history.close()
    await store.close()


async def test_a_reader_holds_the_journal_for_two_writes_and_the_files_stay_below_their_limit(
    tmp_path: Path,
) -> None:
    limit = 8 << 20
    store = EmbeddedStore(tmp_path / "readings.db", Retention(keep_bytes=limit))
    slow = open_reader(store.path)
    largest = 0
    for seq in range(1, 101):
        now = NOW + seq * SECOND
        if seq % 10 == 0:
            slow.execute("BEGIN")
            slow.execute("SELECT count(*) FROM hot").fetchone()
        if seq % 10 == 2:
            slow.rollback()
        some = (reading(f"{seq}.{n}", now + n, f"p{n % 40}") for n in range(store.limits.readings))
        await store.write([batch(seq, *some)], now)
        files = [path.stat().st_size for path in tmp_path.glob("readings.db*") if path.suffix != ".db-shm"]
        largest = max(largest, sum(files))
    slow.close()
    assert limit / 2 < largest <= limit
    await store.close()


async def test_a_file_from_before_series_had_an_edge_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "readings.db"
    with sqlite3.connect(path) as before:
        before.executescript(
            """
            CREATE TABLE series (sid INTEGER PRIMARY KEY, device TEXT NOT NULL, point TEXT NOT NULL,
                kind TEXT NOT NULL, UNIQUE (device, point, kind));
            CREATE TABLE hot (ts INTEGER, sid INTEGER, value, quality INTEGER, received INTEGER,
                event TEXT, PRIMARY KEY (ts, sid)) WITHOUT ROWID;
            CREATE TABLE history (sid INTEGER, ts INTEGER, value, quality INTEGER, received INTEGER,
                event TEXT, PRIMARY KEY (sid, ts)) WITHOUT ROWID;
            CREATE TABLE latest (sid INTEGER PRIMARY KEY, ts INTEGER NOT NULL, value, quality INTEGER,
                received INTEGER, event TEXT);
            CREATE TABLE facts (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            """
        )
        before.execute("INSERT INTO series VALUES (1, 'd', 'p', 'float')")
        before.execute("INSERT INTO history VALUES (1, ?, 1.0, NULL, NULL, NULL)", (NOW,))
        before.execute("INSERT INTO hot VALUES (?, 1, 2.0, NULL, NULL, NULL)", (NOW + 1,))
        before.execute("INSERT INTO latest VALUES (1, ?, 2.0, NULL, NULL, NULL)", (NOW + 1,))
    before.close()
    store = EmbeddedStore(path)
    await store.write([batch(1, reading(3.0, NOW + 2))], NOW)
    history = EmbeddedHistory(path)
    assert await values(history) == [1.0, 2.0, 3.0]
    assert [row.row.value for row in await history.latest(["d"])] == [3.0]
    while await store.tidy(NOW + 200 * DAY):
        pass
    assert await values(history) == []
    await history.close()
    await store.close()


async def test_a_long_answer_says_that_it_was_cut(store: EmbeddedStore, history: EmbeddedHistory) -> None:
    await store.write([batch(1, *(reading(float(n), NOW + n) for n in range(20)))], NOW)
    found = await history.series("d", "p", 0, NOW * 2, limit=10)
    assert (len(found.rows), found.cut) == (10, True)


async def test_it_answers_as_the_store_in_memory_does(store: EmbeddedStore, history: EmbeddedHistory) -> None:
    model = MemoryStore()
    readings = [reading(n % 7 == 0, NOW + n * SECOND) for n in range(100)]
    readings += [reading(n / 3, NOW + n * SECOND, "q") for n in range(100)]
    readings += [reading(f"w{n}", NOW + n * SECOND, "w") for n in range(100)]
    for one in (store, model):
        await one.write([batch(1, *readings)], NOW)
    end = NOW + 90 * SECOND
    assert await history.latest(["d"]) == await model.latest(["d"])
    assert await history.counts(NOW, end) == await model.counts(NOW, end)
    for point in ("p", "q", "w", "nothing"):
        assert await history.series("d", point, NOW, end) == await model.series("d", point, NOW, end)
        mine = await history.series("d", point, NOW, end, buckets=9)
        theirs = await model.series("d", point, NOW, end, buckets=9)
        assert mine.rows == theirs.rows
        assert [bucket.mean for bucket in mine.buckets] == pytest.approx([b.mean for b in theirs.buckets])
        assert [bucket.maximum for bucket in mine.buckets] == [b.maximum for b in theirs.buckets]


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "readings.db").mkdir()
    with pytest.raises(StoreUnavailable, match=r"readings\.db"):
        EmbeddedStore(tmp_path / "readings.db")
    history = EmbeddedHistory(tmp_path / "missing.db")
    with pytest.raises(StoreUnavailable):
        await history.latest(["d"])
    await history.close()
