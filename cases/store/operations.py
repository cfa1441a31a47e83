"""The operations database: opening it, bringing its schema up to date, writing and reading."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import alembic.command
import alembic.config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError

from cases.store.reading import Reading
from cases.store.transaction import Transaction
from language import N_, Message

MIGRATIONS: Final = Path(__file__).with_name("migrations")
BUSY_TIMEOUT: Final = 10.0
"""Seconds that a SQLite connection waits for another process's write."""


class StoreUnavailable(Exception):
    """The database cannot be reached or written now (locked, disk full, server away). Keep and retry."""


class DatabaseTooNew(Exception):
    """A newer program has written the database. Stop; `message` says what to do."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


def _quiet(message: Message) -> None:
    """Progress that nobody watches."""


class OperationsStore:
    """Alarms, cases, their history, the outbox and the rule engine's state in one database.

    `url` as SQLAlchemy writes it: ``sqlite:////var/lib/…/operations.db`` or ``postgresql+psycopg://…``.
    Calls block: an asyncio program makes them in a thread. Writers wait for each other; readers never wait
    (SQLite in WAL mode, PostgreSQL's snapshots).
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self._writing = threading.Lock()
        self._sqlite = self.url.get_backend_name() == "sqlite"
        if self._sqlite and not self.url.database:
            raise ValueError("the operations database needs a file: readers have connections of their own")
        self._writer = self._open(self.url, readonly=False)
        self._reader = self._open(self._readonly_url(), readonly=True)

    def migrate(self, progress: Callable[[Message], None] = _quiet, revision: str = "head") -> None:
        """Bring the schema to `revision` (``head``: what this program needs), creating the database.

        Each step and its `progress` sentence come before the step runs; everything is one transaction.
        Raises `DatabaseTooNew` when the database knows a revision that this program does not, and
        `StoreUnavailable`.
        """
        if self._sqlite:
            Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        config = self._alembic()
        scripts = ScriptDirectory.from_config(config)
        with self._translated(), self._turn(), self._writer.begin() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
            self._refuse_newer(present, scripts)
            config.attributes["connection"] = connection
            config.attributes["progress"] = progress
            if revision == "base" or (present and revision != "head" and _older(scripts, revision, present)):
                alembic.command.downgrade(config, revision)
            else:
                alembic.command.upgrade(config, revision)

    def revision(self) -> str | None:
        """The schema's revision; None for an empty database."""
        with self._translated(), self._writer.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction: commits at the end of the block, rolls back when the block raises.

        Raises `StoreUnavailable` when the database cannot take it; nothing is kept then.
        """
        with self.connection() as connection:
            yield Transaction(connection)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """As `transaction`, for this package's own statements."""
        with self._translated(), self._turn(), self._writer.begin() as connection:
            yield connection

    def used_bytes(self, connection: Connection) -> int:
        """Bytes of SQLite's file that hold something; 0 for another database."""
        if not self._sqlite:
            return 0
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Read-only queries on one snapshot of what is committed."""
        with self._translated(), self._reader.begin() as connection:
            yield Reading(connection)

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()
        self._writer.dispose()

    # ------------------------------------------------------------------------------------ inside

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer at a time: waiting here is fair and quick, waiting in SQLite is neither."""
        if not self._writing.acquire(timeout=BUSY_TIMEOUT):
            raise StoreUnavailable("another writer of this program has not finished")
        try:
            yield
        finally:
            self._writing.release()

    def _alembic(self) -> alembic.config.Config:
        config = alembic.config.Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        return config

    def _refuse_newer(self, present: str | None, scripts: ScriptDirectory) -> None:
        known = {script.revision for script in scripts.walk_revisions()}
        if present is not None and present not in known:
            raise DatabaseTooNew(
                Message(
                    N_(
                        "The database {database} was written by a newer version (schema {schema}). "
                        "Install that version again, or restore a backup from before the update."
                    ),
                    {"database": self.url.render_as_string(hide_password=True), "schema": present},
                )
            )

    def _readonly_url(self) -> URL:
        if not self._sqlite:
            return self.url
        path = Path(str(self.url.database)).absolute()
        return self.url.set(
            database=f"file:{path.as_uri().removeprefix('file://')}", query={"mode": "ro", "uri": "true"}
        )

    def _open(self, url: URL, *, readonly: bool) -> Engine:
        if not self._sqlite:
            engine = create_engine(url, pool_pre_ping=True)
            if not readonly:
                return engine
            return engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT}, pool_size=8, max_overflow=24)
        event.listen(engine, "connect", _prepare_reader if readonly else _prepare_writer)
        event.listen(engine, "begin", _begin_reading if readonly else _begin_writing)
        return engine

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise StoreUnavailable(str(error.orig or error)) from error
        except DatabaseError as error:
            if type(error) is DatabaseError:  # SQLite's "not a database", "disk image is malformed"
                raise StoreUnavailable(str(error.orig or error)) from error
            raise


def _older(scripts: ScriptDirectory, wanted: str, present: str) -> bool:
    return wanted in {script.revision for script in scripts.iterate_revisions(present, "base")}


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
