"""An operations database moves to another place and back, and nothing of it is different there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cases.deliveries import Receiver
from cases.desk import Desk
from cases.states import Act
from cases.store import CaseFilter, Done, OperationsStore, StoreUnavailable
from cases.store.copying import NotEmpty, NothingThere, copy
from cases.store.retention import DAY, Keeping, remove_some
from cases.store.schema import METADATA, SIGNATURE
from tests.cases.conftest import Story, starter_rules
from tests.postgres import Cluster

Elsewhere = Callable[[], OperationsStore]


@pytest.fixture
def elsewhere(store: OperationsStore, tmp_path: Path, request: pytest.FixtureRequest) -> Elsewhere:
    """An empty database of the other kind than the story's; what was made before is given again."""
    made: list[OperationsStore] = []

    def open_it() -> OperationsStore:
        if not made:
            if store.url.get_backend_name() == "postgresql":
                made.append(OperationsStore(f"sqlite:///{tmp_path / 'elsewhere.db'}"))
            else:
                cluster: Cluster = request.getfixturevalue("postgres")
                name = cluster.new_database()
                made.append(cluster.store(name))
                request.addfinalizer(lambda: cluster.drop(name))
                request.addfinalizer(made[0].close)
        return made[0]

    return open_it


def content(store: OperationsStore) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with store.snapshot() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(select(table).order_by(*table.primary_key))
                if row[0] != SIGNATURE
            ]
            for table in METADATA.sorted_tables
        }


def lived(story: Story) -> None:
    """A database in which every table holds something."""
    story.desk = Desk(story.site, starter_rules(), receivers=[Receiver("city")])
    (old,) = story.raised("s1").opened
    story.closed(old, "s1")
    story.later(days=2000)
    assert remove_some(story.store, Keeping(deliveries_for=10_000 * DAY), story.now)
    for number in range(30):
        story.later(minutes=1)
        story.raised("s3", occurrence=number + 1, reason=f"\u0001 {number} 'quoted' 厨房")
    story.act(story.raised("s1", occurrence=2).opened[0], Act.ACCEPT, "g3", note="arrived\n")
    with story.store.transaction() as tx:
        tx.save_engine(0, {"a": b"\x00\xff" * 500, "b": b""}, b"m", {"READINGS_ALARM": 2**60})
        tx.save_engine(0, {}, b"m", {}, {("e1", "alarm"): Done(((1, 7), (9, 9)))})
    rows = content(story.store)
    assert all(rows.values()), {name: len(found) for name, found in rows.items()}


def test_everything_is_the_same_elsewhere_and_back_again(
    story: Story, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cases.store.copying.CHUNK", 7)
    lived(story)
    before = content(story.store)
    told: list[tuple[int, int]] = []
    rows = copy(story.store, elsewhere(), lambda done, total: told.append((done, total)))
    assert rows == sum(map(len, before.values())) == told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert content(elsewhere()) == before
    back = OperationsStore(f"sqlite:///{tmp_path / 'back.db'}")
    copy(elsewhere(), back)
    assert content(back) == before
    back.close()


def test_numbers_go_on_where_they_were(story: Story, elsewhere: Elsewhere) -> None:
    lived(story)
    copy(story.store, elsewhere())
    with story.store.reading() as books:
        last, before = books.last_change(), len(books.cases(CaseFilter(state="all"), limit=500).items)
    story.store = elsewhere()
    story.later(days=1)
    (number,) = story.raised("s2", occurrence=7).opened
    assert number.endswith("-0001")  # of a new day
    story.later(minutes=40)
    (number,) = story.raised("s3", occurrence=99, rule="damp").opened
    assert number.endswith("-0002")
    with story.store.reading() as books:
        assert books.last_change() > last
        assert len(books.cases(CaseFilter(state="all"), limit=500).items) == before + 2
        assert all(books.broken_history(case.id) is None for case in books.cases().items)


def test_history_cannot_be_altered_elsewhere_either(story: Story, elsewhere: Elsewhere) -> None:
    lived(story)
    copy(story.store, elsewhere())
    with pytest.raises(Exception, match="append-only"), elsewhere().connection() as connection:
        connection.exec_driver_sql("UPDATE history SET time = 0")


def test_a_place_that_holds_something_is_left_as_it_is(story: Story, elsewhere: Elsewhere) -> None:
    story.raised("s1")
    copy(story.store, elsewhere())
    there = content(elsewhere())
    story.raised("s3")
    with pytest.raises(NotEmpty, match="holds alarms or cases already"):
        copy(story.store, elsewhere())
    assert content(elsewhere()) == there


def test_a_database_that_was_never_set_up_is_not_copied(elsewhere: Elsewhere, tmp_path: Path) -> None:
    empty = OperationsStore(f"sqlite:///{tmp_path / 'empty.db'}")
    with empty.connection():
        pass
    with pytest.raises(NothingThere, match="is empty"):
        copy(empty, elsewhere())
    empty.close()


def test_the_copy_has_the_schema_of_what_it_is_copied_from(story: Story, elsewhere: Elsewhere) -> None:
    story.raised("s1")
    story.store.migrate(revision="0001")
    copy(story.store, elsewhere())
    assert elsewhere().revision() == "0001"
    elsewhere().migrate()
    story.store.migrate()
    assert content(elsewhere()) == content(story.store)


def test_one_that_breaks_off_leaves_nothing(
    story: Story, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cases.store.copying.CHUNK", 3)
    lived(story)

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(story.store, elsewhere(), stop)
    assert not any(content(elsewhere()).values())
    copy(story.store, elsewhere())
    assert content(elsewhere()) == content(story.store)


def test_what_is_written_meanwhile_is_not_in_it(story: Story, elsewhere: Elsewhere) -> None:
    story.raised("s1")
    before = content(story.store)

    def go_on(done: int, total: int) -> None:
        if done == total:
            story.raised("s3")

    copy(story.store, elsewhere(), go_on)
    assert content(elsewhere()) == before


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_a_server_that_goes_meanwhile_is_told(story: Story, elsewhere: Elsewhere, postgres: Cluster) -> None:
    lived(story)

    def go(done: int, total: int) -> None:
        postgres.stop()

    try:
        with pytest.raises(StoreUnavailable):
            copy(story.store, elsewhere(), go)
    finally:
        postgres.stop()
        postgres.start()
    assert not any(content(elsewhere()).values())
