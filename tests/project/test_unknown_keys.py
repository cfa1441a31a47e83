"""A key that nobody knows stops the start in every file: with file, line, value and what was meant."""

import json
import shutil
from pathlib import Path

import pytest

from gridwarden.commands import check, community
from gridwarden.commands.core import read_config
from registry.problems import InvalidConfiguration


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("community") / "site"
    community.run(folder, devices=20, seed=1)
    (folder / "types").mkdir(exist_ok=True)
    (folder / "types" / "own.yaml").write_text(
        "id: own-meter\ndevice_class: environment\npoints:\n  - {name: heat_index, unit: Cel}\n"
        "modbus:\n  registers:\n    - {point: heat_index, table: input, address: 1}\n",
        encoding="utf-8",
    )
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "own.yaml").write_text(
        "id: own-rule\nlabel: {zh: 自定, en: Own}\nwhen: {point: smoke, op: ==, value: true}\n"
        "case: {category: fire}\n",
        encoding="utf-8",
    )
    return folder


CONNECTION = "connections:\n"
PLACES = [
    ("site.yaml", "timezone:", "timezon: x\n", "timezon", "timezone"),
    ("edges/binhu-east.yaml", CONNECTION, "plce: x\n", "plce", "place"),
    ("edges/binhu-east.yaml", "- id: ", "- drivr: x\n  id: ", "drivr", "driver"),
    ("edges/binhu-east.yaml", "    parity:", "    baudrat: 1\n", "baudrat", "baudrate"),
    ("types/own.yaml", "device_class:", "vendr: x\n", "vendr", "vendor"),
    ("types/own.yaml", "{name: heat_index, ", "{name: heat_index, minimun: 1, ", "minimun", "minimum"),
    ("types/own.yaml", "{point: heat_index, ", "{point: heat_index, scal: 1, ", "scal", "scale"),
    ("rules/own.yaml", "when:", "lable: x\n", "lable", "label"),
    ("rules/own.yaml", "{category: ", "{priorty: P1, category: ", "priorty", "priority"),
]


@pytest.mark.parametrize(("file", "before", "insert", "key", "meant"), PLACES)
def test_in_the_site_folder(
    file: str,
    before: str,
    insert: str,
    key: str,
    meant: str,
    sound: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(sound, tmp_path / "site")
    path = tmp_path / "site" / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    whole = insert + before if insert.endswith("\n") else insert
    path.write_text(text.replace(before, whole, 1), encoding="utf-8")
    assert check.run(tmp_path / "site", as_json=True) == 1
    told = [one for one in json.loads(capsys.readouterr().out) if key in one["message"]]
    lines = path.read_text(encoding="utf-8").split("\n")
    assert [(one["file"], one["suggestion"]) for one in told] == [(str(path), f"did you mean `{meant}`?")]
    assert key in lines[told[0]["line"] - 1]


CORE = """\
site: site
data: data
bus:
  url: nats://127.0.0.1:4222
influx:
  url: http://127.0.0.1:8086
keep:
  readings_days: 30
disk:
  floor_bytes: 0
web:
  port: 8420
"""


@pytest.mark.parametrize(
    ("line", "wrong", "meant"),
    [
        (1, "sight: x", "site"),
        (4, "  usr: x", "user"),
        (6, "  databse: x", "database"),
        (8, "  reading_days: 3", "readings_days"),
        (10, "  reserve_byte: 3", "reserve_bytes"),
        (12, "  prot: 8421", "port"),
    ],
)
def test_in_the_cores_configuration(line: int, wrong: str, meant: str, tmp_path: Path) -> None:
    lines = CORE.splitlines()
    lines.insert(line, wrong)
    file = tmp_path / "gateway.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as refused:
        read_config(file)
    key = wrong.split(":")[0].strip()
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == (file, line + 1)
    assert str(problem).endswith(f"unknown key `{key}`; did you mean `{meant}`?")


@pytest.mark.parametrize("table", ["devices.csv", "grids.csv", "places.csv", "people.csv"])
def test_in_a_table(table: str, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(sound, tmp_path / "site")
    path = tmp_path / "site" / table
    heading, rest = path.read_text(encoding="utf-8-sig").split("\n", 1)
    column = heading.split(",")[1].strip()
    path.write_text(heading.replace(column, f"{column}e", 1) + "\n" + rest, encoding="utf-8")
    assert check.run(tmp_path / "site", as_json=True) == 1
    told = [one for one in json.loads(capsys.readouterr().out) if one["where"] == f"{column}e"]
    assert [(one["line"], one["suggestion"]) for one in told] == [(1, f"did you mean `{column}`?")]
