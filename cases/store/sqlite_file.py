"""SQLite behind the operations database: a file in WAL mode, as durable as its disk."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError

BUSY_TIMEOUT: Final = 10.0
"""Seconds that a connection waits for another process's write."""


class SqliteFile:
    """One file. The folder's lock keeps other writers away (`supervision.locks`)."""

    def __init__(self, url: URL) -> None:
        if not url.database:
            raise ValueError("the operations database needs a file: readers have connections of their own")
        self.url = url
        self.path = Path(url.database)

    def __str__(self) -> str:
        return str(self.path)

    def prepare(self) -> None:
        """Make the folder. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def writer(self) -> Engine:
        """Connections that write: each transaction has the file for itself."""
        engine = _engine(self.url)
        event.listen(engine, "connect", _prepare_writer)
        event.listen(engine, "begin", _begin_writing)
        return engine

    def reader(self) -> Engine:
        """Connections that cannot write."""
        file = f"file:{self.path.absolute().as_uri().removeprefix('file://')}"
        engine = _engine(self.url.set(database=file, query={"mode": "ro", "uri": "true"}))
        event.listen(engine, "connect", _prepare_reader)
        event.listen(engine, "begin", _begin_reading)
        return engine

    def sign(self, connection: Connection) -> int | None:
        """None: a commit that has failed was not made."""
        return None

    def last_signature(self, connection: Connection) -> int | None:
        """None: the folder's lock keeps others away as long as the process lives."""
        return None

    def used_bytes(self, connection: Connection) -> int:
        """Bytes of the file that hold something."""
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def outage(self, error: DBAPIError) -> str | None:
        """Why the database cannot be used, when that is what `error` says; None: a mistake of ours."""
        outage = isinstance(error, (OperationalError, InterfaceError))
        if outage or type(error) is DatabaseError:  # "not a database", "disk image is malformed"
            return str(error.orig or error)
        return None


def _engine(url: URL) -> Engine:
    return create_engine(url, connect_args={"timeout": BUSY_TIMEOUT}, pool_size=8, max_overflow=24)


def _prepare_writer(connection: Any, record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own begins too late
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-32000",
        "temp_store=MEMORY",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _prepare_reader(connection: Any, record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON").close()
    connection.execute("PRAGMA cache_size=-16000").close()


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
