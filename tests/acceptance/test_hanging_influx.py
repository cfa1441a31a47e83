"""InfluxDB takes requests and never answers: nobody else notices, and afterwards it has everything once."""

import csv
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import Installation
from tests.ingest.fault_server import Answer, FaultServer

HANGING = Answer(204, delay=40.0, taken=True)
"""Longer than the writer waits at first; and it had taken the points."""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.judge = lambda lines: None
    server.close()


def influx(house: Installation) -> dict[str, Any]:
    parts = house.get("health")["components"]
    return next(part for part in parts if part["name"] == "InfluxDB")


@pytest.mark.timeout(500)
def test_rules_and_cases_go_on_while_influxdb_hangs(
    installation: Callable[..., Installation], server: FaultServer
) -> None:
    server.judge = lambda lines: HANGING
    house = installation("--devices", "60", "--influx", server.url, "--scenario", "lift-200").start()
    with (house.data / "site" / "devices.csv").open(encoding="utf-8-sig") as file:
        detectors = [row for row in csv.DictReader(file) if row["type"] == "z2m-smoke"][:3]
    house.wait(lambda: "not been answered" in influx(house)["detail"], "the hanging is told")
    for number, device in enumerate(detectors):
        house.publish(f"zigbee2mqtt/{device['edge']}/{device['address']}", '{"smoke": true, "battery": 90}')
        house.wait(
            lambda device=device: any(
                alarm["case"] for alarm in house.get("alarms", device=device["id"])["items"]
            ),
            f"smoke {number} is a case",
        )
        assert influx(house)["state"] == "degraded"
    house.wait(lambda: "has not answered within 30 s" in influx(house)["detail"], "what it is is told", 90)
    assert house.get("health")["status"] == "degraded"
    before = house.get("books")["stored"]
    house.wait(lambda: house.get("books")["stored"] > before, "the embedded store goes on")

    server.judge = lambda lines: None
    house.wait(lambda: influx(house)["state"] == "ok", "writing goes on by itself", 200)
    house.wait(
        lambda: (
            not any(
                queue["waiting"] + queue["in_hand"]
                for queue in house.get("system")["queues"]
                if queue["name"].endswith("influx")
            )
        ),
        "InfluxDB has caught up",
        120,
    )
    house.wait(lambda: house.books()["balanced"], "the books balance", 90)
    assert house.stop() == 0, house.output
    again = len(server.written)
    assert again > len(server.points) > 0  # some were sent twice, and are there once
