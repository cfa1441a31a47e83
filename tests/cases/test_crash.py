"""Power goes at any statement of a batch's transaction: everything of it is there afterwards, or nothing."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from cases.store import AlarmFilter, OperationsStore
from cases.store.sqlite_file import SqliteFile
from tests.cases.conftest import Story
from tests.postgres import Cluster


def commit_batch(store: OperationsStore, story: Story, kill_at: int) -> int:
    """One batch in a transaction, killed (SIGKILL) after statement `kill_at`; gives the statements run."""
    run = 0

    def power_goes(*_: object) -> None:
        nonlocal run
        run += 1
        if run == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(store._writer, "after_cursor_execute", power_goes)
    with store.transaction() as tx:
        findings = [story.finding("s1"), story.finding("s2"), story.finding("s3")]
        story.desk.report(findings, tx, story.now)
        tx.save_engine(0, {"smoke:s1": b"state"}, b"marks", {"READINGS_ALARM": 42})
    return run


def in_another_process(story: Story, again: Callable[[], OperationsStore], kill_at: int) -> int:
    """How a process ended that committed the batch to the story's database: 0, or minus the signal."""
    story.store.close()  # no connection crosses the fork
    child = os.fork()
    if child == 0:
        code = 3
        try:
            commit_batch(again(), story, kill_at)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kept(store: OperationsStore) -> tuple[int, int, dict[str, int]]:
    with store.reading() as books:
        alarms, cases = books.alarms(AlarmFilter(state="all")).total, books.cases().total
    with store.transaction() as tx:
        return alarms, cases, tx.load_engine().positions


@pytest.fixture
def again(store: OperationsStore, request: pytest.FixtureRequest) -> Callable[[], OperationsStore]:
    """Opens the test's database once more."""
    if isinstance(store.database, SqliteFile):
        return lambda: OperationsStore(store.url.render_as_string())
    cluster: Cluster = request.getfixturevalue("postgres")
    return lambda: cluster.store(str(store.url.database))


def test_a_kill_after_any_statement_leaves_nothing_and_the_next_try_leaves_everything(
    story: Story, again: Callable[[], OperationsStore], tmp_path: Path
) -> None:
    other = OperationsStore(f"sqlite:///{tmp_path / 'count.db'}")
    other.migrate()
    statements = commit_batch(other, story, 0)
    other.close()
    assert statements > 10
    for statement in range(1, statements + 1):
        assert in_another_process(story, again, statement) == -signal.SIGKILL
        assert kept(story.store) == (0, 0, {})
    assert in_another_process(story, again, 0) == 0
    assert kept(story.store) == (3, 2, {"READINGS_ALARM": 42})
    with story.store.reading() as books:
        assert all(books.broken_history(case.id) is None for case in books.cases().items)
