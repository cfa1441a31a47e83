"""What the doctor says about disks and InfluxDB."""

import asyncio
from base64 import b64encode
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from chaos.small_disk import MEGABYTE, small_disk
from gateway.config import GatewayConfig
from gridwarden.finding import Finding
from gridwarden.storage_check import check_influx, check_limits
from ingest.stores.influx_client import InfluxClient, InfluxSettings
from ingest.stores.influx_setup import make_database
from tests.conftest import ServerProcess, influx_query

FITTING = {
    "keep": {
        "readings_bytes": 20 * MEGABYTE,
        "quarantine_bytes": MEGABYTE,
        "operations_bytes": 10 * MEGABYTE,
    },
    "bus": {"alarm_bytes": 5 * MEGABYTE, "telemetry_bytes": 10 * MEGABYTE},
}


def test_limits_that_do_not_fit_the_disk_are_told(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 100 * MEGABYTE) as disk:
        site = tmp_path / "site"
        (disk.folder / "nats").mkdir()
        places = {"site": site, "data": disk.folder, "disk": {"others": [disk.folder / "nats"]}}
        (fitting,) = check_limits(GatewayConfig.model_validate({**places, **FITTING}))
        assert fitting.verdict == "good"
        assert "0.1 GB of 0.1 GB" in fitting.what
        (ordinary,) = check_limits(GatewayConfig.model_validate(places))
        assert ordinary.verdict == "warning"
        disk.fill(leave=5 * MEGABYTE)
        _, low = check_limits(GatewayConfig.model_validate({**places, **FITTING}))
        assert low.verdict == "warning"
        assert "nearly full" in low.what
        disk.fill()
        _, full = check_limits(GatewayConfig.model_validate({**places, **FITTING}))
        assert full.verdict == "bad"


def test_many_series_are_told_before_there_are_too_many(
    influx_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    influx_query(influx_server, "CREATE DATABASE gw")
    lines = "".join(f"smoke,device=d{number} value=1\n" for number in range(30)).encode()
    request = Request(f"{influx_server.url}/write?db=gw", lines)
    request.add_header("Authorization", "Basic " + b64encode(b"admin:secret").decode())
    urlopen(request, timeout=30).close()
    monkeypatch.setattr("gridwarden.storage_check._MANY_SERIES", 20)
    *_, series = look(influx_server, "admin", "secret")
    assert series.verdict == "warning"
    assert series.what.startswith("30 series")
    assert "max-series-per-database" in series.remedy


def look(server: ServerProcess, user: str, password: str, database: str = "gw") -> list[Finding]:
    return [*check_influx(InfluxSettings(server.url, database, user, password, timeout=5))]


async def test_a_database_that_was_set_up_is_good_throughout(influx_server: ServerProcess) -> None:
    client = InfluxClient(InfluxSettings(influx_server.url, "gw", "admin", "secret"))
    await make_database(client)
    await client.close()
    found = await asyncio.to_thread(look, influx_server, "admin", "secret")
    assert [one.verdict for one in found] == ["good"] * 4


def test_a_user_that_may_write_is_told_from_one_that_may_not(influx_server: ServerProcess) -> None:
    influx_query(influx_server, "CREATE DATABASE gw")
    influx_query(influx_server, "CREATE USER low WITH PASSWORD 'x'")
    answers, writes, policies, series = look(influx_server, "admin", "secret")
    assert [one.verdict for one in (answers, writes, policies, series)] == ["good", "good", "warning", "good"]
    assert policies.remedy == f"Run: gridwarden influx setup --url {influx_server.url}"
    assert "1.6.7" in answers.what
    assert series.what.startswith("0 series")
    assert not influx_query(influx_server, "SHOW MEASUREMENTS", database="gw")[0].get("series")
    influx_query(influx_server, "CREATE USER writer WITH PASSWORD 'x'; GRANT WRITE ON gw TO writer")
    assert [one.verdict for one in look(influx_server, "writer", "x")] == ["good", "good"]
    assert "not authorized to write" in look(influx_server, "low", "x")[1].what
    assert "authorization failed" in look(influx_server, "low", "wrong")[1].what
    missing = look(influx_server, "admin", "secret", "other")[1]
    assert (missing.verdict, "no database 'other'" in missing.what) == ("warning", True)
    influx_server.kill()
    (down,) = look(influx_server, "admin", "secret")
    assert (down.verdict, "cannot be reached" in down.what) == ("bad", True)
