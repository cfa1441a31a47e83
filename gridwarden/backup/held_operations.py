"""The operations database on a server, held at one moment and copied into a file for a backup."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import text

from cases.store import OperationsStore
from cases.store.copying import copying
from gateway.operations import file_store


class HeldOperations:
    """One moment of one database, as `ingest.snapshots.Snapshot` is of a file; use as a context manager.

    Raises `cases.store.StoreUnavailable`. The gateway goes on writing meanwhile.
    """

    def __init__(self, store: OperationsStore) -> None:
        self._store = store
        self._stack = ExitStack()
        self._stack.callback(store.close)
        try:
            self._snapshot = self._stack.enter_context(store.snapshot())
            self._snapshot.execute(text("SELECT 1 FROM alembic_version"))  # now it is held
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What `query` finds at that moment."""
        return [tuple(row) for row in self._snapshot.execute(text(query))]

    def copy(self, to: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Write the database as it was at that moment to the file `to`, which must not exist.

        `progress` is told (rows copied, rows in all).
        """
        with closing(file_store(to)) as target, copying(self._store, self._snapshot, target, progress):
            pass
        with closing(sqlite3.connect(to)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it

    def close(self) -> None:
        """Let go of the moment."""
        self._stack.close()
