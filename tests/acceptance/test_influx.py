"""The same run into a real InfluxDB: series, tags and counts equal the embedded store's."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from registry.loading import load_site
from tests.acceptance.conftest import Installation


def ask(url: str, statement: str) -> list[dict[str, Any]]:
    answer = httpx.get(
        f"{url}/query",
        params={"db": "gridwarden", "q": statement, "epoch": "ns"},
        auth=("admin", "secret"),
        timeout=30,
    )
    answer.raise_for_status()
    (result,) = answer.json()["results"]
    assert "error" not in result, result
    series: list[dict[str, Any]] = result.get("series", [])
    return series


@pytest.mark.timeout(300)
def test_influxdb_holds_what_the_embedded_store_holds(
    installation: Callable[..., Installation], influx_server: Any
) -> None:
    house = installation(
        "--devices", "60", "--influx", influx_server.url, "--influx-user", "admin",
        "--scenario", "kitchen-fire",
        GRIDWARDEN_INFLUX_PASSWORD="secret",
    ).start()  # fmt: skip
    house.wait(lambda: house.get("cases", category="fire")["items"], "the fire is a case", 90)
    names = {part["name"]: part["state"] for part in house.get("health")["components"]}
    assert names["InfluxDB"] == "ok"
    house.wait(lambda: house.books()["balanced"], "the books balance")
    assert house.stop() == 0, house.output
    house.options = [*house.options, "--no-simulators"]
    house.start()  # what was on its way at the end arrives now; nothing new is simulated
    house.wait(
        lambda: not any(one["waiting"] + one["in_hand"] for one in house.get("system")["queues"]),
        "the queues are empty",
    )
    assert house.stop() == 0, house.output

    site = load_site(house.data / "site").site
    assert site is not None
    with sqlite3.connect(f"file:{house.data}/gateway/readings.db?mode=ro", uri=True) as store:
        rows = store.execute(
            "SELECT series.device, series.point, hot.ts FROM hot JOIN series ON series.sid = hot.sid"
        ).fetchall()
    embedded = Counter((device, point) for device, point, _ in rows)
    stamps: dict[tuple[str, str], set[int]] = {}
    for device, point, time in rows:
        stamps.setdefault((device, point), set()).add(time)

    found: Counter[tuple[str, str]] = Counter()
    classes = {kind.device_class for kind in site.types.values()}
    for measurement in ask(influx_server.url, "SHOW MEASUREMENTS"):
        for (name,) in measurement["values"]:
            if name not in classes:
                continue
            for series in ask(influx_server.url, f'SELECT * FROM "{name}" GROUP BY *'):
                tags, columns = series["tags"], series["columns"]
                device = site.devices[tags["device"]]
                place = site.place_of(device)
                grids = site.grid_path(device.place)
                assert name == site.type_of(device).device_class
                assert tags["type"] == device.type
                assert tags["edge"] == device.edge
                assert tags["place"] == place.id
                assert tags.get("building", "") == place.building
                assert tags.get("floor", "") == place.floor
                assert [tags["grid1"], tags["grid2"], tags["grid3"]] == [grid.id for grid in grids]
                points = {point.name for point in site.type_of(device).points}
                for row in series["values"]:
                    for column, value in zip(columns, row, strict=True):
                        if column in points and value is not None:
                            found[device.id, column] += 1
                            assert row[0] in stamps[device.id, column]
    assert found == embedded

    with sqlite3.connect(f"file:{house.data}/gateway/operations.db?mode=ro", uri=True) as operations:
        alarms = {row[0] for row in operations.execute("SELECT id FROM alarm")}
        cases = {row[0] for row in operations.execute("SELECT id FROM cases")}
    assert alarms
    assert cases
    for measurement, ids in (("alarm", alarms), ("case", cases)):
        (series,) = ask(influx_server.url, f'SELECT "id" FROM records."{measurement}"')
        assert {row[1] for row in series["values"]} == ids
    (series,) = ask(influx_server.url, 'SELECT "id" FROM records."alarm" WHERE "open" = 1')
    assert len(series["values"]) > 0
