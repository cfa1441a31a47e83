"""Back up a running installation, lose the machine, put the backup on another one."""

import os
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from supervision.ports import free_ports
from tests.acceptance.conftest import Installation


def kill_everything(house: Installation) -> None:
    """As a power cut would."""
    assert house.process is not None
    victims = [*house.children().values()]
    os.kill(house.process.pid, signal.SIGKILL)
    for victim in victims:
        if victim.is_running():
            victim.kill()
    house.process.wait()
    house.process = None
    house.wait(lambda: not any(victim.is_running() for victim in victims), "nothing runs any more")


@pytest.mark.timeout(400)
def test_a_machine_is_lost_and_its_backup_goes_on_elsewhere(
    installation: Callable[..., Installation], tmp_path: Path
) -> None:
    house = installation("--devices", "150", "--scenario", "kitchen-fire").start()
    house.wait(lambda: house.get("cases", category="fire")["items"], "the kitchen fire is a case", 90)
    house.wait(lambda: house.get("books")["stored"] > 300, "readings are stored")
    stored = house.get("books")["stored"]
    cases = {case["number"] for case in house.get("cases")["items"]}
    archive = tmp_path / "monday.tar.gz"
    told = house.command("backup", str(archive), "--data", str(house.data), "--with-secrets").stdout
    assert "Passwords and keys are in it" in told
    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as tar:
        assert not any("outbox.db" in name for name in tar.getnames())
    house.wait(lambda: house.get("books")["stored"] > stored + 100, "it goes on meanwhile and afterwards")
    kill_everything(house)

    there = tmp_path / "elsewhere" / "var"
    assert "is sound" in house.command("backup", "--verify", str(archive)).stdout
    told = house.command("restore", str(archive), "--data", str(there)).stdout
    assert f"gridwarden up --data {there}" in told
    refused = house.command("restore", str(archive), "--data", str(there), check=False)
    assert refused.returncode == 1
    assert "is there already" in refused.stderr
    assert str(house.data) not in "".join(path.read_text() for path in (there / "site").rglob("*.yaml"))
    for name in ("nats-core", "enrolments.json"):
        assert (there / "run/secrets" / name).read_text() == (house.data / "run/secrets" / name).read_text()

    new = Installation(there, ["--scenario", "quiet-day"], ports=[*free_ports(2), house.mqtt_port])
    try:
        new.start()
        assert {case["number"] for case in new.get("cases", limit=200)["items"]} >= cases
        assert new.get("books")["stored"] >= stored
        running = house.command("restore", str(archive), "--data", str(there), "--force", check=False)
        assert running.returncode == 1
        assert "it runs here" in running.stderr
        before = new.get("books")["stored"]
        new.wait(lambda: new.get("books")["stored"] > before, "the edges are heard again")
        new.wait(lambda: new.books()["balanced"], "the books balance", 90)
        assert new.stop() == 0, new.output
    finally:
        if new.process is not None:
            new.process.kill()
            new.process.wait()


def test_an_installation_that_does_not_run_is_backed_up_and_damage_is_refused(
    installation: Callable[..., Installation], tmp_path: Path
) -> None:
    house = installation("--devices", "20", "--no-simulators").start()
    house.wait(lambda: house.get("books")["stored"] > 0, "something is stored")
    assert house.stop() == 0, house.output
    folder = tmp_path / "backup"
    assert (
        "No password and no key is in it"
        in house.command("backup", str(folder), "--data", str(house.data)).stdout
    )
    assert not (folder / "secrets").exists()
    again = house.command("backup", str(folder), "--data", str(house.data), check=False)
    assert again.returncode == 2
    content = bytearray((folder / "core/ledger.db").read_bytes())
    content[5000] ^= 1
    (folder / "core/ledger.db").write_bytes(content)
    for arguments in (
        ("backup", "--verify", str(folder)),
        ("restore", str(folder), "--data", str(tmp_path / "x")),
    ):
        refused = house.command(*arguments, check=False)
        assert refused.returncode == 1
        assert "core/ledger.db in it is damaged (wrong checksum)" in refused.stderr
    assert not (tmp_path / "x").exists()


def test_where_nothing_is_there_is_nothing_to_back_up(
    installation: Callable[..., Installation], tmp_path: Path
) -> None:
    done = installation().command("backup", str(tmp_path / "b.tar"), "--data", str(tmp_path), check=False)
    assert done.returncode == 2
    assert "There is no installation here" in done.stderr
    assert [*tmp_path.iterdir()] == []
