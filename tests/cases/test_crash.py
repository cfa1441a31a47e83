"""Power goes at any statement of a batch's transaction: everything of it is there afterwards, or nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from cases.store import AlarmFilter, OperationsStore

ROOT = Path(__file__).parents[2]

PROGRAM = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
sys.path.insert(0, {root!r})
import importlib.util
spec = importlib.util.spec_from_file_location("stories", {conftest!r})
stories = importlib.util.module_from_spec(spec)
sys.modules["stories"] = stories
spec.loader.exec_module(stories)
from cases.desk import Desk
from cases.store import OperationsStore

store = OperationsStore(sys.argv[1])
story = stories.Story(stories.community(), Desk(stories.community(), stories.starter_rules()), store)
left = int(sys.argv[2])

@event.listens_for(store._writer, "after_cursor_execute")
def power_goes(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

with store.transaction() as tx:
    story.desk.report([story.finding("s1"), story.finding("s2"), story.finding("s3")], tx, story.now)
    tx.save_engine(0, {{"smoke:s1": b"state"}}, b"marks", {{"READINGS_ALARM": 42}})
print("committed", left)
"""


def run(url: str, statement: int) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(root=str(ROOT), conftest=str(Path(__file__).with_name("conftest.py")))
    return subprocess.run(
        [sys.executable, "-c", program, url, str(statement)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


def kept(store: OperationsStore) -> tuple[int, int, dict[str, int]]:
    with store.reading() as books:
        alarms, cases = books.alarms(AlarmFilter(state="all")).total, books.cases().total
    with store.transaction() as tx:
        return alarms, cases, tx.load_engine().positions


def test_a_kill_between_two_statements_leaves_nothing_and_the_next_try_leaves_everything(store, tmp_path):
    other = OperationsStore(f"sqlite:///{tmp_path / 'count.db'}")
    other.migrate()
    whole = run(other.url.render_as_string(), 10_000)
    other.close()
    statements = 10_000 - int(whole.stdout.split()[1])
    url = store.url.render_as_string()
    for statement in (1, statements // 2, statements - 3, statements):
        killed = run(url, statement)
        assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
        assert kept(store) == (0, 0, {})
    finished = run(url, 10_000)
    assert finished.returncode == 0, finished.stderr
    assert kept(store) == (3, 2, {"READINGS_ALARM": 42})
    with store.reading() as books:
        assert all(books.broken_history(case.id) is None for case in books.cases().items)
