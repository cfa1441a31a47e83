"""A box whose clock is wrong, on the real link: 1970 does no harm, decades ahead are told."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from ingest.bus import Bus
from ingest.nats_config import ServerPorts
from ingest.nats_server import NatsServer
from links.folder import own_key, write_link
from tests.conftest import free_port
from tests.edge.conftest import ROOT, until, wire_up

FAKETIME = shutil.which("faketime")


@pytest.fixture
def core(tmp_path: Path) -> Iterator[NatsServer]:
    ports = ServerPorts(free_port(), 0, free_port())
    server = NatsServer(tmp_path / "nats", tmp_path / "secrets", ports, listen="127.0.0.1")
    folder = tmp_path / "data" / "e1" / "link"
    with server.files.register.change() as enrolments:
        enrolments.admit("e1", own_key(folder).public, time.time_ns())
    authority = server.files.authority().pem
    write_link(folder, "e1", server.url, authority_pem=authority, server_name=server.server_name)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def bus(core: NatsServer) -> AsyncIterator[Bus]:
    async with await Bus.connect(core.url, core.credentials("core")) as bus:
        await bus.ensure_streams()
        yield bus


@pytest.fixture
def start(tmp_path: Path, site: Path) -> Iterator[Callable[[str], Path]]:
    """Start an agent whose clock begins at the given moment; returns its log."""
    running: list[subprocess.Popen[bytes]] = []

    def make(moment: str) -> Path:
        if FAKETIME is None:
            pytest.fail("no faketime here (Debian package: faketime)")
        wire_up(site, "[]", "")
        log = tmp_path / "agent.log"
        with log.open("wb") as sink:
            command = [FAKETIME, "-f", f"@{moment}", sys.executable, "-m", "edge", str(site), "--id", "e1"]
            running.append(
                subprocess.Popen(
                    [*command, "--data", str(tmp_path / "data")], cwd=ROOT, stdout=sink, stderr=sink,
                    env={**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"},
                    start_new_session=True,
                )
            )  # fmt: skip
        return log

    yield make
    for process in running:
        os.killpg(process.pid, signal.SIGKILL)  # faketime starts the agent as a child of its own
        process.wait(20)


async def test_a_box_without_a_clock_battery_reaches_its_core(bus: Bus, start: Callable[[str], Path]) -> None:
    log = start("1970-01-01 00:00:20")
    stored = 0
    deadline = time.monotonic() + 40
    while not stored:
        assert time.monotonic() < deadline, log.read_text()
        stored = (await bus.jetstream.stream_info("SAMPLES_TELEMETRY")).state.messages


async def test_a_clock_that_is_decades_ahead_is_named(bus: Bus, start: Callable[[str], Path]) -> None:
    log = start("2070-01-01 00:00:20")
    await until(lambda: "clock is wrong: it says 2070-01-01 00:00" in log.read_text(), "it names the clock")
