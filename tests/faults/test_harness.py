"""The harness notices what it is there for: values taken out of a store, put in, or put in twice."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from chaos.dice import Dice
from chaos.outcome import Outcome
from chaos.parts import Part
from chaos.scenarios import SCENARIOS
from chaos.stage import QUICK, Stage

CHAOS = [sys.executable, "-m", "gridwarden", "chaos"]


@pytest.mark.timeout(300)
def test_one_value_taken_from_thousands_is_noticed_and_so_is_one_too_many(tmp_path):
    outcome = Outcome("calm", 1, "quick")
    stage = Stage(tmp_path, Dice("calm", 1), QUICK, outcome, print)

    async def tampered() -> None:
        async with stage.world() as world:
            await world.load("binhu-east", 200)
            await asyncio.sleep(2)
            await world.end_loads()
            await world.quiet(60)
            await world.parts["ingest"].kill()
            with closing(sqlite3.connect(world.core_data / "readings.db")) as store, store:
                last = (
                    "(SELECT max(ts), sid FROM hot JOIN series USING (sid)"
                    " WHERE point = ? AND device LIKE 'binhu-east-meter%')"
                )
                store.execute(f"DELETE FROM hot WHERE (ts, sid) = {last}", ("register_01",))
                store.execute(
                    f"INSERT INTO hot SELECT ts + 7000, sid, value, quality, received, event FROM hot"
                    f" WHERE (ts, sid) = {last}",
                    ("register_02",),
                )
                store.execute(f"UPDATE hot SET value = value + 1 WHERE (ts, sid) = {last}", ("register_03",))

    asyncio.run(tampered())
    # a changed value is one lost and one that nobody said
    assert (outcome.lost, outcome.twice, outcome.invented) == (2, 1, 1)
    assert not outcome.passed


async def test_a_process_that_ends_by_itself_is_told_of_with_its_last_words(tmp_path):
    async def ready(part: Part) -> bool:
        return part.running

    brief = Part("brief", [sys.executable, "-c", "exit('no bus here')"], tmp_path / "brief.log", ready)
    await brief.start(wait=False)
    await brief.process.wait()
    assert brief.notice_fall()
    assert not brief.notice_fall()
    assert brief.falls == ["brief ended by itself, exit code 1\nno bus here"]

    killed = Part("killed", [sys.executable, "-c", "input()"], tmp_path / "killed.log", ready)
    await killed.start()
    await killed.kill()
    assert not killed.notice_fall()


def test_the_same_seed_makes_the_same_plan():
    def plan(seed: int) -> list[str]:
        dice = Dice("kill-edge", seed)
        dice.blows("kill", ("a", "b"), 5, after=(0, 1), lasts=(0, 1))
        return dice.plan

    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


def test_scenarios_are_listed_and_an_unknown_one_is_refused_with_the_known_ones():
    listed = subprocess.run(
        [*CHAOS, "--list"], capture_output=True, text=True, check=True,
        env={**os.environ, "COLUMNS": "200", "GRIDWARDEN_LANG": "en"},
    ).stdout  # fmt: skip
    assert all(name in listed for name in SCENARIOS)
    refused = subprocess.run([*CHAOS, "nonsense"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "kill-edge" in refused.stderr


@pytest.mark.timeout(300)
def test_the_command_shows_a_table_and_writes_json_and_the_page(tmp_path):
    file, page = tmp_path / "found.json", tmp_path / "page.md"
    done = subprocess.run(
        [*CHAOS, "calm", "--quick", "--seed", "3", "--json", str(file), "--report", str(page)],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (outcome,) = json.loads(file.read_text())["outcomes"]
    assert outcome["passed"]
    assert 0 < outcome["sent"] <= outcome["stored"] <= outcome["sent"] + outcome["doubtful"]
    assert f"| calm | 3 | {outcome['sent']:,} |" in page.read_text()
    assert sorted(tmp_path.iterdir()) == [file, page]
