"""The gateway's configuration refuses what would be open to others."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config import GatewayConfig
from gridwarden.commands.doctor import _links
from ingest.nats_config import ServerPorts
from ingest.nats_server import NatsServer
from ingest.opening import bus_credentials
from tests.conftest import free_port


def config(**parts: Any) -> GatewayConfig:
    return GatewayConfig.model_validate({"site": "site", "data": "data", **parts})


LOGIN = {"user": "core", "password_file": "secret"}


@pytest.mark.parametrize(
    ("bus", "objection"),
    [
        ({"url": "nats://10.0.0.5:4222", **LOGIN}, "would carry everything in clear text: use tls://"),
        ({"url": "nats://127.0.0.1:4222,nats://core:4222", **LOGIN}, "in clear text"),
        ({"url": "tls://core:4222"}, "leaves this machine: it needs credentials"),
        ({"url": "tls://core:4222", "user": "core"}, "needs credentials"),
        ({"url": "http://core"}, "no address of a message bus"),
    ],
)
def test_a_bus_on_another_machine_needs_tls_and_credentials(bus: dict[str, str], objection: str) -> None:
    with pytest.raises(ValidationError, match=objection):
        config(bus=bus)


def test_a_bus_on_this_machine_or_over_tls_is_taken() -> None:
    assert config().bus.url == "nats://127.0.0.1:4222"
    assert config(bus={"url": "tls://core:4222", **LOGIN}).bus.user == "core"


def test_a_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARDEN_BUS_PASSWORD", "hunter2hunter2")
    bus = config(bus={"url": "tls://core:4222", "user": "core"}).bus
    credentials = bus_credentials(bus)
    assert credentials.password == "hunter2hunter2"
    assert "hunter2" not in repr(credentials) + repr(bus)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "core.example.org", ""])
def test_the_console_listens_on_this_machine_only(host: str) -> None:
    with pytest.raises(ValidationError, match="not loopback"):
        config(web={"host": host})


@pytest.mark.parametrize(("listen", "told"), [("", "this machine only"), ("127.0.0.1", "lets 0 boxes in")])
def test_the_doctor_tells_who_may_come_in(tmp_path: Path, listen: str, told: str) -> None:
    ports = ServerPorts(free_port(), 0, free_port())
    server = NatsServer(tmp_path / "nats", tmp_path / "secrets", ports, listen=listen)
    assert list(_links(tmp_path / "secrets")) == []
    server.start()
    try:
        (finding,) = _links(tmp_path / "secrets")
    finally:
        server.stop()
    assert finding.verdict == "good"
    assert told in finding.what
