"""The systemd units: understood by systemd, hardened as it measures, and of commands that exist."""

import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
INSTALLED = "/opt/gridwarden/.venv/bin/gridwarden"
EXPOSURE = {"gridwarden-edge@.service": 16}
"""Tenths of systemd's exposure level that are allowed; an edge must reach its serial lines."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as on a machine where GridWarden is this checkout."""
    folder = tmp_path / "systemd"
    shutil.copytree(UNITS, folder)
    for unit in folder.glob("gridwarden*.*"):
        if unit.is_file():
            text = unit.read_text().replace(INSTALLED, str(Path(sys.executable).with_name("gridwarden")))
            unit.write_text(text.replace("/opt/gridwarden/", f"{ROOT}/"))
    return folder


def analyze(*arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_understands_every_line(units: Path) -> None:
    names = [str(units / name) for name in (*SERVICES, "gridwarden.target")]
    assert analyze("verify", *names) == ""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_cannot_do_what_it_never_does(service: str, units: Path) -> None:
    threshold = EXPOSURE.get(service, 12)
    told = analyze("security", "--offline=true", f"--threshold={threshold}", str(units / service))
    assert "Overall exposure level" in told


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_a_command_with_options_that_exist(service: str) -> None:
    command = re.sub(r"\s+", " ", section(UNITS / service)["ExecStart"]).split(" ")
    assert command[0] == INSTALLED
    shown = subprocess.run(
        [sys.executable, "-m", "gridwarden", command[1], "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "200", "NO_COLOR": "1"},
    ).stdout  # fmt: skip
    for option in (word for word in command if word.startswith("--")):
        assert re.search(rf"{option}\b", shown), f"{service}: {option}"


def test_every_service_is_started_with_the_target_and_speaks_with_systemd() -> None:
    common = section(UNITS / "gridwarden-.service.d" / "10-every-process.conf")
    assert common["Type"] == "notify"
    assert int(common["WatchdogSec"]) > 0
    assert common["Restart"] == "always"
    for service in SERVICES:
        assert section(UNITS / service, "Install")["WantedBy"] == "gridwarden.target"
        assert "Type" not in section(UNITS / service)
        assert "MemoryMax" in section(UNITS / service)


def test_only_an_edge_reaches_devices_and_only_serial_lines() -> None:
    for service in SERVICES:
        text = (UNITS / service).read_text()
        if service == "gridwarden-edge@.service":
            allowed = re.findall(r"^DeviceAllow=(\S+) rw$", text, re.MULTILINE)
            assert allowed
            assert all(re.fullmatch(r"char-tty[A-Z]+", device) for device in allowed)
        else:
            assert "DeviceAllow" not in text
            assert "PrivateDevices=yes" in text


def test_newer_versions_of_systemd_wait_longer_each_time() -> None:
    """Debian 12 knows these two settings not yet, so they are installed only where they are known."""
    newer = section(ROOT / "deploy/systemd-254/gridwarden-.service.d/20-back-off.conf")
    assert set(newer) == {"RestartSteps", "RestartMaxDelaySec"}


def section(file: Path, name: str = "Service") -> dict[str, str]:
    """The settings of one section; of one given several times, the last."""
    parser = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(file)
    return dict(parser[name])
