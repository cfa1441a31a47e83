"""Somebody edits the site folder of a running installation."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installation

NEW = "new-smoke"


def component(house: Installation, name: str) -> dict[str, str]:
    return next(one for one in house.get("health")["components"] if one["name"] == name)


@pytest.mark.timeout(400)
def test_a_bad_edit_changes_nothing_and_a_good_one_is_taken_on(
    installation: Callable[..., Installation],
) -> None:
    house = installation("--devices", "60", "--scenario", "quiet-day").start()
    house.wait(lambda: house.get("books")["taken"] > 50, "readings flow")
    pids = {name: child.pid for name, child in house.children().items()}
    devices = house.data / "site" / "devices.csv"
    before = devices.read_text(encoding="utf-8-sig")
    line = next(row for row in before.splitlines() if ",z2m-smoke," in row)
    columns = dict(zip(before.splitlines()[0].split(","), line.split(","), strict=True))

    def write(text: str) -> None:
        beside = devices.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(devices)

    def row(**other: str) -> str:
        return ",".join({**columns, "id": NEW, "address": "new/smoke", **other}.values())

    write(f"{before.rstrip()}\n{row(type='z2m-smok')}\n")
    house.wait(lambda: component(house, "site folder")["state"] == "degraded", "the bad edit is told")
    assert "z2m-smok" in component(house, "site folder")["detail"]
    assert house.try_get(f"devices/{NEW}") is None
    stored = house.get("books")["stored"]
    house.wait(lambda: house.get("books")["stored"] > stored, "readings flow by the old folder")

    write(f"{before.rstrip()}\n{row()}\n")
    house.wait(lambda: house.try_get(f"devices/{NEW}"), "the new device is known")
    house.wait(lambda: component(house, "site folder")["state"] == "ok", "the folder is sound")
    log = house.data / "log" / "ingest.log"
    house.wait(lambda: "taken on" in log.read_text(encoding="utf-8"), "ingest goes on with it, too")
    house.publish(f"zigbee2mqtt/{columns['edge']}/new/smoke", '{"smoke": true, "battery": 77}')
    house.wait(lambda: house.get("alarms", device=NEW)["items"], "its smoke is an alarm")
    house.wait(lambda: len(house.get("latest", device=NEW)[NEW]) == 2, "what it says is stored")
    assert {name: child.pid for name, child in house.children().items()} == pids, "nothing was restarted"

    write(before)
    house.wait(lambda: house.try_get(f"devices/{NEW}") is None, "the device is gone")
    house.wait(lambda: house.books()["balanced"], "the books balance")
    assert house.stop() == 0, house.output


def test_the_log_says_what_was_refused(installation: Callable[..., Installation]) -> None:
    house = installation("--devices", "20", "--no-simulators").start()
    rules: Path = house.data / "site" / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "mine.yaml").write_text("rules:\n  - id: mine\n    when: {point: smok}\n", encoding="utf-8")
    house.wait(lambda: component(house, "site folder")["state"] == "degraded", "the bad rule is told")
    assert "mine.yaml" in component(house, "site folder")["detail"]
    assert "mine.yaml" in (house.data / "log" / "gateway.log").read_text(encoding="utf-8")
    (rules / "mine.yaml").unlink()
    house.wait(lambda: component(house, "site folder")["state"] == "ok", "the old rules are sound")
    assert house.stop() == 0, house.output
