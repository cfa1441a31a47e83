"""A PostgreSQL server of a test run's own: Debian's programs, a new cluster, one database for each test.

Its programs refuse to run as root; then they run as the user ``postgres`` that Debian's package makes.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cases.store import OperationsStore
from cases.store.operations import MIGRATIONS
from links.database_address import Login
from links.secret_files import write_secret
from supervision.ports import free_ports
from tests.conftest import wait_until

NEWEST = max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("v[0-9]*.py"))
"""The schema that this program needs."""
ADMIN = "cluster-admin"
USER = "gridwarden"
PASSWORD = 'o\'brien \\ "pass" %40 口令'
"""What `USER` shows: nothing that an address could hold as it is."""


def _bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.fail("no PostgreSQL server here (Debian package: postgresql)")
    return Path(on_path).parent


def _as_postgres(command: list[str]) -> list[str]:
    if os.geteuid():
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", *command]


@dataclass
class Cluster:
    """A running server; `kill` and `start` break and mend it on the same port and files."""

    folder: Path
    port: int
    secrets: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    made: int = 0

    @property
    def login(self) -> Login:
        """What gets `USER` in."""
        return Login(password_file=self.secrets / "operations")

    def start(self, *options: str) -> None:
        """Start it and wait until it lets somebody in; `options` as on its command line."""
        command = [
            str(_bin() / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
            "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1", *options,
        ]  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(_as_postgres(command), stdout=log, stderr=log, cwd="/")
        wait_until(self._answers, "PostgreSQL lets somebody in")

    def stop(self) -> None:
        """End it at once but in good order: every session is cut."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would: what is not on the disk is gone."""
        self._end(signal.SIGQUIT)

    def url(self, database: str, host: str = "127.0.0.1") -> str:
        """Where `database` is, for `USER`."""
        return f"postgresql://{USER}@{host}:{self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """The same through the Unix socket."""
        return f"postgresql://{USER}@:{self.port}/{database}?host={self.folder}"

    def new_database(self, template: str = "template0", locale: str = "") -> str:
        """Make a database that belongs to `USER`; its name."""
        self.made += 1
        name = f"operations_{self.made}"
        sorted_by = f" LOCALE_PROVIDER icu ICU_LOCALE '{locale}'" if locale else ""
        self.run(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {template} ENCODING 'UTF8'{sorted_by}")
        return name

    def drop(self, database: str) -> None:
        """Remove a database and whoever is in it."""
        self.run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def store(self, database: str) -> OperationsStore:
        """A store on `database`."""
        return OperationsStore(self.url(database), self.login)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What `statement` gives, asked by the cluster's administrator."""
        with psycopg.connect(
            host=str(self.folder), port=self.port, user=ADMIN, dbname=database, autocommit=True
        ) as admin:
            cursor = admin.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError((self.folder / "server.log").read_text(errors="replace"))
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.process = None


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A new cluster with the role `USER`; passwords by scram, but for its administrator on the socket."""
    with tempfile.TemporaryDirectory(prefix="gridwarden-postgres-") as made:
        folder = Path(made)
        if not os.geteuid():
            shutil.chown(folder, "postgres", "postgres")
        initdb = [
            str(_bin() / "initdb"), "-D", str(folder / "data"), "-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync",
        ]  # fmt: skip
        done = subprocess.run(_as_postgres(initdb), capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stderr
        (folder / "data" / "pg_hba.conf").write_text(
            f'local all "{ADMIN}" trust\nlocal all all scram-sha-256\n'
            "hostssl all all 127.0.0.1/32 scram-sha-256\nhostnossl all all 127.0.0.1/32 scram-sha-256\n"
        )
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write("shared_buffers = 32MB\nmax_wal_size = 256MB\nautovacuum = off\nfsync = off\n")
        secrets = folder / "secrets"
        write_secret(secrets / "operations", PASSWORD)
        cluster = Cluster(folder, *free_ports(1), secrets)
        cluster.start()
        try:
            quoted = PASSWORD.replace("'", "''")
            cluster.run(f"CREATE ROLE {USER} LOGIN PASSWORD '{quoted}'")
            yield cluster
        finally:
            cluster.stop()
