"""`gridwarden check` asks everybody who will use a site folder; nobody's objections hide another's."""

import shutil
from pathlib import Path

from gridwarden.site_check import check_site

TWENTY = Path(__file__).parents[1] / "registry" / "twenty_mistakes"
NORTH = """\
id: north
place: kitchen
connections:
  - id: rs485-1
    driver: modbus-rtu
    settings: {port: ttyUSB0, baudrate: 9601x, parity: Q}
"""


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
