"""``gridwarden bus``: ready when NATS is, silent when NATS hangs, ended when NATS ends."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from links.folder import Link
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


def test_it_lets_boxes_in_and_agents_of_its_own_machine(tmp_path: Path) -> None:
    environment = {**os.environ, "GRIDWARDEN_LANG": "en"}
    words = [*command(tmp_path), "--listen", "127.0.0.1"]
    at = ["--secrets", str(tmp_path / "secrets")]

    def enrol(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gridwarden", "enrol", *arguments], env=environment, cwd=tmp_path,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    assert "does not run" in enrol("east", *at).stderr
    with (tmp_path / "bus.log").open("wb") as log:
        bus = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
    try:
        wait_until((tmp_path / "secrets" / "bus.json").exists, "the bus runs", 30)
        here = enrol("west", "--here", "--data", "edges", *at)
        assert here.returncode == 0, here.stderr
        assert Link.read(tmp_path / "edges" / "west" / "link", "west").url.startswith("tls://127.0.0.1:")
        invited = enrol("east", *at)
        token = re.search(r"gw1\.\S+", invited.stdout)
        assert token is not None, invited.stderr
        redeemed = enrol("--redeem", token[0], "--data", "box")
        assert redeemed.returncode == 0, redeemed.stderr + (tmp_path / "bus.log").read_text()
        listed = enrol("--list", *at).stdout
        assert re.search(r"east +enrolled", listed)
        assert re.search(r"west +enrolled", listed)
        wrong = enrol("--revoke", "eats", *at)
        assert "did you mean `east`?" in wrong.stderr
        assert "is shut out. The message bus has it." in enrol("--revoke", "east", *at).stdout
        assert "does not know this token" in enrol("--redeem", token[0], "--data", "box2").stderr
    finally:
        bus.send_signal(signal.SIGTERM)
        assert bus.wait(30) == 0
