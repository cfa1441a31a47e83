"""A detector was screwed to the ceiling before anybody registered it: what it said meanwhile is not lost."""

import json
import subprocess
from collections.abc import Callable
from datetime import datetime

from tests.acceptance.conftest import Installation


def test_what_an_unregistered_detector_said_comes_in_once_and_at_its_own_time(
    installation: Callable[..., Installation],
) -> None:
    house = installation("--devices", "20", "--no-simulators").start()
    devices = house.data / "site" / "devices.csv"

    def quarantine(command: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return house.command("quarantine", command, "--data", str(house.data), *options, check=check)

    text = devices.read_text(encoding="utf-8-sig")
    head, known = (
        text.splitlines()[0].split(","),
        next(row for row in text.splitlines() if "z2m-smoke" in row),
    )
    columns = dict(zip(head, known.split(","), strict=True))
    topic = f"zigbee2mqtt/{columns['edge']}/new/smoke"
    for battery in (93, 92, 91):
        house.publish(topic, json.dumps({"battery": battery}))
    house.publish(topic, "no JSON")

    # It is told, with what to do about it; the bytes can be looked at.
    def told() -> dict[str, dict[str, object]]:
        return {group["reason"]: group for group in house.get("quarantine", source="z2m/new/*")}

    house.wait(
        lambda: told().get("unknown_device", {}).get("count") == 3 and "malformed" in told(), "it is told"
    )
    listed = quarantine("list").stdout
    assert "z2m/new/smoke" in listed, listed
    assert "devices.csv" in listed
    assert "6e 6f 20 4a 53 4f 4e" in quarantine("show", "--reason", "malformed").stdout
    entries = house.get("quarantine/entries", reason="unknown_device")["items"]
    said = [sample for entry in entries for sample in entry["samples"]]
    assert [sample["value"] for sample in said] == [93, 92, 91]

    # As long as it is not registered, a retry brings nothing in and loses nothing.
    assert "3 are still refused" in quarantine("retry", "--source", "z2m/new/smoke").stdout
    assert told()["unknown_device"]["count"] == 3
    assert told()["unknown_device"]["tries"] == 1

    new = {**columns, "id": "new-smoke", "address": "new/smoke"}
    devices.write_text(f"{text.rstrip()}\n{','.join(new.values())}\n", encoding="utf-8")
    house.wait(lambda: house.try_get("devices/new-smoke"), "it is registered")
    came = quarantine("retry", "--reason", "unknown_device").stdout
    assert "3 samples came in" in came

    def stored() -> list[list[float]]:
        found: list[list[float]] = house.get("series", device="new-smoke", point="battery")["raw"]
        return found

    house.wait(lambda: len(stored()) == 3, "its readings are there")
    assert stored() == [
        [int(datetime.fromisoformat(sample["edge_time"]).timestamp() * 1000), sample["value"]]
        for sample in said
    ]
    house.publish(topic, json.dumps({"battery": 90}))
    house.wait(lambda: len(stored()) == 4, "what it says now comes by the usual way")
    assert house.get("latest", device="new-smoke")["new-smoke"][0]["value"] == 90

    # Nothing is left to try; what nobody can read is dropped by name, and the books know it.
    assert quarantine("retry", "--reason", "unknown_device", check=False).returncode == 1
    assert quarantine("drop", "--reason", "malformed", check=False).returncode == 2
    assert "1 dropped" in quarantine("drop", "--reason", "malformed", "--yes").stdout
    assert told() == {}
    done = [(act["kind"], act["state"]) for act in house.get("quarantine/acts")]
    assert done == [("drop", "done"), ("retry", "done"), ("retry", "done"), ("retry", "done")]
    house.wait(lambda: house.books()["balanced"], "the books balance")
    assert house.books()["dropped"] == 1
    assert house.stop() == 0, house.output
