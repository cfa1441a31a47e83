"""The NATS server as our child: users, locks, ports, and that it never outlives us."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import psutil
import pytest
from nats.aio.msg import Msg

from ingest.bus import Bus, BusUnavailable
from ingest.nats_config import ServerPorts
from ingest.nats_files import ServerError
from ingest.nats_server import NatsServer, find_server, server_version
from tests.conftest import free_port, wait_until


def ports() -> ServerPorts:
    return ServerPorts(client=free_port(), mqtt=free_port(), monitor=free_port())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path / "nats", tmp_path / "secrets", ports())
    server.start()
    yield server
    server.stop()


async def test_the_core_may_use_streams_and_they_survive_a_restart(server: NatsServer) -> None:
    async with await Bus.connect(server.url, server.credentials("core")) as bus:
        await bus.ensure_streams()
        await bus.publish("samples.0.e.alarm", b"1", "e:alarm:1")
    server.stop()
    server.start()
    async with await Bus.connect(server.url, server.credentials("core")) as bus:
        assert (await bus.jetstream.stream_info("SAMPLES_ALARM")).state.messages == 1


async def test_a_stranger_is_refused(server: NatsServer) -> None:
    with pytest.raises(BusUnavailable, match="Authorization"):
        await Bus.connect(server.url, patience=1)


async def test_a_password_opens_its_own_port_only(server: NatsServer) -> None:
    with pytest.raises(BusUnavailable, match="Authorization"):
        await Bus.connect(server.url, server.credentials("mqtt"), patience=1)
    core = server.credentials("core")
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(
            "127.0.0.1", server.ports.mqtt, username=core.user, password=core.password, timeout=5
        ):
            pass


async def test_mqtt_devices_talk_to_each_other_but_not_to_the_bus(server: NatsServer) -> None:
    credentials = server.credentials("mqtt")
    async with await Bus.connect(server.url, server.credentials("core")) as core:
        await core.ensure_streams()
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(message.subject)

        for subject in ("core.>", "_INBOX.e.>"):
            await core._client.subscribe(subject, cb=hear)
        async with aiomqtt.Client(
            "127.0.0.1",
            server.ports.mqtt,
            username=credentials.user,
            password=credentials.password,
            identifier="device",
        ) as client:
            await client.subscribe("zigbee2mqtt/#", qos=1)
            await client.publish("zigbee2mqtt/kitchen", b'{"smoke":true}', qos=1)
            async with asyncio.timeout(10):
                message = await anext(aiter(client.messages))
            assert message.payload == b'{"smoke":true}'
            for topic in ("samples/0/e/alarm", "core/ingest/0/command", "_INBOX/e/1"):
                await client.publish(topic, b"forged", qos=0)
            await client.publish("zigbee2mqtt/after", b"", qos=1)
        assert (await core.jetstream.stream_info("SAMPLES_ALARM")).state.last_seq == 0
        assert heard == []


def test_secrets_are_for_this_user_only(server: NatsServer, tmp_path: Path) -> None:
    server.credentials("core")
    for path in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_it_listens_on_the_loopback_interface_only(server: NatsServer) -> None:
    assert server.pid is not None
    listening = [c for c in psutil.Process(server.pid).net_connections() if c.status == "LISTEN"]
    assert {c.laddr.port for c in listening} == set(vars(server.ports).values())
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_a_second_server_on_one_store_is_refused(server: NatsServer, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=f"another NATS server is using .* \\(process {os.getpid()}\\)"):
        NatsServer(tmp_path / "nats", tmp_path / "secrets", ports()).start()


def test_a_taken_port_is_named(server: NatsServer, tmp_path: Path) -> None:
    taken = ServerPorts(client=free_port(), mqtt=server.ports.client, monitor=free_port())
    with pytest.raises(ServerError, match=rf"port {server.ports.client} \(mqtt\)"):
        NatsServer(tmp_path / "other", tmp_path / "secrets", taken).start()


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats", tmp_path / "secrets", ports(), max_store=-5)
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "jetstream").write_text("a file where a folder must be")
    with pytest.raises(ServerError, match="ended at once"):
        server.start()
    assert server.pid is None


def test_it_does_not_outlive_a_killed_parent_and_keeps_the_store_until_it_is_gone(tmp_path: Path) -> None:
    numbers = ports()
    program = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from ingest.nats_config import ServerPorts
        from ingest.nats_server import NatsServer
        server = NatsServer(Path({str(tmp_path / "nats")!r}), Path({str(tmp_path / "secrets")!r}),
                            ServerPorts{tuple(vars(numbers).values())!r})
        server.start()
        print(server.pid, flush=True)
        time.sleep(60)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not psutil.pid_exists(child), "the server has ended too")
    again = NatsServer(tmp_path / "nats", tmp_path / "secrets", numbers)
    again.start()
    again.stop()


def test_an_installed_server_wins_when_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = find_server()
    assert server_version(bundled) >= (2, 10)
    installed = tmp_path / "nats-server"
    installed.write_text("#!/bin/sh\necho 'nats-server: v2.11.3-RC.1'\n")
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert find_server() == installed
    installed.write_text("#!/bin/sh\necho 'nats-server: v2.9.25'\n")
    assert find_server() == bundled
