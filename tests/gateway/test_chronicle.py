"""Alarms, cases, the directory and gauges in a real InfluxDB 1.6.7, as Grafana will find them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cases.case import Action, Actor
from cases.states import Act
from gateway.api.showing import Showing
from gateway.chronicle.service import Chronicler
from gateway.measured import Measured
from gateway.metrics import StatusCollector
from ingest.database import StoreUnavailable
from ingest.stores.influx_client import DatabaseMissing, InfluxClient, InfluxSettings
from ingest.stores.influx_setup import make_database
from readings.measurements import CHRONICLE
from registry.devices import Device
from registry.grids import Grid, GridKind, Place
from registry.site import Site
from rules.findings import Condition, FindingKind
from tests.conftest import ServerProcess, influx_query
from tests.gateway.conftest import NOW, SECOND, Gateway, small_site, some_rules
from tests.ingest.world import eventually


@pytest.fixture
async def client(influx_server: ServerProcess) -> AsyncIterator[InfluxClient]:
    client = InfluxClient(InfluxSettings(influx_server.url, "gw", "admin", "secret"))
    await make_database(client)
    yield client
    await client.close()


def chronicler(gateway: Gateway, client: InfluxClient) -> Chronicler:
    measured = Measured(gateway.views)
    status = gateway.views.system._status
    return Chronicler(
        client, gateway.store, gateway.views, StatusCollector(status, measured), measured, lambda: NOW
    )


def rows(server: ServerProcess, statement: str) -> list[dict[str, Any]]:
    (result,) = influx_query(server, statement, database="gw")
    return [
        {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
        for series in result.get("series", ())
        for values in series["values"]
    ]


async def test_an_alarm_is_one_point_that_changes_with_it(
    gateway: Gateway, client: InfluxClient, influx_server: ServerProcess
) -> None:
    gateway.find()
    chronicle = chronicler(gateway, client)
    await chronicle.look()
    (alarm,) = rows(influx_server, "SELECT * FROM records.alarm")
    assert (alarm["time"], alarm["rule"], alarm["device"], alarm["building"]) == (NOW, "smoke", "s1", "8")
    assert (alarm["grid1"], alarm["grid2"], alarm["grid3"]) == ("R1", "R1-01", "R1-01-01")
    assert (alarm["class"], alarm["severity"], alarm["open"], alarm.get("seconds")) == (
        "smoke",
        "critical",
        1,
        None,
    )
    assert (alarm["rule_zh"], alarm["rule_en"]) == ("烟雾报警", "Smoke alarm")
    assert (alarm["where_zh"], alarm["where_en"]) == ("厨房 烟感", "Kitchen Smoke detector")

    gateway.find(kind=FindingKind.ACKNOWLEDGED, actor="g3")
    await chronicle.look()
    (alarm,) = rows(influx_server, "SELECT * FROM records.alarm")
    assert (alarm["acknowledged"], alarm["open"], alarm["acknowledged_seconds"]) == (1, 1, 0)
    gateway.find(kind=FindingKind.CLEARED, condition=Condition.NORMAL)
    await chronicle.look()
    (alarm,) = rows(influx_server, "SELECT * FROM records.alarm")
    assert (alarm["open"], alarm["seconds"]) == (0, 0)


async def test_a_case_is_one_point_with_what_the_indicators_count(
    gateway: Gateway, client: InfluxClient, influx_server: ServerProcess
) -> None:
    gateway.find()
    chronicle = chronicler(gateway, client)
    await chronicle.look()
    (case,) = rows(influx_server, 'SELECT * FROM records."case"')
    assert (case["time"], case["category"], case["kind"], case["building"]) == (
        NOW,
        "fire",
        "residential",
        "8",
    )
    assert (case["open"], case["counted"], case["due"], case["closed"], case["on_time"]) == (1, 1, 0, 0, 0)
    assert case["title_zh"] == "烟雾报警：厨房"
    assert (case.get("accept_seconds"), case["accepted"]) == (None, 0)

    with gateway.store.transaction() as tx:
        accept = Action(act=Act.ACCEPT, actor=Actor("d1", "department", unit="fire-team"))
        gateway.desk.act(tx, case["id"], accept, NOW + 90 * SECOND)
    await chronicle.look()
    (case,) = rows(influx_server, 'SELECT * FROM records."case"')
    assert (case["accepted"], case["accept_seconds"]) == (1, 90)


async def test_it_goes_on_where_it_was_and_fills_a_database_that_was_emptied(
    gateway: Gateway, client: InfluxClient, influx_server: ServerProcess
) -> None:
    gateway.find()
    await chronicler(gateway, client).look()
    influx_query(influx_server, "DROP SERIES FROM alarm", database="gw")
    gateway.find("s2")
    await chronicler(gateway, client).look()  # another process: only what is new
    assert [alarm["device"] for alarm in rows(influx_server, "SELECT * FROM records.alarm")] == ["s2"]

    influx_query(influx_server, "DROP DATABASE gw")
    with pytest.raises(DatabaseMissing):
        await chronicler(gateway, client).look()
    await make_database(client)
    await chronicler(gateway, client).look()
    found = rows(influx_server, "SELECT * FROM records.alarm")
    assert sorted(alarm["device"] for alarm in found) == ["s1", "s2"]


async def test_a_database_that_knows_more_than_the_operations_database_is_written_anew(
    gateway: Gateway, client: InfluxClient, influx_server: ServerProcess
) -> None:
    gateway.find()
    await client.write(f"{CHRONICLE} position=1000i 0".encode(), policy="records")
    await chronicler(gateway, client).look()
    assert len(rows(influx_server, "SELECT * FROM records.alarm")) == 1


async def test_the_directory_follows_the_site(
    gateway: Gateway, client: InfluxClient, influx_server: ServerProcess
) -> None:
    chronicle = chronicler(gateway, client)
    await chronicle.look()
    label = 'SELECT label_zh FROM records."device" WHERE active = 1 GROUP BY "device"'
    assert {row["device"]: row["label_zh"] for row in rows(influx_server, label)} == {
        "s1": "厨房 烟感|s1",
        "s2": "厨房 烟感|s2",
    }
    grids = rows(influx_server, "SELECT label_en FROM records.\"grid\" WHERE active = 1 AND level = '3'")
    assert [row["label_en"] for row in grids] == ["Grid 1|R1-01-01"]

    old = small_site()
    here = Place(id="hall", name={"zh": "大 厅,=🚪", "en": "Hall"}, grid="R1-01-01", building="9 号, 楼=🏠")
    moved = Device(id="s1", type="smoker", place="hall", edge="e1", connection="z", address="1")
    site = Site.of(
        grids=[
            *old.grids.values(),
            Grid(id="S1", name={"zh": "街", "en": "Street"}, kind=GridKind.STREET, level=1),
        ],
        places=[*old.places.values(), here],
        types=old.types.values(),
        devices=[moved],
        edges=old.edges.values(),
    )
    gateway.views.take_site(Showing(site, some_rules()), "r2")
    await chronicle.look()
    found = rows(influx_server, 'SELECT label_zh FROM records."device" WHERE active = 1 GROUP BY *')
    assert [(row["device"], row["building"], row["label_zh"]) for row in found] == [
        ("s1", "9 号, 楼=🏠", "大 厅,=🚪 烟感|s1")
    ]
    building = 'SELECT label_zh FROM records."device" WHERE building =~ /^(9 号, 楼=🏠)$/'
    assert len(rows(influx_server, building)) == 1
    levels = rows(
        influx_server, 'SELECT name_en FROM records."grid" WHERE active = 1 GROUP BY grid1, "level"'
    )
    assert {(row["grid1"], row["level"]) for row in levels} == {
        ("R1", "1"), ("R1", "2"), ("R1", "3"), ("S1", "1"),
    }  # fmt: skip


async def test_gauges_are_those_of_the_metrics_page(
    gateway: Gateway, client: InfluxClient, influx_server: ServerProcess
) -> None:
    gateway.find()
    await chronicler(gateway, client).look()
    metrics = (await gateway.client.get("/metrics")).text
    assert 'gridwarden_alarms_open{severity="critical"} 1.0' in metrics
    (open_,) = rows(influx_server, "SELECT value FROM gridwarden_alarms_open WHERE severity = 'critical'")
    assert (open_["time"], open_["value"]) == (NOW, 1)
    states = rows(influx_server, 'SELECT last(alarms) FROM grid_state GROUP BY "grid", "level"')
    assert {(row["grid"], row["level"], row["last"]) for row in states} == {
        ("R1", "1", 1), ("R1-01", "2", 1), ("R1-01-01", "3", 1),
    }  # fmt: skip


async def test_a_database_without_policies_says_what_to_do(
    gateway: Gateway, influx_server: ServerProcess
) -> None:
    influx_query(influx_server, "CREATE DATABASE other")
    client = InfluxClient(InfluxSettings(influx_server.url, "other", "admin", "secret"))
    with pytest.raises(StoreUnavailable, match="Run: gridwarden influx setup"):
        await chronicler(gateway, client).look()
    await client.close()


async def test_a_mistake_of_ours_is_told_and_ends_nothing(
    gateway: Gateway, client: InfluxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise KeyError("grid")

    gateway.find()
    monkeypatch.setattr("gateway.chronicle.lines.alarm_line", broken)
    monkeypatch.setattr("gateway.chronicle.service.FAILED_SECONDS", 0.01)
    chronicle = chronicler(gateway, client)
    running = asyncio.create_task(chronicle.run())
    await eventually(lambda: chronicle.trouble, "its trouble is told")
    assert "KeyError('grid')" in str(chronicle.trouble)
    monkeypatch.undo()
    await eventually(lambda: chronicle.trouble is None, "it goes on")
    assert not running.done()
    running.cancel()
