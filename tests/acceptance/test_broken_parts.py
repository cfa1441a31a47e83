"""Kill any one process at any moment: it comes back, goes on, and the books balance."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installation


@pytest.mark.timeout(400)
def test_after_kill_9_of_any_one_process_the_books_balance(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "150", "--scenario", "kitchen-fire").start()
    house.wait(lambda: house.get("books")["taken"] > 100, "readings flow")
    for name in sorted(house.children()):
        victim = house.children()[name]
        victim.kill()
        house.wait(
            lambda name=name, pid=victim.pid: (again := house.children().get(name)) and again.pid != pid,
            f"{name} is started again",
        )
        house.wait(lambda: (house.try_get("health") or {}).get("status") == "ok", f"health after {name}")
        before = house.get("books")["stored"]
        house.wait(lambda before=before: house.get("books")["stored"] > before, f"readings flow after {name}")
        house.wait(lambda: house.books()["balanced"], f"the books balance after kill -9 of {name}", 90)
    assert house.stop() == 0, house.output


def test_nothing_outlives_kill_9_of_the_whole(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "20").start()
    assert house.process is not None
    pids = [child.pid for child in house.children().values()]
    house.process.kill()
    house.process.wait()
    house.process = None
    house.wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "all children are gone")
    house.start()
    house.wait(lambda: house.books()["balanced"], "the books balance after kill -9 of everything")
    assert house.stop() == 0, house.output


def test_an_edge_that_lost_its_disk_goes_on_at_once(installation: Callable[..., Installation]) -> None:
    """Its new outbox knows nothing of the numbers before; every stage must take its batches all the same."""
    house = installation("--devices", "20", "--no-simulators").start()
    with (house.data / "site" / "devices.csv").open(encoding="utf-8-sig") as file:
        detector, other = [row for row in csv.DictReader(file) if row["type"] == "z2m-smoke"][:2]

    def burns(device: dict[str, str]) -> None:
        house.publish(f"zigbee2mqtt/{device['edge']}/{device['address']}", '{"smoke": true, "battery": 90}')
        house.wait(lambda: house.get("alarms", device=device["id"])["items"], "smoke is an alarm")
        house.wait(lambda: len(house.get("latest", device=device["id"])[device["id"]]) == 2, "both stored")

    burns(detector)
    house.wait(lambda: house.books()["balanced"], "the books balance before")
    assert house.stop() == 0, house.output
    shutil.rmtree(house.data / "edges")
    house.start()
    burns(other)
    house.wait(lambda: house.books()["balanced"], "the books balance afterwards")
    assert house.stop() == 0, house.output
