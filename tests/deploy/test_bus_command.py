"""``gridwarden bus``: ready when NATS is, silent when NATS hangs, ended when NATS ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from supervision import EXIT_IN_USE
from tests.conftest import free_port, wait_until
from tests.supervision.notify_socket import NotifySocket, with_notify


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[NotifySocket]:
    made = NotifySocket(tmp_path, watchdog=2)
    yield made
    made.close()


def command(folder: Path) -> list[str]:
    ports = [str(free_port()) for _ in range(3)]
    return [
        sys.executable, "-m", "gridwarden", "bus", "--store", str(folder / "nats"),
        "--secrets", str(folder / "secrets"), "--port", ports[0], "--mqtt-port", ports[1],
        "--monitor-port", ports[2],
    ]  # fmt: skip


@pytest.fixture
def bus(tmp_path: Path, manager: NotifySocket) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "bus.log").open("wb") as log:
        process = subprocess.Popen(command(tmp_path), env=with_notify(manager), stdout=log, stderr=log)
    assert manager.wait_for("READY=1") == process.pid
    yield process
    process.kill()
    process.wait()


def server_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    (server,) = psutil.Process(process.pid).children()
    return server


def test_it_lives_as_long_as_the_server_answers(
    bus: subprocess.Popen[bytes], manager: NotifySocket, tmp_path: Path
) -> None:
    manager.wait_for("WATCHDOG=1", more_than=2)
    server = server_of(bus)
    server.suspend()
    wait_until(
        lambda: "does not move any more: NATS server" in (tmp_path / "bus.log").read_text(), "it is missed"
    )
    silent = manager.count("WATCHDOG=1")
    server.resume()
    manager.wait_for("WATCHDOG=1", more_than=silent)
    bus.send_signal(signal.SIGTERM)
    assert bus.wait(30) == 0
    assert manager.receive()[-1][1] == "STOPPING=1"
    assert not server.is_running()


def test_it_ends_when_the_server_ends(bus: subprocess.Popen[bytes]) -> None:
    server_of(bus).kill()
    assert bus.wait(30) == 1


def test_the_server_does_not_outlive_it(bus: subprocess.Popen[bytes]) -> None:
    server = server_of(bus)
    bus.kill()
    bus.wait()
    wait_until(lambda: not server.is_running(), "the server has ended too")


def test_a_second_one_on_the_same_folder_is_refused_by_name(
    bus: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    second = subprocess.run(
        command(tmp_path), capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "GRIDWARDEN_LANG": "en"},
    )  # fmt: skip
    assert second.returncode == EXIT_IN_USE
    assert f"(process {bus.pid})" in second.stderr
