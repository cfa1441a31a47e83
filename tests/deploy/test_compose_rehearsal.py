"""The whole installation of ``deploy/compose.yaml`` with this machine's programs in place of its images.

Broker, bus, InfluxDB and PostgreSQL are the real ones, and every service runs the command and reads the files
that it has in its container; only paths and ports are this test's. What containers add (namespaces, users) is
Compose's business.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
import yaml

from tests.conftest import MOSQUITTO, ServerProcess, free_port, influxdb, wait_until
from tests.deploy.containers import Host, rehearsed
from tests.postgres import ADMIN, Cluster

GRIDWARDEN = Path(sys.executable).with_name("gridwarden")
ROLE = "gridwarden_compose"
"""The role and the database, in a cluster that other tests use, too."""
SERVICES = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "compose.yaml").read_text())["services"]


@dataclass
class Machine:
    """One machine; `moved` says where things are that have a fixed place in containers."""

    host: Host
    folder: Path
    moved: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def place(self, text: str) -> str:
        """`text` with this machine's places and ports."""
        for before, after in self.moved.items():
            text = text.replace(before, after)
        return text

    def start(self, service: str) -> None:
        """Start one of our own services as its container would."""
        command = " ".join(map(self.place, SERVICES[service]["command"])).split()
        with (self.folder / f"{service}.log").open("ab") as log:
            self.running[service] = subprocess.Popen(
                [
                    sys.executable, "-m", "supervision.watched", "--alive", str(self.alive(service)),
                    str(GRIDWARDEN), *command,
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(lambda: self.alive(service).exists() or self._ended(service), f"{service} is ready", 90)

    @property
    def broker_port(self) -> str:
        """Where devices reach the broker."""
        return self.moved["listener 1883"].removeprefix("listener ")

    def alive(self, service: str) -> Path:
        """What its health check looks at."""
        return self.folder / f"{service}.alive"

    def run(self, script: str, **environment: str) -> str:
        """Run a script of the folder to its end; what it says."""
        text = self.place((self.host.deploy / "compose" / script).read_text())
        path = self.folder / script
        path.write_text(text)
        path.chmod(0o755)
        tools = f"{GRIDWARDEN.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [str(path)], capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": tools, **environment},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> None:
        """Stop what runs, the edge first."""
        for service in reversed([*self.running]):
            process = self.running.pop(service)
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def _ended(self, service: str) -> bool:
        code = self.running[service].poll()
        assert code is None, f"{service} ended ({code}):\n{(self.folder / f'{service}.log').read_text()}"
        return False


@pytest.fixture
def machine(tmp_path: Path, postgres: Cluster) -> Iterator[Machine]:
    assert MOSQUITTO is not None
    host = rehearsed(tmp_path)
    ports = {number: free_port() for number in (1883, 4222, 8222, 8420)}
    with ExitStack() as stack:
        influx = stack.enter_context(influxdb(tmp_path / "influx", administrator=False))
        moved = {
            "/opt/gridwarden/deploy": str(host.deploy),
            "/var/lib/gridwarden": str(tmp_path / "var"),
            "/run/secrets": str(host.secrets),
            "/etc/gridwarden": str(tmp_path / "etc"),
            " /provisioning": f" {tmp_path / 'provisioning'}",
            "/mosquitto/data": str(tmp_path / "broker"),
            "127.0.0.1:8086": influx.url.removeprefix("http://"),
            "gridwarden@127.0.0.1/gridwarden": f"{ROLE}@127.0.0.1:{postgres.port}/{ROLE}",
            "ROLE gridwarden": f"ROLE {ROLE}",
            "DATABASE gridwarden OWNER gridwarden": f"DATABASE {ROLE} OWNER {ROLE}",
            "ON DATABASE gridwarden": f"ON DATABASE {ROLE}",
            "127.0.0.1:4222": f"127.0.0.1:{ports[4222]}",
            "127.0.0.1:8420": f"127.0.0.1:{ports[8420]}",
            "port: 8420": f"port: {ports[8420]}",
            "listener 1883": f"listener {ports[1883]}",
            "--mqtt-port=0": f"--mqtt-port=0 --port={ports[4222]} --monitor-port={ports[8222]}",
            "--listen=0.0.0.0": "--listen=127.0.0.1",
            "${GRIDWARDEN_HOST:-localhost}": "localhost",
            "${GRIDWARDEN_EDGE:-binhu-east}": "binhu-east",
        }
        made = Machine(host, tmp_path, moved)
        for name in ("var", "etc", "broker"):
            (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / "etc" / "gateway.yaml").write_text(
            made.place((host.deploy / "compose" / "gateway.yaml").read_text())
        )
        broker = tmp_path / "mosquitto.conf"
        broker.write_text(
            made.place((host.deploy / "compose" / "mosquitto.conf").read_text())
            + ("user root\n" if os.geteuid() == 0 else "")
        )
        server = ServerProcess([MOSQUITTO, "-c", str(broker)], ports[1883], tmp_path, "")
        server.start()
        stack.callback(server.stop)
        stack.callback(made.stop)
        yield made


def site_of(machine: Machine) -> Path:
    """A site whose edge listens to the broker with the password that was made for it."""
    site = machine.folder / "etc" / "site"
    subprocess.run(
        [str(GRIDWARDEN), "community", str(site), "--devices", "20"], check=True, capture_output=True
    )
    for file in (site / "edges").glob("*.yaml"):
        wiring = yaml.safe_load(file.read_text())
        for connection in wiring["connections"]:
            if "broker" in connection["settings"]:
                connection["settings"] |= {
                    "broker": f"mqtt://127.0.0.1:{machine.broker_port}",
                    "username": "edge",
                    "password_file": str(machine.host.secrets / "mosquitto-edge"),
                }
        file.write_text(yaml.safe_dump(wiring, allow_unicode=True))
    return site


@pytest.mark.timeout(300)
def test_a_smoke_message_at_the_broker_becomes_a_case_behind_the_gateway(
    machine: Machine, postgres: Cluster
) -> None:
    site_of(machine)
    machine.run(
        "postgres-init", POSTGRES_USER=ADMIN, POSTGRES_DB="postgres",
        PGHOST=str(postgres.folder), PGPORT=str(postgres.port),
    )  # fmt: skip
    machine.start("nats")
    told = machine.run("setup", GRIDWARDEN_EDGE="binhu-east", GRIDWARDEN_HOST="localhost")
    assert "gridwarden" in told
    provisioning = machine.folder / "provisioning"
    assert (provisioning / "alerting" / "gridwarden.yaml").exists()
    source = yaml.safe_load((provisioning / "datasources" / "gridwarden.yaml").read_text())["datasources"][0]
    inside = source["secureJsonData"]["password"].removeprefix("$__file{").removesuffix("}")
    password_file = provisioning / Path(inside).relative_to("/etc/grafana/provisioning")
    assert password_file.stat().st_mode & 0o777 == 0o600
    assert password_file.read_text().strip()
    again = machine.run("setup", GRIDWARDEN_EDGE="binhu-east", GRIDWARDEN_HOST="localhost")
    assert "+" not in again, "what is there stays"
    for service in ("ingest", "gateway", "edge"):
        machine.start(service)

    with httpx.Client(base_url=f"http://{machine.moved['127.0.0.1:8420']}/api/v1") as api:
        device = next(
            one["id"]
            for one in api.get("/devices", params={"device_class": "smoke", "limit": 500}).json()["items"]
            if one["edge"] == "binhu-east"
        )
        password = (machine.host.secrets / "mosquitto-edge").read_text().strip()

        def a_case() -> bool:
            subprocess.run(
                [
                    "mosquitto_pub", "-p", machine.broker_port, "-u", "edge", "-P", password, "-q", "1",
                    "-t", f"zigbee2mqtt/binhu-east/{device.removesuffix('-smoke')}/smoke",
                    "-m", '{"smoke":true,"battery":91}',
                ],
                check=True,
            )  # fmt: skip
            return bool(api.get("/cases").json()["total"])

        wait_until(a_case, "a case", 60)
        secret = (machine.host.secrets / "grafana-hook").read_text().strip()
        heard = api.post(
            "/watchers/grafana",
            json={
                "alerts": [
                    {
                        "status": "firing",
                        "labels": {"alertname": "Disk"},
                        "startsAt": "2026-11-30T12:00:00Z",
                        "fingerprint": "1a2b",
                    }
                ]
            },
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert heard.status_code == 200, heard.text
        assert api.get("/health").json()["status"] != "down"
    with closing(
        psycopg.connect(host=str(postgres.folder), port=postgres.port, user=ADMIN, dbname=ROLE)
    ) as connection:
        (count,) = connection.execute("SELECT count(*) FROM cases").fetchone() or (0,)
    assert count, "cases are in PostgreSQL"
    machine.stop()
