"""Writing the reference community as a site folder."""

import csv
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from registry.devices import Device
from registry.grids import Person, Place
from simulators.community.devices import FEWEST, MOST, Installer, Mix, lines_of
from simulators.community.grids import Cell, cells
from simulators.community.people import people
from simulators.community.places import Places

EDGES: Final = ("binhu-east", "binhu-west")
_EDGE_PLACES: Final = ("market", "centre", "culture", "kindergarten")
_FILES: Final = Path(__file__).with_name("files")

_RULES_README: Final = """\
# Rules of this site

Empty: the rules that ship with GridWarden hold. A `*.yaml` file here adds rules; one with the id of a
shipped rule replaces it.

此处为空：使用随 GridWarden 提供的规则。在这里放入 `*.yaml` 可以增加规则；与自带规则同 id 的规则会取而代之。
"""


@dataclass(frozen=True, slots=True)
class CommunitySummary:
    """What was written, as numbers."""

    folder: Path
    grids: int
    places: int
    signs: int
    people: int
    devices: Mapping[str, int]
    """Devices by type."""
    edges: Mapping[str, int]
    """Devices by edge."""

    @property
    def total(self) -> int:
        """All devices."""
        return sum(self.devices.values())


def write_community(
    folder: Path,
    *,
    devices: int = 2000,
    seed: int = 2026,
    broker_url: str = "mqtt://127.0.0.1:1883",
    serial_dir: str = "/dev",
    username: str = "",
    password_file: str = "",
    edges: Sequence[str] = EDGES,
) -> CommunitySummary:
    """Write the community with `devices` (10 to 50,000) devices into `folder`, made when missing.

    `serial_dir` is where the serial lines ``<edge>-rs485-<n>`` lie; `password_file` is named in the edges'
    settings, never read. Raises ValueError for another number of devices.
    """
    if not FEWEST <= devices <= MOST:
        raise ValueError(f"the reference community has {FEWEST} to {MOST} devices, not {devices}")
    tree = cells()
    staff, officers = people(tree, seed)
    places = Places(tree)
    installed = Installer(places, edges, seed).install(Mix.of(devices))

    for name in ("", "edges", "rules", "types"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for file in sorted(_FILES.glob("*.yaml")):
        shutil.copyfile(file, folder / file.name)
    _write_yaml(folder / "site.yaml", _site())
    (folder / "rules" / "README.md").write_text(_RULES_README, encoding="utf-8")
    _write_csv(folder / "grids.csv", [_grid_row(cell, officers) for cell in tree])
    _write_csv(folder / "places.csv", [_place_row(place) for place in places.made.values()])
    _write_csv(folder / "people.csv", [_person_row(person) for person in staff])
    _write_csv(folder / "devices.csv", [_device_row(device) for device in installed])
    broker = {"broker": broker_url, "username": username, "password_file": password_file}
    lines = lines_of(installed)
    for index, edge in enumerate(edges):
        place = places.made[_EDGE_PLACES[index % len(_EDGE_PLACES)]]
        wiring = _edge(edge, place, lines.get(edge, []), broker, serial_dir)
        _write_yaml(folder / "edges" / f"{edge}.yaml", wiring)
    return CommunitySummary(
        folder=folder,
        grids=len(tree),
        places=len(places.made),
        signs=places.signs,
        people=len(staff),
        devices=_counted(device.type for device in installed),
        edges=_counted(device.edge for device in installed),
    )


def _site() -> dict[str, Any]:
    return {
        "name": {"zh": "滨湖世纪社区", "en": "Binhu Century"},
        "timezone": "Asia/Shanghai",
        "languages": ["zh-CN", "en"],
        "position": {"x": 117.28, "y": 31.72},
        "grids": "grids.csv",
        "places": "places.csv",
        "people": "people.csv",
        "units": "units.yaml",
        "calendars": "calendars.yaml",
        "categories": "categories.yaml",
    }


def _edge(
    edge: str, place: Place, lines: Sequence[str], broker: Mapping[str, str], serial_dir: str
) -> dict[str, Any]:
    reach = {key: value for key, value in broker.items() if value}
    serial = [
        {
            "id": line,
            "driver": "modbus-rtu",
            "settings": {
                "port": f"{serial_dir}/{edge}-{line}",
                "baudrate": 9600,
                "parity": "N",
                "stopbits": 1,
            },
        }
        for line in lines
    ]
    return {
        "id": edge,
        "name": edge,
        "place": place.id,
        "connections": [
            {"id": "z2m", "driver": "zigbee2mqtt", "settings": {**reach, "topic": f"zigbee2mqtt/{edge}"}},
            {"id": "frigate", "driver": "frigate", "settings": {**reach, "topic": f"frigate/{edge}"}},
            *serial,
        ],
    }


def _grid_row(cell: Cell, officers: Mapping[str, str]) -> dict[str, object]:
    return {
        "id": cell.id,
        "name_zh": cell.zh,
        "name_en": cell.en,
        "kind": cell.kind.value,
        "level": cell.level,
        "parent": cell.parent,
        "officer": officers.get(cell.id, ""),
    }


def _place_row(place: Place) -> dict[str, object]:
    row = place.model_dump(exclude={"name"})
    return {"id": row.pop("id"), "name_zh": place.name["zh"], "name_en": place.name["en"], **row}


def _person_row(person: Person) -> dict[str, object]:
    return person.model_dump(mode="json")


def _device_row(device: Device) -> dict[str, object]:
    return device.model_dump(exclude={"overrides", "name"})


def _counted(words: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found


def _write_csv(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    # With a byte order mark, so that Excel shows the Chinese.
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=[*rows[0]])
        writer.writeheader()
        writer.writerows(rows)


def _write_yaml(file: Path, data: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(data), allow_unicode=True, sort_keys=False, width=110)
    file.write_text(text, encoding="utf-8")
