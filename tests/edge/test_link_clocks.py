"""A box whose clock is wrong, on the real link: what it reads in 1970 is dated, decades ahead are told."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from nats.js.errors import NotFoundError

from ingest.bus import Bus
from ingest.nats_config import ServerPorts
from ingest.nats_server import NatsServer
from links.folder import own_key, write_link
from readings import Lane, Sample, wire
from readings.subjects import samples_stream
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
    yield server
    server.stop()


async def everything(core: NatsServer, lane: Lane, wanted: Callable[[Sample], bool]) -> list[Sample]:
    """The samples of `lane` in the core's stream, as soon as one of them is `wanted`."""
    async with await Bus.connect(core.url, core.credentials("core")) as bus:
        await bus.ensure_streams()
        found: list[Sample] = []
        at = 1
        async with asyncio.timeout(60):
            while not any(map(wanted, found)):
                try:
                    message = await bus.jetstream.get_msg(samples_stream(lane), at)
                except NotFoundError:
                    await asyncio.sleep(0.1)
                else:
                    at += 1
                    found += wire.decode_samples(message.data or b"").samples
        return found


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


async def test_a_box_without_a_clock_battery_dates_what_it_read_before_it_knew_the_time(
    core: NatsServer, start: Callable[[str], Path], tmp_path: Path
) -> None:
    began = time.time_ns()
    log = start("1970-01-01 00:00:20")
    outbox = tmp_path / "data" / "e1" / "outbox.db"
    await until(lambda: _waiting(outbox) >= 1, "it reads without a link and without the time")
    before = time.time_ns()
    core.start()

    def is_dated(sample: Sample) -> bool:
        return sample.point == "dated" and isinstance(sample.value, int) and sample.value > 0

    samples = await everything(core, Lane.TELEMETRY, is_dated)
    ended = time.time_ns()
    assert [s for s in samples if not began <= s.taken <= ended] == []
    assert samples[0].taken <= before, "what was read before the link has the time when it was read"
    assert "which cannot be" in log.read_text()
    assert "The core says that it is 20" in log.read_text()


async def test_its_alarms_have_true_times_too_once_there_is_a_core(
    core: NatsServer, start: Callable[[str], Path]
) -> None:
    began = time.time_ns()
    core.start()
    start("1970-01-01 00:00:20")
    samples = await everything(core, Lane.ALARM, lambda sample: sample.point == "clock_wrong")
    ended = time.time_ns()
    assert [s.value for s in samples if s.point == "clock_wrong"] == [True]
    assert [s for s in samples if not began <= s.taken <= ended] == []


async def test_a_clock_that_is_decades_ahead_is_named(core: NatsServer, start: Callable[[str], Path]) -> None:
    core.start()
    log = start("2070-01-01 00:00:20")
    await until(lambda: "clock is wrong: it says 2070-01-01 00:00" in log.read_text(), "it names the clock")


def _waiting(outbox: Path) -> int:
    if not outbox.exists():
        return 0
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as reader:
        try:
            (found,) = reader.execute("SELECT count(*) FROM batches WHERE lane = 'telemetry'").fetchone()
        except sqlite3.OperationalError:  # its tables are not made yet
            return 0
    return int(found)
