"""A site moves from the embedded store to InfluxDB while its devices go on speaking: nothing is missing."""

import gzip
from collections.abc import Callable
from pathlib import Path

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
        "--influx-password-file", str(secrets / "influx-gridwarden"),
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
    assert house.stop() == 0, house.output


def _counted(server: ServerProcess) -> int:
    (result,) = influx_query(server, "SELECT count(link) FROM gridwarden..edge")
    return int(result["series"][0]["values"][0][1]) if "series" in result else 0
