"""The operations database: what goes in comes out, in order, and nothing of it can be altered."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from cases.case import Proof, Refused
from cases.states import Act
from cases.store import (
    AlarmFilter,
    BadCursor,
    CaseFilter,
    DatabaseTooNew,
    Done,
    OperationsStore,
    StoreUnavailable,
)
from cases.store.schema import METADATA
from cases.store.sqlite_file import SqliteFile
from registry.categories import EvidenceKind
from rules.findings import Condition, FindingKind, Severity
from tests.cases.conftest import REFUSED_BY_DATABASE
from tests.postgres import NEWEST


def database(store: OperationsStore) -> Path:
    return Path(str(store.url.database))


def shape(path: Path) -> dict[str, object]:
    """Columns of every table and the statement of every index."""
    with closing(sqlite3.connect(path)) as raw:
        tables = [
            name
            for (name,) in raw.execute("select name from sqlite_master where type = 'table' order by name")
            if name != "alembic_version"
        ]
        indexes = raw.execute("select name, sql from sqlite_master where type = 'index' and sql is not null")
        return {
            **{table: raw.execute(f"pragma table_info({table})").fetchall() for table in tables},
            **{name: " ".join(sql.split()) for name, sql in indexes},
        }


# --------------------------------------------------------------------------------------- migrations


def test_a_fresh_file_gets_exactly_the_tables_that_the_program_knows(sqlite_store, tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    METADATA.create_all(engine)
    engine.dispose()
    assert shape(database(sqlite_store)) == shape(tmp_path / "declared.db")


def test_migrating_twice_tells_of_each_step_once(tmp_path):
    store = OperationsStore(f"sqlite:///{tmp_path / 'new' / 'operations.db'}")
    told: list[str] = []
    store.migrate(lambda message: told.append(str(message)))
    store.migrate(lambda message: told.append(str(message)))
    assert told == [f"Database brought up to {revision}." for revision in ("0001", "0002", "0003")]
    assert store.revision() == NEWEST
    store.close()


def test_an_alarm_of_before_is_known_to_have_begun_as_a_prealarm(story):
    story.raised("s1", kind=FindingKind.PREALARM, condition=Condition.PREALARM)
    story.raised("s2")
    story.store.migrate(revision="0002")
    story.store.migrate()
    with story.store.transaction() as tx:
        kept = tx.alarms(["smoke:s1#1", "smoke:s2#1"])
    assert {alarm.device: alarm.prealarm for alarm in kept.values()} == {"s1": True, "s2": False}


def test_a_filled_database_can_be_taken_down_and_up_again(story):
    story.raised("s1")
    story.store.migrate(revision="base")
    with story.store.connection() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    story.store.migrate()
    assert story.raised("s1").opened == ("BH-20261123-0001",)


def test_a_database_of_a_newer_program_is_refused_with_a_sentence(store, by_hand):
    by_hand("update alembic_version set version_num = '9999'")
    with pytest.raises(DatabaseTooNew, match=r"newer version \(schema 9999\)"):
        store.migrate()


def test_a_file_that_is_no_database_is_unavailable_not_a_crash(tmp_path):
    path = tmp_path / "operations.db"
    path.write_bytes(b"this is no database at all, but long enough to look like one" * 100)
    store = OperationsStore(f"sqlite:///{path}")
    with pytest.raises(StoreUnavailable, match="not a database"):
        store.migrate()
    store.close()


# --------------------------------------------------------------------------------- what is promised


def test_the_database_is_durable_and_readers_do_not_wait_for_the_writer(story):
    story.raised("s1")
    with story.store.transaction() as tx:
        story.desk.report([story.finding("s3")], tx, story.now)
        with story.store.reading() as books:
            assert books.alarms().total == 1
    with story.store.reading() as books:
        assert books.alarms().total == 2
    with story.store._writer.connect() as connection:
        if isinstance(story.store.database, SqliteFile):
            assert connection.execute(text("pragma journal_mode")).scalar() == "wal"
            assert connection.execute(text("pragma synchronous")).scalar() == 2
        else:
            assert connection.execute(text("show synchronous_commit")).scalar() == "on"


def test_a_reader_sees_one_moment_however_long_it_looks(story):
    story.raised("s1")
    with story.store.reading() as books:
        assert books.totals(story.now).cases == 1
        story.raised("s3")
        assert books.alarms().total == 1


def test_a_writer_that_cannot_get_its_turn_is_told_to_try_again(story, monkeypatch):
    monkeypatch.setattr("cases.store.operations.BUSY_TIMEOUT", 0.05)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with story.store.transaction():
            inside.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(20)
    with pytest.raises(StoreUnavailable), story.store.transaction():
        pass
    leave.set()
    holder.join(20)


@pytest.mark.parametrize("table", ["history", "evidence"])
def test_history_and_evidence_can_neither_be_changed_nor_removed(story, table, by_hand):
    story.raised("s1")
    for statement in (f"update {table} set time = 0", f"delete from {table}"):
        with pytest.raises(REFUSED_BY_DATABASE, match="append-only"):
            by_hand(statement)


def test_a_line_of_history_altered_behind_the_database_is_found_by_its_chain(story, by_hand):
    number = story.raised("s1").opened[0]
    story.act(number, Act.ACCEPT, "g3")
    story.act(number, Act.NOTE, "g3", note="arrived")
    with story.store.reading() as books:
        assert books.broken_history(number) is None
        lines = books.history(number)
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert [line.prev_hash for line in lines[1:]] == [line.hash for line in lines[:-1]]
    if isinstance(story.store.database, SqliteFile):
        by_hand("drop trigger history_no_update", "drop trigger history_no_delete")
    else:
        by_hand("drop trigger history_kept on history")
    by_hand("update history set actor = 'g1' where number = 3")
    with story.store.reading() as books:
        assert books.broken_history(number) == 3
    by_hand("update history set actor = 'g3' where number = 3", "delete from history where number = 4")
    with story.store.reading() as books:
        assert books.broken_history(number) == 4


def test_evidence_of_people_outlives_the_rework_that_asks_for_more(story):
    number = story.raised("s1").opened[0]
    story.act(number, Act.ACCEPT, "g3")
    for reference in ("a.jpg", "b.jpg"):
        story.act(number, Act.FEEDBACK, "g3", evidence=(Proof(EvidenceKind.PHOTO, reference),))
        story.act(number, Act.VERIFY, "v1")
        story.act(number, Act.REWORK, "v1", reason="not clean")
    with story.store.reading() as books:
        photos = [piece for piece in books.evidence(number) if piece.kind == "photo"]
    assert [(piece.text, piece.actor) for piece in photos] == [("a.jpg", "g3"), ("b.jpg", "g3")]


def test_a_second_history_line_of_one_number_is_impossible(story):
    number = story.raised("s1").opened[0]
    case = story.case(number)
    with story.store.reading() as books:
        entry = books.history(number)[0].entry

    def put_again() -> None:
        with story.store.transaction() as tx:
            tx._connection.execute(text("update cases set history_count = 0"))
            tx.put_cases([(case, [entry])])

    with pytest.raises(IntegrityError):
        put_again()


# -------------------------------------------------------------------------------------- the engine


def test_the_engine_state_positions_and_batches_done_come_back_as_they_were(store):
    with store.transaction() as tx:
        first = tx.load_engine()
    assert (first.instances, first.marks, first.positions, first.done) == ({}, b"", {}, {})
    with store.transaction() as tx:
        tx.save_engine(0, {"a": b"1", "b": b"2"}, b"marks", {"READINGS_ALARM": 5})
        tx.save_engine(1, {"a": b"other"}, b"", {})
    with store.transaction() as tx:
        done = {("e1", "alarm"): Done(((1, 7), (9, 9)))}
        tx.save_engine(0, (("a", None), ("c", b"\x00\xff")), b"more", {"READINGS_ALARM": 6}, done)
    with store.transaction() as tx:
        kept = tx.load_engine(0)
    assert kept.instances == {"b": b"2", "c": b"\x00\xff"}
    assert (kept.marks, kept.positions) == (b"more", {"READINGS_ALARM": 6})
    assert kept.done == {("e1", "alarm"): Done(((1, 7), (9, 9)))}


def test_what_the_engine_keeps_and_what_the_desk_did_go_together(story):
    def batch() -> None:
        with story.store.transaction() as tx:
            story.desk.report([story.finding("s1")], tx, story.now)
            tx.save_engine(0, {"a": b"1"}, b"m", {"READINGS_ALARM": 1})
            raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        batch()
    with story.store.transaction() as tx:
        assert tx.load_engine().positions == {}
        assert tx.newest_case("fire|building=8") is None


# ----------------------------------------------------------------------------------------- the lists


@pytest.fixture
def busy(story):
    """Alarms of three severities in two buildings; one of them over and seen."""
    for device, rule, severity in (
        ("s1", "warm", Severity.MEDIUM),
        ("s3", "warm", Severity.LOW),
        ("s2", "smoke", Severity.CRITICAL),
        ("s1", "quiet", Severity.CRITICAL),
    ):
        story.later(minutes=1)
        story.raised(device, rule=rule, severity=severity)
    story.report(
        story.finding("s3", FindingKind.ACKNOWLEDGED, rule="warm", actor="so", severity=Severity.LOW)
    )
    story.report(story.finding("s3", FindingKind.CLEARED, rule="warm", severity=Severity.LOW))
    return story


def test_alarms_come_open_first_then_worst_then_newest(busy):
    with busy.store.reading() as books:
        everything = books.alarms(AlarmFilter(state="all"))
        open_ones = books.alarms()
        closed = books.alarms(AlarmFilter(state="closed"))
    order = ["quiet:s1#1", "smoke:s2#1", "warm:s1#1", "warm:s3#1"]
    assert [alarm.id for alarm in everything.items] == order
    assert [alarm.id for alarm in open_ones.items] == order[:3]
    assert [alarm.id for alarm in closed.items] == order[3:]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (AlarmFilter(severities=(Severity.CRITICAL,)), 2),
        (AlarmFilter(severities=(Severity.MEDIUM, Severity.LOW), state="all"), 2),
        (AlarmFilter(grid="R1"), 3),
        (AlarmFilter(grid="R1-01"), 3),
        (AlarmFilter(grid="R1-02-01", state="all"), 1),
        (AlarmFilter(grid="R1-0"), 0),
        (AlarmFilter(place="hall"), 1),
        (AlarmFilter(device="s1"), 2),
        (AlarmFilter(rule="smoke"), 1),
        (AlarmFilter(device="s1", rule="warm", severities=(Severity.CRITICAL,)), 0),
    ],
)
def test_alarms_can_be_narrowed_down(busy, chosen, found):
    with busy.store.reading() as books:
        page = books.alarms(chosen)
    assert (page.total, len(page.items)) == (found, found)


def test_alarms_since_a_moment(busy):
    with busy.store.reading() as books:
        assert books.alarms(AlarmFilter(since=busy.now, state="all")).total == 1
        assert books.alarms(AlarmFilter(since=busy.now + 1, state="all")).total == 0


def test_an_alarm_comes_with_its_timeline(busy):
    with busy.store.reading() as books:
        alarm, timeline = books.alarm("warm:s3#1")
        assert books.alarm("nothing#1") is None
    assert [line.kind for line in timeline] == [
        FindingKind.RAISED,
        FindingKind.ACKNOWLEDGED,
        FindingKind.CLEARED,
    ]
    assert alarm.findings == 3
    assert timeline[0].evidence[0].device == "s3"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_paging_shows_everything_once_even_while_rows_come_in(story, size):
    labels = story.finding("s1").labels
    for number in range(20):
        story.later(minutes=number % 3 * 40)
        story.raised(f"x{number:02}", labels={**labels, "building": str(number % 5)})
    seen_alarms: list[str] = []
    seen_cases: list[str] = []
    after = cursor = ""
    while after is not None or cursor is not None:
        with story.store.reading() as books:
            if after is not None:
                alarms = books.alarms(AlarmFilter(), after, size)
                seen_alarms += [alarm.id for alarm in alarms.items]
                after = alarms.next
            if cursor is not None:
                cases = books.cases(CaseFilter(), story.now, cursor, size)
                seen_cases += [case.id for case in cases.items]
                cursor = cases.next
        story.later(hours=1)
        if len(seen_alarms) < 10:
            story.raised("s3", occurrence=len(seen_alarms) + 1000)
    old = [alarm for alarm in seen_alarms if alarm.startswith("smoke:x")]
    assert len(seen_alarms) == len(set(seen_alarms))
    assert sorted(old) == sorted(f"smoke:x{number:02}#1" for number in range(20))
    assert len(seen_cases) == len(set(seen_cases))


def test_a_page_mark_that_nobody_gave_out_is_refused(store):
    with store.reading() as books:
        for mark in ("%%%", "bm9uc2Vuc2U", "WzEsMl0"):
            with pytest.raises(BadCursor):
                books.alarms(after=mark)


def test_cases_can_be_narrowed_down_and_searched(story):
    fire = story.raised("s1").opened[0]
    shop = story.raised("s3").opened[0]
    damp = story.raised("s1", rule="damp").opened[0]

    def found(**chosen: str) -> list[str]:
        with story.store.reading() as books:
            return [case.id for case in books.cases(CaseFilter(**chosen), story.now).items]

    assert found() == [fire, shop, damp]
    assert found(category="upkeep") == [damp]
    assert found(priority="P1") == [fire, shop]
    assert found(grid="R1-02") == [shop]
    assert found(officer="g1") == [shop]
    assert found(text="厨房") == [fire, damp]
    assert found(text="KITCHEN smoke") == [fire]
    assert found(text="0003") == [damp]
    assert found(text="100%") == []
    assert found(state="overdue") == []
    story.later(hours=2)
    assert found(state="overdue") == [fire, shop]
    story.now -= 2 * 3600 * 10**9
    with pytest.raises(Refused, match="still active"):
        story.act(damp, Act.REJECT, "c1", reason="false alarm")
    story.report(story.finding("s1", FindingKind.CLEARED, rule="damp"))
    story.act(damp, Act.REJECT, "c1", reason="false alarm")
    assert found(state="closed") == [damp]
    assert found(state="all") == [fire, shop, damp]


def test_a_case_page_has_history_evidence_and_its_alarms(story):
    number = story.raised("s1").opened[0]
    with story.store.reading() as books:
        file = books.case(number)
        assert books.case("BH-0") is None
    assert [line.entry.act for line in file.history] == [Act.RAISE, Act.DISPATCH]
    assert str(file.history[0].entry.message) == "Found by rule smoke: smoke:s1"
    assert (file.history[0].entry.rule, file.history[0].entry.rule_version) == ("smoke", 7)
    assert file.case.standing[0].alarm == file.alarms[0].id == "smoke:s1#1"
    assert file.evidence_total == 1


def test_tiles_count_every_level_with_what_lies_below(busy):
    with busy.store.reading() as books:
        tallies = books.tallies(busy.now)
        totals = books.totals(busy.now)
        later = books.tallies(busy.now + 3 * 3600 * 10**9)
    assert tallies["R1-01-01"].worst is Severity.CRITICAL
    assert (tallies["R1"].alarms, tallies["R1"].unacknowledged, tallies["R1"].cases) == (3, 3, 2)
    assert tallies["R1-02"].alarms == 0
    assert tallies["R1-02"].cases == 1
    assert "R2" not in tallies
    assert later["R1"].overdue == 2
    assert totals.alarms == {Severity.CRITICAL: 2, Severity.HIGH: 0, Severity.MEDIUM: 1, Severity.LOW: 0}
    assert (totals.unacknowledged, totals.cases, totals.unaccepted, totals.overdue) == (3, 2, 2, 0)


def test_nothing_open_counts_as_nothing(store):
    with store.reading() as books:
        totals = books.totals(0)
        assert (totals.unacknowledged, totals.cases, totals.unaccepted, totals.overdue) == (0, 0, 0, 0)
        assert books.tallies(0) == {}
        assert (books.last_changes(), books.last_change()) == ([], 0)


def test_changes_come_newest_first_each_as_it_is_now(story):
    first = story.raised("s1").opened[0]
    second = story.raised("s3").opened[0]
    with story.store.reading() as books:
        seen = books.last_changes()
        mark = books.last_change()
    assert [(one.kind, one.id) for one in seen] == [
        ("alarm", "smoke:s3#1"),
        ("case", second),
        ("alarm", "smoke:s1#1"),
        ("case", first),
    ]
    story.act(first, Act.ACCEPT, "g3")
    with story.store.reading() as books:
        assert books.last_change() > mark
        assert [one.id for one in books.last_changes(2)] == [first, "smoke:s3#1"]


def test_a_store_without_a_file_is_refused():
    with pytest.raises(ValueError, match="needs a file"):
        OperationsStore("sqlite://")
