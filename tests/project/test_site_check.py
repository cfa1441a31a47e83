"""`gridwarden check` asks everybody who will use a site folder; nobody's objections hide another's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gridwarden.site_check import check_site
from simulators.community import write_community

ROOT = Path(__file__).parents[2]
TWENTY = Path(__file__).parents[1] / "registry" / "twenty_mistakes"
NORTH = """\
id: north
place: kitchen
connections:
  - id: rs485-1
    driver: modbus-rtu
    settings: {port: ttyUSB0, baudrate: 9601x, parity: Q}
"""


def test_the_page_of_the_site_folder_shows_what_check_really_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "site-folder.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```\n(gridwarden: .*?)```", page, re.DOTALL)
    line = int(re.findall(r":(\d+):", shown)[0])
    wrong, meant = re.findall(r"`([\w-]+)`", shown)
    monkeypatch.chdir(tmp_path)
    write_community(Path("my-site"), devices=200, seed=2026, broker_url="mqtt://127.0.0.1", serial_dir="/dev")
    table = tmp_path / "my-site" / "devices.csv"
    rows = table.read_text(encoding="utf-8-sig").split("\n")
    assert f",{meant}," in rows[line - 1]
    rows[line - 1] = rows[line - 1].replace(f",{meant},", f",{wrong},")
    table.write_text("\n".join(rows), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "gridwarden", "check", "my-site"],
        capture_output=True, text=True, check=False, env={**os.environ, "GRIDWARDEN_LANG": "en"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", shown)


def test_a_driver_is_asked_although_other_files_are_wrong_too(tmp_path: Path) -> None:
    shutil.copytree(TWENTY, tmp_path / "site")
    before = {str(problem) for problem in check_site(tmp_path / "site").problems}
    (tmp_path / "site" / "edges" / "north.yaml").write_text(NORTH, encoding="utf-8")
    after = check_site(tmp_path / "site").problems
    more = [problem for problem in after if str(problem) not in before]
    assert {(problem.file.name, problem.line, problem.value) for problem in more} == {
        ("north.yaml", 6, "9601x"),
        ("north.yaml", 6, "Q"),
    }
