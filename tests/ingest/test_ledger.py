"""The normaliser's memory across restarts."""

import random
from collections import Counter
from pathlib import Path

import pytest

from ingest import bulk
from ingest.books import KEEP_RECENT
from ingest.database import StoreUnavailable, open_reader, open_writer
from ingest.ledger import Ledger
from ingest.normaliser import Normaliser
from ingest.sequences import BatchId, Sequences
from readings import Lane, wire
from registry.site import Site
from tests.ingest.world import NOW, SECOND, batch, quarantined, sample


def batches(n: int, seed: int = 1) -> list[wire.SampleBatch]:
    """Samples with many repetitions: values, times and late ones."""
    dice = random.Random(seed)
    return [
        batch(
            seq,
            [
                sample(
                    dice.choice(["smoke-1", "smoke-2", "climate-1", "nobody"]),
                    dice.choice(["battery", "voltage", "humidity"]),
                    dice.choice([1, 2, 3, float("nan")]),
                    time=NOW + seq * 10 + dice.randrange(-40, 10),
                    event=dice.choice(["", "", "e"]),
                )
                for _ in range(30)
            ],
        )
        for seq in range(1, n + 1)
    ]


@pytest.mark.parametrize("shard_every", [10, 100, 10**6])
def test_a_restart_at_any_batch_changes_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_every: int
) -> None:
    """The marks come back from shards and journal exactly as they were."""
    monkeypatch.setattr("ingest.ledger._SHARD_EVERY", shard_every)
    steady = Ledger(tmp_path / "steady.db")
    normaliser = Normaliser(site, steady.marks)
    restarted = Ledger(tmp_path / "restarted.db")
    for one in batches(150):
        expected = normaliser.normalise(one, NOW + SECOND)
        steady.commit(steady.prepare(Lane.TELEMETRY, [expected]), NOW)
        if one.seq % 37 == 0:
            restarted.close()
            restarted = Ledger(tmp_path / "restarted.db")
        again = Normaliser(site, restarted.marks)
        found = again.normalise(one, NOW + SECOND)
        restarted.commit(restarted.prepare(Lane.TELEMETRY, [found]), NOW)
        assert wire.encode(found.batch) == wire.encode(expected.batch)
        assert found.counts == expected.counts


def test_the_journal_stays_short(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.ledger._SHARD_EVERY", 10)
    ledger = Ledger(tmp_path / "ledger.db")
    normaliser = Normaliser(site, ledger.marks)
    for one in batches(300):
        ledger.commit(ledger.prepare(Lane.TELEMETRY, [normaliser.normalise(one, NOW)]), NOW)
    (rows,) = open_reader(tmp_path / "ledger.db").execute("SELECT count(*) FROM journal").fetchone()
    assert rows <= 100


def test_a_batch_that_was_normalised_but_not_committed_normalises_the_same(
    site: Site, tmp_path: Path
) -> None:
    for one in batches(50):
        crashed = Ledger(tmp_path / "ledger.db")
        lost = Normaliser(site, crashed.marks).normalise(one, NOW + SECOND)
        crashed.close()
        ledger = Ledger(tmp_path / "ledger.db")
        again = Normaliser(site, ledger.marks).normalise(one, NOW + SECOND)
        assert wire.encode(again.batch) == wire.encode(lost.batch)
        ledger.commit(ledger.prepare(Lane.TELEMETRY, [again]), NOW)
        ledger.close()


def test_books_fold_without_changing_their_sums(site: Site, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    normaliser = Normaliser(site, ledger.marks)
    expected: Counter[str] = Counter()
    for one in batches(100):
        done = normaliser.normalise(one, NOW)
        for count in done.counts:
            expected[count.outcome] += count.n
        ledger.commit(ledger.prepare(Lane.TELEMETRY, [done]), NOW + one.seq * KEEP_RECENT // 10)
    reader = open_reader(tmp_path / "ledger.db")
    assert reader.execute("SELECT count(*) FROM recent").fetchone()[0] <= 12
    from ingest.audit_files import read_stage

    totals = read_stage(tmp_path / "ledger.db").totals("edge-1", Lane.TELEMETRY, lambda seq: True)
    found: Counter[str] = Counter()
    for (_, _, _, outcome), n in totals.items():
        found[outcome] += n
    assert found == expected
    assert found.total() == 3000


def test_committing_the_same_group_again_does_nothing(site: Site, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    normaliser = Normaliser(site, ledger.marks)
    group = [normaliser.normalise(one, NOW) for one in batches(5)]
    ledger.commit(ledger.prepare(Lane.TELEMETRY, group), NOW)
    ledger.commit(ledger.prepare(Lane.TELEMETRY, group), NOW)
    assert open_reader(tmp_path / "ledger.db").execute("SELECT count(*) FROM recent").fetchone() == (5,)
    assert ledger.is_done(BatchId("edge-1", Lane.TELEMETRY, 5))
    assert not ledger.is_done(BatchId("edge-1", Lane.ALARM, 5))


def test_a_failed_commit_leaves_nothing_and_may_be_repeated(site: Site, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    group = [Normaliser(site, ledger.marks).normalise(one, NOW) for one in batches(5)]
    other = open_writer(tmp_path / "ledger.db")
    other.execute("ALTER TABLE recent RENAME TO hidden")
    with pytest.raises(StoreUnavailable):
        ledger.commit(ledger.prepare(Lane.TELEMETRY, group), NOW)
    assert not ledger.is_done(BatchId("edge-1", Lane.TELEMETRY, 1))
    other.execute("ALTER TABLE hidden RENAME TO recent")
    ledger.commit(ledger.prepare(Lane.TELEMETRY, group), NOW)
    assert ledger.is_done(BatchId("edge-1", Lane.TELEMETRY, 5))


def test_quarantine_keeps_what_it_needs_to_try_again(site: Site, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    one = batch(3, [sample("nobody", "battery", 7, event="e"), sample("nobody", "battery", 8)])
    ledger.commit(
        ledger.prepare(Lane.TELEMETRY, [Normaliser(site, ledger.marks).normalise(one, NOW)]), NOW + 9
    )
    (row,) = quarantined(tmp_path / "ledger.db")
    assert wire.decode_samples(row.entry.raw) == one
    assert (row.entry.samples, row.entry.seq, row.at) == (2, 3, NOW + 9)
    assert str(row.entry.detail) == "no device is registered at z2m/nobody of edge edge-1"


def test_sequences_join_and_split() -> None:
    dice = random.Random(4)
    numbers = [*range(1, 200), *range(10**15, 10**15 + 50)]
    dice.shuffle(numbers)
    sequences, model = Sequences(), set()
    for number in [*numbers, *numbers[:30]]:
        assert sequences.add(number) is (number not in model)
        model.add(number)
        assert number in sequences
        assert len(sequences) == len(model)
    assert [*sequences] == [(1, 199), (10**15, 10**15 + 49)]
    assert 200 not in sequences
    assert 10**15 - 1 not in sequences


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 999, 1000, 1001, 4567])
def test_bulk_rows_all_arrive(tmp_path: Path, rows: int) -> None:
    connection = open_writer(tmp_path / "bulk.db")
    connection.execute("CREATE TABLE t (a, b, c)")
    bulk.insert(connection, "INSERT INTO t", 3, [*range(rows * 3)])
    assert connection.execute("SELECT * FROM t ORDER BY a").fetchall() == [
        (n * 3, n * 3 + 1, n * 3 + 2) for n in range(rows)
    ]
