"""A site moves from the embedded store to InfluxDB while its devices go on speaking: nothing is missing."""

import gzip
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pyarrow import parquet as pq

from tests.acceptance.conftest import Installation
from tests.conftest import ServerProcess, influx_query


@pytest.mark.timeout(300)
def test_a_site_moves_from_the_embedded_store_to_influxdb_while_it_runs(
    installation: Callable[..., Installation], influx_server: ServerProcess, tmp_path: Path
) -> None:
    house = installation("--devices", "60", "--scenario", "quiet-day").start()
    house.wait(lambda: house.books()["stored"] > 500, "some readings are stored", 90)
    assert house.stop() == 0, house.output

    password = tmp_path / "admin"
    password.write_text("secret")
    password.chmod(0o600)
    secrets = house.data / "run" / "secrets"
    assert not (secrets / "grafana-hook").exists()
    administrator = (
        "--url",
        influx_server.url,
        "--admin-user",
        "admin",
        "--admin-password-file",
        str(password),
    )
    made = house.command("influx", "setup", *administrator, "--secrets", str(secrets)).stdout
    assert "Done: 9 steps." in made
    house.options = [
        *house.options, "--influx", influx_server.url, "--influx-user", "gridwarden",
        "--influx-password-file", str(secrets / "influx-gridwarden"), "--grafana", "http://127.0.0.1:3000",
    ]  # fmt: skip
    house.start()  # from now on both are written
    where = ("--data", str(house.data))
    house.wait(lambda: _counted(influx_server) > 0, "InfluxDB has the newest readings", 60)
    assert "reading" in house.command("influx", "compare", *where, check=False).stdout
    filled = house.command("influx", "fill", *where).stdout
    assert "written." in filled
    house.wait(
        lambda: house.command("influx", "compare", *where, check=False).returncode == 0,
        "both stores hold the same but for what is under way",
        60,
    )

    file = tmp_path / "all.csv.gz"
    house.command("export", str(file), *where)
    with gzip.open(file, "rt") as text:
        assert sum(1 for _ in text) > 500
    columns = tmp_path / "all.parquet"
    house.command("export", str(columns), *where)
    assert pq.read_metadata(columns).num_rows > 500
    assert "written." in house.command("import", str(columns), *where).stdout
    again = house.command("export", str(file), *where, check=False)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    check = house.command(
        "grafana", "check", "--site", str(house.data / "site"), "--influx-url", influx_server.url,
        "--influx-password-file", str(secrets / "influx-grafana"),
    )  # fmt: skip
    assert ": 0 failed," in check.stdout
    _grafana_tells(house, (secrets / "grafana-hook").read_text().strip())
    assert house.stop() == 0, house.output


def _grafana_tells(house: Installation, secret: str) -> None:
    """Its alert stands in the alarm list, is acknowledged, outlives kill -9 and ends when it says so."""

    def told(status: str, ended: str) -> int:
        alert = {
            "status": status,
            "labels": {"alertname": "网关无声", "severity": "high"},
            "startsAt": "2026-11-30T12:00:00Z",
            "endsAt": ended,
            "fingerprint": "c6eadffa33fcdf37",
        }
        hook = f"{house.address}/api/v1/watchers/grafana"
        bearer = {"Authorization": f"Bearer {secret}"}
        try:
            answer = httpx.post(hook, json={"alerts": [alert]}, headers=bearer, timeout=20, trust_env=False)
        except httpx.TransportError:
            return 0
        return answer.status_code

    assert told("firing", "0001-01-01T00:00:00Z") == 200
    path = "alarms/%40grafana:c6eadffa33fcdf37%231"
    assert house.get(path)["condition"] == "active"
    somebody = house.get("site")["people"][0]["id"]
    assert house.post(f"{path}/acknowledge", {"actor": somebody}).status_code == 200
    house.children()["gateway"].kill()
    house.wait(lambda: told("resolved", "2026-11-30T12:05:00Z") == 200, "the gateway is back", 60)
    over = house.get(path)
    assert (over["condition"], over["open"], over["acknowledged"]) == ("normal", False, True)


def _counted(server: ServerProcess) -> int:
    (result,) = influx_query(server, "SELECT count(link) FROM gridwarden..edge")
    return int(result["series"][0]["values"][0][1]) if "series" in result else 0
