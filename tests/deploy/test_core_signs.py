"""Ingest and gateway tell their service manager that they work, from the loops that do the work."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import nats
import pytest
import yaml

from readings import Lane, ReadingBatch, Sample, SampleBatch, wire
from readings.subjects import readings_subject, samples_subject
from tests.conftest import ServerProcess, free_port, wait_until
from tests.supervision.notify_socket import NotifySocket, with_notify

HANGS = """
import runpy, sys, time
from pathlib import Path
from {module} import {owner} as owner

method, hangs = owner.{method}, Path(__file__).with_name("hangs")

def hang(self, *arguments):
    while hangs.exists():
        time.sleep(0.05)
    return method(self, *arguments)

owner.{method} = hang
runpy.run_module("gridwarden", run_name="__main__")
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[NotifySocket]:
    made = NotifySocket(tmp_path, watchdog=4)
    yield made
    made.close()


class Part:
    """One process of a core, whose `method` hangs while the file `hangs` is there."""

    def __init__(self, folder: Path, role: str, where: tuple[str, str, str], bus: str) -> None:
        module, owner, method = where
        script, config = folder / f"hanging_{role}.py", folder / "gateway.yaml"
        script.write_text(textwrap.dedent(HANGS).format(module=module, owner=owner, method=method))
        document = {
            "site": str(folder / "site"),
            "data": str(folder / "core"),
            "bus": {"url": bus, "alarm_bytes": 1 << 24, "telemetry_bytes": 1 << 24},
            "web": {"port": free_port()},
        }
        config.write_text(yaml.safe_dump(document))
        self.command = [sys.executable, str(script), role, "--config", str(config)]
        self.hangs = folder / "hangs"
        self._log = folder / f"{role}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self, manager: NotifySocket) -> None:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(self.command, env=with_notify(manager), stdout=log, stderr=log)
        wait_until(
            lambda: self.process.poll() is not None or manager.count("READY=1") > 0,  # type: ignore[union-attr]
            "it is ready",
            60,
        )
        assert self.process.poll() is None, self.log


@pytest.fixture
def part(tmp_path: Path, nats_server: ServerProcess) -> Iterator[Callable[..., Part]]:
    made: list[Part] = []

    def make(role: str, *where: str) -> Part:
        subprocess.run(
            [sys.executable, "-m", "gridwarden", "community", str(tmp_path / "site"), "--devices", "20"],
            check=True,
            capture_output=True,
        )
        module, owner, method = where
        made.append(Part(tmp_path, role, (module, owner, method), nats_server.url))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None:
            each.process.kill()
            each.process.wait()


async def publish(server: ServerProcess, subject: str, payload: bytes) -> None:
    client = await nats.connect(server.url)
    await client.jetstream().publish(subject, payload, headers={"Nats-Msg-Id": "binhu-east:alarm:1"})
    await client.close()


def hangs_and_comes_back(part: Part, manager: NotifySocket, missed: str) -> None:
    """What must be seen from the moment at which the process has something to do."""
    wait_until(lambda: f"does not move any more: {missed}" in part.log, f"{missed} is missed", 60)
    silent = manager.count("WATCHDOG=1")
    part.hangs.unlink()
    manager.wait_for("WATCHDOG=1", more_than=silent)
    assert part.process is not None
    part.process.terminate()
    assert part.process.wait(30) == 0, part.log
    assert manager.receive()[-1][1] == "STOPPING=1"


async def test_ingest_lives_while_it_waits_and_is_silent_when_its_ledger_hangs(
    part: Callable[..., Part], manager: NotifySocket, nats_server: ServerProcess
) -> None:
    ingest = part("ingest", "ingest.ledger", "Ledger", "commit")
    ingest.start(manager)
    manager.wait_for("WATCHDOG=1", more_than=4)  # with nothing to do
    ingest.hangs.touch()
    sample = Sample("z2m/nobody", "smoke", True, 1)
    batch = SampleBatch("binhu-east", Lane.ALARM, 1, (sample,))
    await publish(nats_server, samples_subject("binhu-east", Lane.ALARM), wire.encode(batch))
    hangs_and_comes_back(ingest, manager, "normaliser, alarm")


async def test_the_gateway_is_ready_when_it_answers_and_silent_when_its_database_hangs(
    part: Callable[..., Part], manager: NotifySocket, nats_server: ServerProcess
) -> None:
    gateway = part("gateway", "cases.store", "OperationsStore", "transaction")
    gateway.start(manager)
    manager.wait_for("WATCHDOG=1", more_than=2)
    gateway.hangs.touch()
    batch = ReadingBatch("binhu-east", Lane.ALARM, 1, ())
    await publish(nats_server, readings_subject(Lane.ALARM), wire.encode(batch))
    hangs_and_comes_back(gateway, manager, "rules")
