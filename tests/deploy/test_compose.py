"""The containers: understood by Compose, as closed as they say, of commands that exist; doors are locked.

No engine that runs containers is needed: Compose reads the file, and the programs in the images are the ones
that Debian has.
"""

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.config import GatewayConfig
from tests.conftest import MOSQUITTO, ServerProcess, free_port, wait_until
from tests.deploy.containers import Host, rehearsed
from tests.stand_in import StandIn

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = [name for name, service in SERVICES.items() if service["image"].startswith("gridwarden:")]
ONCE = {"setup"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return rehearsed(tmp_path_factory.mktemp("host"))


def test_compose_understands_it(host: Host) -> None:
    command = ["docker-compose"]
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        command = ["docker", "compose"]
    done = subprocess.run(
        [*command, "-f", "compose.yaml", "config"],
        cwd=host.deploy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = yaml.safe_load(done.stdout)
    assert set(told["services"]) == set(SERVICES)
    assert "WARNING" not in done.stderr, "every variable has a value of its own"


def test_there_is_one_way_in() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["front"]
    others = {service["network_mode"] for name, service in SERVICES.items() if name != "front"}
    assert others == {"service:front"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_watched_and_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":\d+\.\d+|:\$\{GRIDWARDEN_VERSION:-\d+\.\d+\.\d+\}$", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert ("healthcheck" in service) != (name in OWN and name not in ONCE), "ours have the image's"
    if name in OWN:
        assert service["read_only"] is True
        assert service["user"] == "10001:10001"


def test_the_cores_folder_is_the_cores_alone() -> None:
    holders = {
        name
        for name, service in SERVICES.items()
        for volume in service.get("volumes", ())
        if volume.startswith("gridwarden:")
    }
    assert holders == {"nats", "setup", "ingest", "gateway"}


def test_each_secret_is_made_by_prepare_and_used(host: Host) -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    for secret in used:
        assert (host.secrets / secret).read_text().strip(), secret


@pytest.mark.parametrize("name", sorted(set(OWN) - ONCE))
def test_a_service_runs_a_command_with_options_that_exist(name: str) -> None:
    command, *words = SERVICES[name]["command"]
    shown = subprocess.run(
        [sys.executable, "-m", "gridwarden", command, "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "200", "NO_COLOR": "1"},
    ).stdout  # fmt: skip
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", shown), f"{name}: {option}"


def test_the_cores_configuration_is_valid() -> None:
    config = GatewayConfig.model_validate(yaml.safe_load((DEPLOY / "compose" / "gateway.yaml").read_text()))
    assert config.operations is not None
    assert config.influx is not None


def test_secrets_are_made_once_each_for_whoever_reads_it(host: Host) -> None:
    before = {path.name: path.read_text() for path in host.secrets.iterdir()}
    assert {path.stat().st_mode & 0o777 for path in host.secrets.iterdir()} == {0o600}
    assert host.secrets.stat().st_mode & 0o777 == 0o700
    again = host.prepare()
    assert "+" not in again
    assert {path.name: path.read_text() for path in host.secrets.iterdir()} == before
    owners = dict(reversed(line.split()) for line in host.owners.read_text().splitlines())
    assert owners[".mosquitto-users.new"] == "1883:1883"
    assert owners[".postgres.new"] == "10001:10001"
    assert owners[".console-users.new"] == "0:0"


# ------------------------------------------------------------------------------------------ the doors


class Upstream(StandIn):
    """Says who it is and how it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        text = f"{self.name} {handler.path}".encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)


@pytest.fixture
def front(host: Host, tmp_path: Path) -> Iterator[httpx.Client]:
    console, grafana = Upstream("console"), Upstream("grafana")
    port = free_port()
    text = (host.deploy / "compose" / "Caddyfile").read_text()
    for before, after in (
        ("/run/secrets", str(host.secrets)),
        ("127.0.0.1:8420", console.url.removeprefix("http://")),
        ("127.0.0.1:3000", grafana.url.removeprefix("http://")),
        ("{$GRIDWARDEN_HOST:localhost}", f"localhost:{port}"),
        ("admin off", f"admin off\n\thttp_port {free_port()}\n\tauto_https disable_redirects"),
    ):
        assert before in text
        text = text.replace(before, after)
    config = tmp_path / "Caddyfile"
    config.write_text(text)
    caddy = shutil.which("caddy")
    assert caddy is not None, "no caddy here (Debian package: caddy)"
    server = ServerProcess(
        [
            "env", f"XDG_DATA_HOME={tmp_path / 'data'}", f"HOME={tmp_path}",
            caddy, "run", "--config", str(config), "--adapter", "caddyfile",
        ],
        port, tmp_path, "",
    )  # fmt: skip
    server.start()
    authority = tmp_path / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    wait_until(authority.exists, "Caddy has its authority")
    trusted = ssl.create_default_context(cafile=authority)
    with httpx.Client(base_url=f"https://localhost:{port}", verify=trusted) as client:
        wait_until(lambda: _answers(client), "Caddy has its certificate")
        yield client
    server.stop()
    console.close()
    grafana.close()


def _answers(client: httpx.Client) -> bool:
    try:
        client.get("/")
    except httpx.ConnectError:
        return False
    return True


def test_nobody_sees_the_console_without_a_login(front: httpx.Client, host: Host) -> None:
    for path in ("/", "/api/v1/overview", "/metrics", "/docs", "/grafana"):
        assert front.get(path).status_code == 401, path
    login = ("officer", (host.secrets / "console-password").read_text().strip())
    assert front.get("/api/v1/overview", auth=login).text == "console /api/v1/overview"
    assert front.get("/", auth=("officer", "guessed")).status_code == 401


def test_grafana_has_its_own_login(front: httpx.Client) -> None:
    assert front.get("/grafana/login").text == "grafana /grafana/login"


def test_the_broker_lets_in_who_knows_the_password(host: Host, tmp_path: Path) -> None:
    assert MOSQUITTO is not None
    port = free_port()
    text = (host.deploy / "compose" / "mosquitto.conf").read_text()
    for before, after in (
        ("listener 1883", f"listener {port}"),
        ("/run/secrets", str(host.secrets)),
        ("/mosquitto/data/", f"{tmp_path}/"),
    ):
        assert before in text
        text = text.replace(before, after)
    config = tmp_path / "mosquitto.conf"
    config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    server = ServerProcess([MOSQUITTO, "-c", str(config)], port, tmp_path, "")
    server.start()

    def published(*login: str) -> int:
        return subprocess.run(
            ["mosquitto_pub", "-p", str(port), "-t", "a", "-m", "1", *login], capture_output=True, check=False
        ).returncode

    password = (host.secrets / "mosquitto-edge").read_text().strip()
    assert published("-u", "edge", "-P", password) == 0
    assert published("-u", "edge", "-P", "guessed") != 0
    assert published() != 0
    server.stop()
