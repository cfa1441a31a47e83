"""The site that is broken: the reference community, and on each edge meters that say a lot at once."""

import csv
from pathlib import Path
from typing import Any, Final

import yaml

from chaos.senders.modbus import DRIVER
from registry.loading import load_site
from registry.site import Site
from simulators.community import write_community

EDGES: Final = ("binhu-east", "binhu-west")
METER: Final = "chaos-meter"
METER_POINTS: Final = 24
"""Values in one message of a meter: a million samples in 42,000 messages."""

LINES: Final = "lines"
"""The folder beside the site's in which the serial lines are."""
POLL: Final = 0.2
"""Seconds between two polls of a device on a serial line."""


def write_site(folder: Path, *, devices: int, meters: int) -> Site:
    """Write the site with about `devices` devices and `meters` meters an edge, and load it.

    Its connections name no broker: each edge uses the one it is started with.
    """
    write_community(folder, devices=devices, broker_url="", serial_dir=str(folder.parent / LINES))
    points: list[dict[str, Any]] = [
        {"name": f"register_{number:02}", "unit": "1", "minimum": 0, "maximum": 1000}
        for number in range(METER_POINTS)
    ]
    kind = {
        "id": METER,
        "device_class": "meter",
        "vendor": "GridWarden",
        "model": "a message full of values",
        "label": {"en": "Meter", "zh": "多路仪表"},
        "interval": 3600,
        "points": points,
        "ignore": ["last_seen"],
    }
    (folder / "types" / f"{METER}.yaml").write_text(
        yaml.safe_dump(kind, allow_unicode=True), encoding="utf-8"
    )
    table = folder / "devices.csv"
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    names = [*rows[0]]
    place = rows[0]["place"]
    for edge in EDGES:
        for number in range(meters):
            name = f"{edge}-meter-{number}"
            row = dict.fromkeys(names, "")
            row |= {
                "id": name,
                "type": METER,
                "place": place,
                "edge": edge,
                "connection": "z2m",
                "address": name,
            }
            rows.append(row)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    for path in (folder / "edges").glob("*.yaml"):
        wiring = yaml.safe_load(path.read_text(encoding="utf-8"))
        for connection in wiring["connections"]:
            if connection["driver"] == DRIVER:
                connection["settings"]["poll"] = POLL
        path.write_text(yaml.safe_dump(wiring, allow_unicode=True), encoding="utf-8")
    loaded = load_site(folder)
    assert loaded.site is not None, loaded.problems
    return loaded.site
