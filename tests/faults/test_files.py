"""The accidents that files meet are the ones that we mean."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chaos.files import spoil, tear, tear_stream


def database(path: Path, rows: int = 400) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filling BLOB)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, bytes(1_000)) for n in range(rows)])
        connection.commit()
    return path


def after_power_cut(path: Path, chance: random.Random) -> tuple[Path, int]:
    """A database with one committed and one uncommitted row when the power fails, as it lies on the disk."""
    copy = path.with_name("after.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("INSERT INTO t VALUES (10000, NULL)")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO t VALUES (?, ?)", [(n, bytes(1_000)) for n in range(20_000, 20_500)]
        )
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    return copy, tear(Path(f"{copy}-wal"), chance)


@pytest.mark.parametrize("seed", range(8))
def test_a_torn_log_keeps_what_was_committed_and_nothing_else(tmp_path, seed):
    copy, torn = after_power_cut(database(tmp_path / "t.db"), random.Random(seed))
    assert torn > 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*), max(n) FROM t").fetchone() == (401, 10_000)


def test_a_log_that_was_never_written_is_not_torn(tmp_path):
    log = tmp_path / "t.db-wal"
    log.touch()
    assert tear(log, random.Random(1)) == 0
    assert log.read_bytes() == b""


def test_a_spoilt_database_is_damaged_where_it_is_said_to_be(tmp_path):
    path = database(tmp_path / "t.db")
    before = path.read_bytes()
    pages = spoil(path, 3, random.Random(1))
    after = path.read_bytes()
    size = 4096
    changed = [
        n
        for n in range(1, len(after) // size + 1)
        if after[(n - 1) * size : n * size] != before[(n - 1) * size : n * size]
    ]
    assert changed == pages


def test_a_torn_block_keeps_its_records_and_gets_half_a_new_one(tmp_path):
    block = tmp_path / "1.blk"
    block.write_bytes(b"records")
    torn = tear_stream(block, random.Random(1))
    assert block.read_bytes().startswith(b"records")
    assert len(block.read_bytes()) == len(b"records") + torn
    assert 0 < torn < 1_000, "shorter than the record says that it is"
