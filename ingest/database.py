"""How this room opens its SQLite files."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from language import Message

BUSY_TIMEOUT: Final = 5.0
"""Seconds that a connection waits for another one's lock."""


class StoreUnavailable(Exception):
    """The store cannot take it now (down, full, locked, refusing). Keep everything and try again.

    `message` says why, for people; `operator` says that it will not mend itself: somebody has to look.
    """

    def __init__(
        self, message: Message | str, *, retry_after: float | None = None, operator: bool = False
    ) -> None:
        self.message = Message("{reason}", {"reason": message}) if isinstance(message, str) else message
        super().__init__(str(message))
        self.retry_after = retry_after
        self.operator = operator


def open_writer(path: Path) -> sqlite3.Connection:
    """The one writing connection to `path`: WAL, every commit on disk. Raises `StoreUnavailable`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT
        )
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"{path}: {error}") from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, usable beside the writer. Raises `StoreUnavailable`."""
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path}: {error}") from error
    return connection


@contextmanager
def as_unavailable() -> Iterator[None]:
    """An error of SQLite becomes `StoreUnavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from error


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to ask something with; an error of SQLite becomes `StoreUnavailable`."""
    with closing(open_reader(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; an error of SQLite becomes `StoreUnavailable`."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error as second:
                raise StoreUnavailable(f"{error}; rolling back: {second}") from error
        if isinstance(error, sqlite3.Error):
            raise StoreUnavailable(str(error)) from error
        raise
