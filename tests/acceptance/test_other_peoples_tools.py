"""A reading sent by somebody else's tool arrives like a simulator's; rubbish stops nothing and is kept."""

import csv
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installation

PYMODBUS_SERVER = """
    import asyncio, sys
    from pymodbus import FramerType
    from pymodbus.server import ModbusSerialServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    async def main():
        values = [SimData(1, values=[305, 612], datatype=DataType.REGISTERS)]
        device = SimDevice(id=int(sys.argv[2]), simdata=values)
        server = ModbusSerialServer(device, framer=FramerType.RTU, port=sys.argv[1], baudrate=9600)
        await server.serve_forever()

    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(
        tmp_path_factory.mktemp("tools") / "var", ["--devices", "60", "--no-simulators"]
    ).start()
    try:
        yield installation
    finally:
        if installation.process is not None:
            assert installation.stop() == 0, installation.output


def devices(house: Installation, **wanted: str) -> list[dict[str, str]]:
    with (house.data / "site" / "devices.csv").open(encoding="utf-8-sig") as file:
        return [
            row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())
        ]


def latest(house: Installation, device: str) -> dict[str, Any]:
    return {value["point"]: value for value in house.get("latest", device=device)[device]}


def test_mosquitto_pub_speaks_for_a_smoke_detector(house: Installation) -> None:
    device = devices(house, type="z2m-smoke")[0]
    topic = f"zigbee2mqtt/{device['edge']}/{device['address']}"
    house.publish(topic, json.dumps({"smoke": False, "battery": 100, "voltage": 3075, "linkquality": 81}))
    values = house.wait(  # the two lanes arrive on their own
        lambda: (found := latest(house, device["id"])).keys() >= {"smoke", "battery", "voltage"} and found,
        "the readings arrive",
    )
    assert values["smoke"]["value"] is False
    assert values["battery"]["value"] == 100
    assert values["voltage"]["value"] == pytest.approx(3.075)
    house.publish(topic, json.dumps({"smoke": True}))
    house.wait(lambda: house.get("alarms", device=device["id"])["items"], "smoke is an alarm")
    assert house.get("cases", category="fire")["total"] >= 1


def test_a_pymodbus_server_is_polled_like_hardware(house: Installation, tmp_path: Path) -> None:
    device = devices(house, type="xy-md02")[0]
    line = house.data / "sim" / f"{device['edge']}-{device['connection']}"
    other = tmp_path / "other-end"
    line.parent.mkdir(exist_ok=True)
    program = tmp_path / "server.py"
    program.write_text(textwrap.dedent(PYMODBUS_SERVER), encoding="utf-8")
    socat = subprocess.Popen(["socat", f"PTY,link={line},raw,echo=0", f"PTY,link={other},raw,echo=0"])
    try:
        house.wait(other.exists, "the serial line is there")
        server = subprocess.Popen([sys.executable, str(program), str(other), device["address"]])
        try:
            values = house.wait(
                lambda: (found := latest(house, device["id"])) and "temperature" in found and found,
                "a poll succeeds",
                90,
            )
        finally:
            server.kill()
            server.wait()
    finally:
        socat.kill()
        socat.wait()
    assert values["temperature"]["value"] == pytest.approx(30.5)
    assert values["humidity"]["value"] == pytest.approx(61.2)


BAD = {
    "rubbish": b"\xff\x00\xfe{{{",
    "not UTF-8": b'{"smoke": "\xff\xfe"}',
    "half a document": b'{"smoke": tr',
    "a list": b"[1, 2, 3]",
    "nested without end": b"[" * 5000,
    "empty": b"",
    "ten megabytes": b'{"smoke": "' + b"x" * 10_000_000 + b'"}',
    "a word for a number": b'{"battery": "plenty"}',
    "unknown point": b'{"mood": "fine"}',
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_payload_stops_nothing(house: Installation, kind: str) -> None:
    device = devices(house, type="z2m-smoke")[1 + [*BAD].index(kind)]  # a flood of one source is only counted
    topic = f"zigbee2mqtt/{device['edge']}/{device['address']}"
    before = house.get("system")["quarantined"]
    if kind == "ten megabytes":
        with pytest.raises(subprocess.CalledProcessError):  # the broker refuses what is too large for it
            house.publish(topic, BAD[kind])
    else:
        house.publish(topic, BAD[kind])
    house.publish(topic, json.dumps({"linkquality": len(kind)}))
    house.wait(
        lambda: latest(house, device["id"]).get("linkquality", {}).get("value") == len(kind),
        "the next reading arrives",
    )
    if kind not in ("empty", "ten megabytes"):
        house.wait(lambda: house.get("system")["quarantined"] > before, f"{kind} is in quarantine")
    house.wait(lambda: house.books()["balanced"], "the books balance")


def test_a_device_nobody_registered_is_kept_with_its_reason(house: Installation) -> None:
    edge = devices(house)[0]["edge"]
    house.publish(f"zigbee2mqtt/{edge}/nobody-knows-me", json.dumps({"smoke": True}))
    groups = house.wait(
        lambda: [one for one in house.get("quarantine") if one["source"].endswith("nobody-knows-me")],
        "the stranger is in quarantine",
    )
    assert {group["reason"] for group in groups} == {"unknown_device"}
    assert all(group["detail"] for group in groups)


def test_camera_events_of_1970_and_2099_are_clamped_and_marked(house: Installation) -> None:
    device = devices(house, type="frigate-camera")[0]
    for number, start in enumerate((1.5, 4_070_908_800.0)):
        after = {
            "id": f"{number}.abc", "camera": device["address"], "label": "person", "top_score": 0.9,
            "start_time": start, "end_time": None, "current_zones": [],
        }  # fmt: skip
        event = {"type": "new", "before": after, "after": after}
        house.publish(f"frigate/{device['edge']}/events", json.dumps(event))
    values = house.wait(
        lambda: (found := latest(house, device["id"])) and "event" in found and found, "the events arrive"
    )
    assert values["event"]["value"] == "person"
    assert values["event"]["quality"] == ["clock_suspect"]
    house.wait(lambda: house.books()["balanced"], "the books balance")


def test_a_site_with_mistakes_is_refused_with_every_mistake(house: Installation, tmp_path: Path) -> None:
    house.command("community", str(tmp_path / "site"), "--devices", "30")
    csv_file = tmp_path / "site" / "devices.csv"
    text = csv_file.read_text(encoding="utf-8-sig").replace("z2m-smoke", "z2m-smok", 1)
    csv_file.write_text(text.replace("binhu-east", "binhu-eas", 1), encoding="utf-8")
    checked = house.command("check", str(tmp_path / "site"), check=False)
    assert checked.returncode == 1
    assert "devices.csv:2: error: type: " in checked.stderr
    assert "did you mean `z2m-smoke`?" in checked.stderr
    assert "did you mean `binhu-east`?" in checked.stderr


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, house: Installation) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        folder.chmod(0o500)
    try:
        done = house.command("up", "--data", str(folder / "var"), check=False)
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
    assert done.returncode != 0
    assert str(folder / "var") in done.stderr
    assert "cannot be written" in done.stderr
