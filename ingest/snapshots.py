"""A SQLite file as it is at one moment, copied while others write it.

`Snapshot` opens a read transaction: from then on this connection sees that moment, however long the copying
takes, and several files can be held at nearly the same moment. The copy goes page by page through SQLite's
own backup interface, which a held transaction keeps from starting over. Meanwhile the file's log (WAL) grows,
because what came after the moment cannot be moved out of it.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ingest.database import StoreUnavailable, open_reader
from ingest.sequences import Sequences
from readings import Lane

_PAGES: Final = 4096
"""Pages copied between two reports of progress: 16 MB."""

Done = Mapping[tuple[str, Lane], Sequences]
"""Batches that a stage has done, by edge and lane."""


class Snapshot:
    """One moment of one file. Raises `StoreUnavailable`; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_reader(path)
        try:
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # now it is held
        except sqlite3.Error as error:
            self._connection.close()
            raise StoreUnavailable(f"{path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What `query` finds at that moment; nothing when its table was not made yet."""
        try:
            return self._connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise StoreUnavailable(f"{self.path}: {error}") from error
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from error

    def done(self) -> Done:
        """The batches done, of a file that keeps books (`ingest.books`)."""
        ranges: dict[tuple[str, Lane], list[tuple[int, int]]] = {}
        for edge, lane, first, last in self.rows("SELECT edge, lane, first, last FROM done"):
            ranges.setdefault((edge, Lane(lane)), []).append((first, last))
        return {key: Sequences(found) for key, found in ranges.items()}

    def copy(self, to: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Write the file as it was at that moment to `to`, which must not exist.

        `progress` is told (pages copied, pages in all). Raises `StoreUnavailable`, also when the copy is
        not sound.
        """

        def tell(_: int, remaining: int, total: int) -> None:
            progress(total - remaining, total)

        try:
            with closing(sqlite3.connect(f"{to.absolute().as_uri()}?mode=rwc", uri=True)) as copy:
                self._connection.backup(copy, pages=_PAGES, progress=tell, sleep=0)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
                (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: copying: {error}") from error
        if verdict != "ok":
            raise StoreUnavailable(f"{self.path} is damaged: {verdict}")

    def close(self) -> None:
        """Let go of the moment."""
        self._connection.close()
