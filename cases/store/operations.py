"""The operations database: opening it, bringing its schema up to date, writing and reading."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import alembic.command
import alembic.config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolEmpty

from cases.store.errors import CommitInDoubt, DatabaseTooNew, StoreUnavailable, WrittenElsewhere
from cases.store.postgres_server import NO_LOGIN, PostgresServer
from cases.store.reading import Reading
from cases.store.sqlite_file import SqliteFile
from cases.store.transaction import Transaction
from language import N_, Message
from links.database_address import Login

MIGRATIONS: Final = Path(__file__).with_name("migrations")
BUSY_TIMEOUT: Final = 10.0
"""Seconds that a writer waits for another of this program."""
DOUBT_SECONDS: Final = 2.0
"""How long a server that went away during a commit is asked at once whether it was made."""


_KNOWN: Final = "gridwarden: looked back"


class Database(Protocol):
    """SQLite or PostgreSQL, as far as they differ; shown as where it is, without a password."""

    url: URL

    def prepare(self) -> None:
        """Make what must be there before a connection. Raises OSError."""

    def writer(self) -> Engine:
        """Connections that write."""

    def reader(self) -> Engine:
        """Connections that cannot write; each transaction sees one moment."""

    def sign(self, connection: Connection) -> int | None:
        """Leave a number of its own in a transaction that has written; None: there is no need."""

    def last_signature(self, connection: Connection) -> int | None:
        """The number in the last transaction that was committed."""

    def used_bytes(self, connection: Connection) -> int:
        """Bytes that hold something; 0 where the room is not ours."""

    def outage(self, error: DBAPIError) -> str | None:
        """Why the database cannot be used, when that is what `error` says; None: a mistake of ours."""


def _quiet(message: Message) -> None:
    """Progress that nobody watches."""


class OperationsStore:
    """Alarms, cases, their history, the outbox and the rule engine's state in one database.

    `url` is ``sqlite:////var/lib/…/operations.db`` or what `links.database_address` reads; `login` is
    PostgreSQL's. Calls block: an asyncio program makes them in a thread. Writers wait for each other; readers
    never wait (SQLite in WAL mode, PostgreSQL's snapshots).
    """

    def __init__(self, url: str, login: Login = NO_LOGIN) -> None:
        """Raises `links.database_address.BadAddress`; nothing is opened yet."""
        file = url.startswith("sqlite:")
        self.database: Database = SqliteFile(make_url(url)) if file else PostgresServer(url, login)
        self._writing = threading.Lock()
        self._writer = self.database.writer()
        self._reader = self.database.reader()
        self._last: int | None = None
        """The signature of our last transaction."""
        self._doubted: int | None = None
        """The signature of a transaction whose commit nobody has answered."""
        self._answers: dict[int, bool] = {}
        """What became of such commits."""

    @property
    def url(self) -> URL:
        """Where it is, as SQLAlchemy writes it, without a password."""
        return self.database.url

    def migrate(self, progress: Callable[[Message], None] = _quiet, revision: str = "head") -> None:
        """Bring the schema to `revision` (``head``: what this program needs), creating the database.

        Each step and its `progress` sentence come before the step runs; everything is one transaction.
        Raises `DatabaseTooNew` when the database knows a revision that this program does not, and
        `StoreUnavailable`.
        """
        self.database.prepare()
        config = _alembic()
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
        """The schema's revision; None for an empty database. Raises `StoreUnavailable`."""
        with self.snapshot() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def newest_revision(self) -> str:
        """The revision that this program needs."""
        return str(ScriptDirectory.from_config(_alembic()).get_current_head())

    def refuse_newer(self) -> None:
        """Raises `DatabaseTooNew` when a newer program has written the database, and `StoreUnavailable`."""
        self._refuse_newer(self.revision(), ScriptDirectory.from_config(_alembic()))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction: commits at the end of the block, rolls back when the block raises.

        Raises `StoreUnavailable` when the database cannot take it; nothing is kept then, or, if it is
        `CommitInDoubt`, perhaps everything. Raises `WrittenElsewhere`.
        """
        with self.connection() as connection:
            yield Transaction(connection)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """As `transaction`, for this package's own statements."""
        signature: int | None = None
        with self._translated(), self._turn():
            try:
                with self._writer.begin() as connection:
                    self._look_back(connection)
                    yield connection
                    signature = self.database.sign(connection)
            except DBAPIError as error:
                if signature is None or not error.connection_invalidated:
                    raise
                self._doubted = signature
                if not self._settled(signature):
                    raise
            else:
                self._last = self._last if signature is None else signature

    def was_committed(self, ticket: int) -> bool:
        """What became of a commit that was in doubt. Raises `StoreUnavailable` while that cannot be said."""
        with self._translated(), self._turn():
            return self._asked(ticket)

    def used_bytes(self, connection: Connection) -> int:
        """Bytes of the database that hold something; 0 where the room is not ours (PostgreSQL)."""
        return self.database.used_bytes(connection)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Read-only queries on one snapshot of what is committed."""
        with self.snapshot() as connection:
            yield Reading(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """As `reading`, for this package's own statements."""
        with self._translated(), self._reader.begin() as connection:
            yield connection

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

    def _settled(self, ticket: int) -> bool:
        """What became of a commit that no answer came to. Raises `CommitInDoubt`."""
        end = time.monotonic() + DOUBT_SECONDS
        while True:
            try:
                with self._translated():
                    return self._asked(ticket)
            except StoreUnavailable as error:
                if time.monotonic() > end:
                    raise CommitInDoubt(f"{self.database} went away in a commit: {error}", ticket) from error
                time.sleep(0.2)

    def _asked(self, ticket: int) -> bool:
        if ticket not in self._answers:
            with self._writer.begin() as connection:
                self._look_back(connection)
        return self._answers[ticket]

    def _look_back(self, connection: Connection) -> None:
        """On a new connection, before anything else: what was committed last, by us or by somebody else."""
        if connection.info.get(_KNOWN):
            return
        found = self.database.last_signature(connection)
        if self._doubted is not None:
            self._answers[self._doubted] = found == self._doubted
            self._last = found if found == self._doubted else self._last
            self._doubted = None
        if self._last is not None and found != self._last:
            raise WrittenElsewhere(f"{self.database}: another process has written meanwhile")
        connection.info[_KNOWN] = True

    def _refuse_newer(self, present: str | None, scripts: ScriptDirectory) -> None:
        known = {script.revision for script in scripts.walk_revisions()}
        if present is not None and present not in known:
            raise DatabaseTooNew(
                Message(
                    N_(
                        "The database {database} was written by a newer version (schema {schema}). "
                        "Install that version again, or restore a backup from before the update."
                    ),
                    {"database": str(self.database), "schema": present},
                )
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            reason = self.database.outage(error)
            if reason is None:
                raise
            raise StoreUnavailable(reason) from error
        except PoolEmpty as error:
            raise StoreUnavailable("every connection to the database is in use") from error


def _alembic() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _older(scripts: ScriptDirectory, wanted: str, present: str) -> bool:
    return wanted in {script.revision for script in scripts.iterate_revisions(present, "base")}
