"""The core's disk is full, for real: nothing acknowledged is lost, and a fire still becomes a case."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.small_disk import MEGABYTE, SmallDisk, small_disk
from tests.acceptance.conftest import Installation


def on_disk(house: Installation, disk: SmallDisk) -> None:
    """Put what the core writes on the small disk; edges and logs stay where they are."""
    house.data.mkdir(parents=True)
    for name in ("gateway", "nats"):
        (disk.folder / name).mkdir()
        (house.data / name).symlink_to(disk.folder / name)


def component(house: Installation, name: str) -> dict[str, Any]:
    health = house.try_get("health") or {"components": []}
    return next((part for part in health["components"] if part["name"] == name), {"state": "", "detail": ""})


def detectors(house: Installation) -> list[dict[str, str]]:
    with (house.data / "site" / "devices.csv").open(encoding="utf-8-sig") as file:
        return [row for row in csv.DictReader(file) if row["type"] == "z2m-smoke"]


def burn(house: Installation, device: dict[str, str]) -> None:
    """Smoke, and that it is a case."""
    house.publish(f"zigbee2mqtt/{device['edge']}/{device['address']}", '{"smoke": true, "battery": 90}')
    house.wait(
        lambda: any(
            alarm["case"]
            for alarm in (house.try_get("alarms", device=device["id"]) or {"items": []})["items"]
        ),
        "the smoke is a case",
        90,
    )


@pytest.mark.timeout(400)
def test_a_full_disk_stops_telemetry_only_and_everything_goes_on_when_there_is_room(
    installation: Callable[..., Installation], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 200 * MEGABYTE) as disk:
        house = installation("--devices", "150", "--scenario", "lift-200")
        on_disk(house, disk)
        house.start()
        first, second, third = detectors(house)[:3]
        house.wait(lambda: house.get("books")["stored"] > 200, "readings flow")
        burn(house, first)

        disk.fill(leave=10 * MEGABYTE)  # below the floor, above nothing
        house.wait(lambda: "nearly full" in component(house, "room on the disk")["detail"], "it is told")
        assert component(house, "normaliser")["state"] != "down"
        burn(house, second)
        house.wait(lambda: house.books()["waiting"] > 100, "telemetry waits at the edges")

        disk.fill()
        house.wait(lambda: "is full" in component(house, "room on the disk")["detail"], "it is told")
        burn(house, third)

        disk.clear()
        house.wait(lambda: component(house, "room on the disk")["state"] == "ok", "there is room again")
        house.wait(lambda: (house.try_get("health") or {}).get("status") == "ok", "all is well", 90)
        house.wait(lambda: house.books()["waiting"] < 20, "the edges have sent what waited", 90)
        house.wait(lambda: house.books()["balanced"], "the books balance", 90)
        assert house.stop() == 0, house.output
        books = house.books()
        assert books["balanced"], books["first_difference"]
        assert books["thinned"] == 0
