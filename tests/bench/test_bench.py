"""The bench measures for real, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench import influx
from bench.community import generated_rules, matched, traffic, write_site
from bench.counting import Course
from bench.figures import CannotMeasure, Conditions, Figure, Goal
from bench.latency import quantile
from bench.profile import read_profile
from readings import Lane
from rules.model import Rule

BENCH = [sys.executable, "-m", "gridwarden", "bench"]


def bench(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    """A bench with its temporary files under `tmp_path`."""
    return subprocess.Popen(
        [*BENCH, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "GRIDWARDEN_LANG": "en"},
    )


def test_the_path_is_measured_and_everything_is_cleaned_up(tmp_path):
    file = tmp_path / "figures.json"
    process = bench(tmp_path, "--only", "path", "--seconds", "2", "--json", str(file), "--profile")
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0, output
    found = json.loads(file.read_text())
    rate = next(figure for figure in found["figures"] if "sustained" in figure["name"])
    assert rate["value"] > 0
    assert rate["met"] is (rate["value"] >= 50_000)
    assert found["machine"]["cores"] > 0
    assert min(found["paces_ms"]["path"].values()) > 0
    assert {"ingest", "rules"} <= {share["name"] for share in found["profile"]["rooms"]}
    assert [*tmp_path.iterdir()] == [file]


def test_ctrl_c_ends_every_process_and_deletes_every_file(tmp_path):
    process = bench(tmp_path, "--only", "path", "--seconds", "60")
    watched = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while len(children := watched.children(recursive=True)) < 3:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert [*tmp_path.iterdir()] == []


def test_an_unknown_measurement_is_refused_with_the_known_ones(tmp_path):
    output, _ = bench(tmp_path, "--only", "everything").communicate(timeout=60)
    assert "everything" in output
    assert "latency-idle" in output


def test_every_device_speaks_and_several_rules_look_at_a_reading(tmp_path):
    site = write_site(tmp_path, 300, 200, "mqtt://127.0.0.1:1883")
    said = traffic(site)
    sources = {(each.edge, source) for each in said for source, _ in each.series}
    # one source for every device but the edges' own boxes
    assert len(sources) == sum(site.types[d.type].device_class != "edge" for d in site.devices.values())
    rules = {rule["id"]: Rule.model_validate(rule) for rule in generated_rules(200)}
    assert len(rules) == 200
    readings = [
        (device.id, point.name)
        for each in said
        if each.lane is Lane.TELEMETRY
        for source, native in each.series
        if (device := site.device_at(each.edge, source)) and (point := site.native_point(device, native))
    ]
    assert len(readings) == sum(len(each.series) for each in said if each.lane is Lane.TELEMETRY)
    assert matched(rules, site, readings) > 3


def test_a_rate_is_counted_from_the_warm_up_to_the_last_commit():
    course = Course([(0.0, 0), (1.0, 900), (2.0, 1000), (4.0, 1200)])
    assert course.rate(1.5) == 100
    with pytest.raises(CannotMeasure):
        course.rate(3.0)


def test_quantiles_are_values_that_were_measured():
    ordered = [float(n) for n in range(1, 201)]
    assert quantile(ordered, 0.5) == 100
    assert quantile(ordered, 0.99) == 198
    assert quantile([7.0], 0.99) == 7


def test_goals_have_a_direction():
    assert Figure("m", "f", 49_999, "/s", Goal(50_000, "at least")).met is False
    assert Figure("m", "f", 150, "ms", Goal(150, "at most")).met is True
    assert Figure("m", "f", 1, "µs").met is None


def test_a_profile_tells_whose_time_it_was(tmp_path):
    root = Path(__file__).parents[2]
    engine, msgspec = str(root / "rules/engine.py"), "/x/site-packages/msgspec/__init__.py"
    rows = [
        ["MainThread", engine, "Engine.feed", engine, "Engine.feed", 3.0],
        ["writer_0", msgspec, "decode", str(root / "readings/wire.py"), "decode_readings", 1.0],
    ]
    file = tmp_path / "ingest.json"
    file.write_text(json.dumps(rows))
    profile = read_profile(tmp_path)
    assert [(share.name, share.percent) for share in profile.rooms] == [("rules", 75), ("msgspec", 25)]
    assert [share.name for share in profile.callers] == ["rules.engine", "readings.wire"]
    assert profile.functions[1].caller == "readings.wire.decode_readings"


def test_writing_to_influxdb_is_measured(tmp_path):
    file = tmp_path / "figures.json"
    process = bench(tmp_path, "--only", "influx-write", "--seconds", "2", "--json", str(file))
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0, output
    names = {figure["name"]: figure["value"] for figure in json.loads(file.read_text())["figures"]}
    assert names["readings written by one process"] > 0
    assert names["points written by one process"] > 0
    assert [*tmp_path.iterdir()] == [file]


async def test_a_week_in_influxdb_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(influx, "DEVICES", 40)
    monkeypatch.setattr(influx, "_STILL", 1.0)
    found = await influx.week(Conditions(tmp_path, 2, lambda _: None))
    values = {figure.name: figure.value for figure in found}
    assert values["size on disk of a reading"] > 0
    for source in ("readings", "roll-ups"):
        for place in ("the whole site", "one grid of level 2"):
            assert (
                values[f"a panel from {source}, {place}, p95"]
                >= values[f"a panel from {source}, {place}, p50"]
            )
