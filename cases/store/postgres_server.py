"""PostgreSQL behind the operations database: how we connect, what the sessions promise, what errors mean.

There is one connection that writes, and it holds an advisory lock from its first moment to its last. So
nobody writes without the lock, whatever happens to server or network: who loses the connection loses the
lock, and gets it again with the next connection or not at all.
"""

import secrets
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from cases.store.errors import DatabaseInUse, StoreUnavailable
from cases.store.schema import COUNTER, SIGNATURE
from language import N_, Message
from links.database_address import BadAddress, Login, ServerAddress
from links.secret_files import read_secret

WRITER_LOCK: Final = int.from_bytes(b"gridward", "big")
"""The advisory lock of whoever writes; one in each database."""
LOCK_SECONDS: Final = 5.0
"""How long to wait for it: the server needs a moment to notice that a process has ended."""
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
"""After so long the server gives up a reader's statement."""
OLDEST: Final = 130000
"""PostgreSQL 13: the oldest with `pg_current_xact_id_if_assigned`."""

_ALIVE: Final = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that is gone without a word is noticed within half a minute."""
_SESSION: Final = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "0",
    "synchronous_commit": "on",
    "client_min_messages": "warning",
}
"""Whatever the server's or the role's defaults are; a client that is gone frees its lock within a minute."""
_OUTAGES: Final = ("08", "25", "28", "3D", "40", "42501", "53", "55", "57", "58", "F0", "XX")
"""SQLSTATE classes that somebody else has to mend: connection, transaction state (a standby is read-only),
login, no such database, conflict, rights, resources, object state, operator, system, files, corruption."""


NO_LOGIN: Final = Login()


class PostgresServer:
    """One database on a server. The password is read for each connection, so it may change meanwhile."""

    def __init__(self, url: str, login: Login = NO_LOGIN) -> None:
        """Raises `BadAddress`."""
        self.address = ServerAddress.parse(url)
        if objection := self.address.objection(login.password_file, login.ca_file):
            raise BadAddress(objection)
        self._login = login
        at = self.address
        self.url = URL.create("postgresql+psycopg", at.user, None, at.host, at.port, at.database)

    def __str__(self) -> str:
        return str(self.address)

    def prepare(self) -> None:
        """Nothing: who runs the server makes the database."""

    def writer(self) -> Engine:
        """The connection that writes, made with the lock when it is first used."""
        engine = self._engine(0, pool_size=1, max_overflow=0)
        event.listen(engine, "do_connect", self._connect_writer)
        return engine

    def reader(self) -> Engine:
        """Connections that cannot write; each transaction sees one moment."""
        engine = self._engine(READ_SECONDS, pool_size=8, max_overflow=24)
        event.listen(engine, "do_connect", self._connect)
        return engine.execution_options(postgresql_readonly=True)

    def sign(self, connection: Connection) -> int | None:
        """Leave a number of its own in a transaction that has written; None when it has not.

        The server's own number of it will not do: after a crash one that was lost is given again.
        """
        if connection.execute(text("SELECT pg_current_xact_id_if_assigned() IS NULL")).scalar():
            return None
        number = secrets.randbits(63)
        statement = postgresql.insert(COUNTER).values(name=SIGNATURE, value=number)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": number}))
        return number

    def last_signature(self, connection: Connection) -> int | None:
        """The number in the last transaction. Ask on the writer's connection: its lock says that the session
        before is over.
        """
        if connection.execute(text("SELECT to_regclass('counter') IS NULL")).scalar():
            return None
        return connection.execute(select(COUNTER.c.value).where(COUNTER.c.name == SIGNATURE)).scalar()

    def used_bytes(self, connection: Connection) -> int:
        """0: the room is not ours."""
        return 0

    def outage(self, error: DBAPIError) -> str | None:
        """Why the database cannot be used, when that is what `error` says; None: a mistake of ours."""
        state = getattr(error.orig, "sqlstate", None)
        if isinstance(error.orig, psycopg.errors.InFailedSqlTransaction):
            return None  # whoever goes on after an error has swallowed it
        lost = state is None and isinstance(error.orig, psycopg.OperationalError)
        if lost or error.connection_invalidated or (state or "").startswith(_OUTAGES):
            return " ".join(str(error.orig or error).split())
        return None

    # ------------------------------------------------------------------------------------ inside

    def _engine(self, statement_seconds: int, *, pool_size: int, max_overflow: int) -> Engine:
        session = {
            **_SESSION,
            "statement_timeout": f"{statement_seconds * 1000}",
            "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}",
        }
        return create_engine(
            "postgresql+psycopg://",
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=CONNECT_SECONDS,
            connect_args={
                **_ALIVE,
                **self._way(),
                "client_encoding": "utf8",
                "application_name": "gridwarden",
                "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
            },
        )

    def _way(self) -> dict[str, Any]:
        """Where and how; nothing of it is left to the environment (``PGHOST``, ``PGSSLMODE`` …)."""
        at, ca_file = self.address, self._login.ca_file
        way: dict[str, Any] = {
            "host": at.host, "hostaddr": "", "port": at.port, "user": at.user, "dbname": at.database,
            "gssencmode": "disable",
        }  # fmt: skip
        if ca_file is not None and not at.is_socket:
            return {**way, "sslmode": "verify-full", "sslrootcert": str(ca_file)}
        return {**way, "sslmode": "prefer"}

    def _connect(self, dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        try:
            password = read_secret(self._login.password_file)
        except OSError as error:
            raise StoreUnavailable(f"the password cannot be read: {error}") from error
        if password:
            options = {**options, "password": password}
        connection: psycopg.Connection[Any] = psycopg.connect(**options)
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_writer(
        self, dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        connection = self._connect(dialect, record, arguments, options)
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", [WRITER_LOCK])
            connection.commit()
        except psycopg.errors.LockNotAvailable as error:
            connection.rollback()
            holder = self._holder(connection)
            connection.close()
            raise DatabaseInUse(holder) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: "psycopg.Connection[Any]") -> None:
        told = connection.info
        if told.server_version < OLDEST:
            raise StoreUnavailable(f"{self}: PostgreSQL 13 or newer is needed, this is {told.server_version}")
        if told.parameter_status("server_encoding") != "UTF8":
            raise StoreUnavailable(f"{self}: the database must be made with ENCODING 'UTF8'")

    def _holder(self, connection: "psycopg.Connection[Any]") -> Message:
        row = connection.execute(
            "SELECT a.pid, coalesce(host(a.client_addr), 'local'), a.backend_start::timestamptz(0)::text"
            " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (l.classid::bigint << 32) + l.objid::bigint = %s",
            [WRITER_LOCK],
        ).fetchone()
        pid, client, since = row or ("?", "?", "?")
        return Message(
            N_(
                "another process writes {database}: it holds the advisory lock {lock}"
                " (server process {pid}, from {client}, since {since}). Stop that gateway first"
            ),
            {"database": str(self), "lock": WRITER_LOCK, "pid": pid, "client": client, "since": since},
        )
