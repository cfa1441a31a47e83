"""A file as it was at one moment, while somebody goes on writing it."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from ingest.books import Books
from ingest.database import StoreUnavailable, open_writer
from ingest.sequences import BatchId, Sequences
from ingest.snapshots import Snapshot
from readings import Lane


def test_the_copy_is_of_the_moment_though_a_writer_never_rests(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "a.db")
    writer.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, filler TEXT)")
    writer.executemany("INSERT INTO numbers VALUES (?, ?)", ((n, "x" * 500) for n in range(20_000)))
    enough = threading.Event()

    def write() -> None:
        n = 20_000
        while not enough.is_set():
            writer.execute("INSERT INTO numbers VALUES (?, ?)", (n, "x" * 500))
            writer.execute("DELETE FROM numbers WHERE n = ?", (n - 20_000,))
            n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with Snapshot(tmp_path / "a.db") as held:
            ((low, high, count),) = held.rows("SELECT min(n), max(n), count(*) FROM numbers")
            before = writer.total_changes
            told: list[tuple[int, int]] = []
            held.copy(tmp_path / "b.db", lambda done, total: told.append((done, total)))
            while writer.total_changes < before + 50:
                pass
    finally:
        enough.set()
        thread.join()
        writer.close()
    with closing(sqlite3.connect(tmp_path / "b.db")) as copy:
        found = copy.execute("SELECT min(n), max(n), count(*) FROM numbers").fetchone()
        assert found == (low, high, count)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert told[-1][0] == told[-1][1] > 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("b")) == ["b.db"]


def test_what_a_stage_has_done_is_told(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "a.db")) as writer:
        books = Books(writer)
        with books.transaction():
            books.record([(BatchId("e1", Lane.ALARM, seq), []) for seq in (1, 2, 3, 7)], 0)
        with Snapshot(tmp_path / "a.db") as held:
            with books.transaction():
                books.record([(BatchId("e1", Lane.ALARM, 4), [])], 0)
            assert held.done() == {("e1", Lane.ALARM): Sequences([(1, 3), (7, 7)])}


def test_a_damaged_file_is_no_backup(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "a.db")) as writer:
        writer.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, filler TEXT)")
        writer.executemany("INSERT INTO numbers VALUES (?, ?)", ((n, "x" * 500) for n in range(1000)))
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray((tmp_path / "a.db").read_bytes())
    content[40 * 4096 : 41 * 4096] = b"\xff" * 4096
    (tmp_path / "a.db").write_bytes(content)
    with Snapshot(tmp_path / "a.db") as held, pytest.raises(StoreUnavailable, match=r"a\.db is damaged"):
        held.copy(tmp_path / "b.db")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        Snapshot(tmp_path / "a.db")
