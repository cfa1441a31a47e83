"""The outbox as a file: locked, looked over when it is opened first, made anew when it is damaged.

Every error drops the connection; the next use opens the file again. An error that says that the file is
damaged makes the next use rescue it first (`edge.rescue`).
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from edge.outbox_rows import Damaged
from edge.outbox_schema import OutboxUnavailable, connect, lock
from edge.rescue import is_unfinished, rescue
from edge.tidemark import Mark, Tidemark
from readings import Lane
from supervision.locks import Lock

_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class OutboxFile:
    """The file at `path`. `opened` is called with each new connection, and may raise."""

    def __init__(
        self, path: Path, edge: str, base: int | None, opened: Callable[[sqlite3.Connection], None]
    ) -> None:
        self.path = path
        self.lives = 0
        """How often the file was looked over: it may be another one than before when this changes."""
        self._edge = edge
        self._base = base
        self._opened = opened
        self._connection: sqlite3.Connection | None = None
        self._lock: Lock | None = None
        self._tide = Tidemark(path.with_suffix(".tide"))
        self._suspicion = ""
        """What an error said about the file."""

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The open file; raises `OutboxUnavailable` for any error of it."""
        try:
            yield self._connection or self._open()
        except (sqlite3.Error, OSError) as error:
            self._drop()
            if isinstance(error, Damaged) or _says_damage(error):
                self._suspicion = str(error)
            raise OutboxUnavailable(f"{self.path}: {error}") from error
        except BaseException:
            self._drop()
            raise

    def mark(self, marks: Mapping[Lane, Mark]) -> None:
        """Note how far the outbox has come."""
        self._tide.write(marks)

    def free_on_disk(self) -> int:
        """Bytes that may still be written where the file lies."""
        try:
            found = os.statvfs(self.path.parent)
        except OSError:  # whoever writes next learns why
            return 0
        return found.f_bavail * found.f_frsize

    def release(self) -> None:
        """Close the file and give the lock back."""
        self._drop()
        self._tide.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open(self) -> sqlite3.Connection:
        if self._lock is None:
            self._lock = lock(self.path)
        if self.lives == 0 or self._suspicion:
            self._look_over()
        self._connection = connect(self.path, self._edge, self._base)
        self._opened(self._connection)
        return self._connection

    def _look_over(self) -> None:
        tide = self._tide.read()
        damage = self._suspicion or find_damage(self.path, tide)
        if damage or is_unfinished(self.path):
            rescue(self.path, self._edge, damage, tide, time.time_ns(), self._base)
        self._suspicion = ""
        self.lives += 1

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # it is already broken, and nothing of it is used again
                connection.close()


def find_damage(path: Path, tide: Mapping[Lane, Mark]) -> str:
    """What is wrong with the file of an outbox that had come as far as `tide`; empty when nothing is.

    Reads the whole file. Raises `sqlite3.Error` when it cannot be read now.
    """
    if not path.exists():
        return ""
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return str(found)
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'packs'").fetchone():
                return ""  # new, or of the format before
            lanes = connection.execute("SELECT lane, base, seq FROM lanes").fetchall()
            taken = dict(connection.execute("SELECT lane, sum(samples) FROM taken GROUP BY lane"))
    except sqlite3.DatabaseError as error:
        if _says_damage(error):
            return str(error)
        raise
    for lane, base, seq in lanes:
        mark, known = tide.get(lane), taken.get(lane, 0)
        if mark is not None and mark.base == base and (mark.seq > seq or mark.taken > known):
            return f"its last commits are missing ({mark.taken - known} samples, {lane})"
    return ""


def _says_damage(error: Exception) -> bool:
    """Whether SQLite says that the file is not what it wrote (extended codes carry more in higher bits)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
