"""Scenarios: loading with the spot of every mistake, casting, and the order of what happens."""

import itertools
import random
from pathlib import Path

import pytest

from registry.problems import InvalidConfiguration
from simulators.casting import NotPlayable, cast
from simulators.device import Break, Fault, Glide, Hold, Occur, Release, Report, spoken
from simulators.scenario import Scenario, available, load_scenario
from simulators.timeline import Stage, timeline


def scenario(**content) -> Scenario:
    return Scenario.model_validate({"id": "test", "title": "Test", **content})


def stage(house, *others: Scenario) -> Stage:
    return Stage(house, {other.id: other for other in others}.__getitem__, random.Random(1))


def actions(found: Scenario, house, *others: Scenario, limit: int = 1000):
    return list(itertools.islice(timeline(found, stage(house, *others)), limit))


def changes(found: Scenario, house, *others: Scenario, limit: int = 1000):
    return [
        (action.at, action.devices, action.change)
        for action in actions(found, house, *others, limit=limit)
        if action.change is not None
    ]


# loading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(available()))
def test_every_shipped_scenario_loads_and_says_what_it_is_in_both_languages(name):
    found = load_scenario(name)
    assert set(found.title) == {"zh", "en"}
    assert set(found.description) == {"zh", "en"}
    assert all(set(step.say) in (set(), {"zh", "en"}) for step in found.steps)


def test_the_promised_scenarios_are_there():
    promised = {"kitchen-fire", "door-forced-at-night", "detector-dying", "noisy-detector", "lift-200"}
    assert promised | {"quiet-day", "demo"} <= set(available())


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (3, "  - {at: soon, device: a, set: {smoke: true}}", "no time"),
        (3, "  - {at: 1s, device: a, sett: {smoke: true}}", "unknown key `sett`"),
        (3, "  - {at: 1s, device: a}", "exactly one of"),
        (3, "  - {at: 1s, device: a, fault: silent, release: true}", "exactly one of"),
        (3, "  - {at: 1s, set: {smoke: true}}", "needs a `device`"),
        (3, "  - {at: 1s, device: a, fault: sillent}", "silent"),
        (3, "  - {at: 1s, play: kitchen-fir}", "kitchen-fire"),
        (4, "  - {at: 1s, device: a, fault: silent}\n  - {at: -1, device: a, release: true}", "0"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, line, text, said):
    file = tmp_path / "wrong.yaml"
    file.write_text(f"title: Wrong\nsteps:\n{text}\n")
    with pytest.raises(InvalidConfiguration) as caught:
        load_scenario(file)
    assert [problem.line for problem in caught.value.problems] == [line]
    assert said in str(caught.value)


def test_an_actor_stands_only_beside_one_named_before(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("title: Wrong\nactors:\n  a: {same: {fire_zone: kitchn}}\n  kitchen: {}\n")
    with pytest.raises(InvalidConfiguration, match="no actor `kitchn`"):
        load_scenario(file)


def test_an_unknown_name_gets_the_one_that_was_meant():
    with pytest.raises(InvalidConfiguration, match="kitchen-fire"):
        load_scenario("kitchen-fier")


def test_a_sites_own_scenario_wins_over_a_shipped_one(tmp_path):
    (tmp_path / "kitchen-fire.yaml").write_text("title: Ours\n")
    assert load_scenario("kitchen-fire", tmp_path).title["en"] == "Ours"


# casting -----------------------------------------------------------------------------------------


def test_the_kitchen_fire_plays_in_one_fire_zone(house):
    players = cast(load_scenario("kitchen-fire"), house)
    assert {actor: [device.id for device in devices] for actor, devices in players.items()} == {
        "kitchen": ["kitchen-smoke"],
        "thermometer": ["kitchen-climate"],
        "corridor": ["corridor-smoke"],
        "stairs": ["corridor-camera"],
    }


def test_a_fire_zones_name_counts_within_its_building(house):
    found = scenario(
        actors={
            "one": {"device": "flat-smoke"},
            "two": {"device_class": "smoke", "same": {"fire_zone": "one"}},
        },
    )
    with pytest.raises(NotPlayable, match="two"):
        cast(found, house)


def test_an_optional_actor_is_left_out_only_when_there_is_no_way(house):
    actors = {
        "detector": {"device_class": "smoke"},
        "camera": {"device_class": "camera", "same": {"building": "detector"}, "optional": True},
    }
    assert cast(scenario(actors=actors), house)["camera"][0].id == "corridor-camera"
    del house.devices["corridor-camera"]
    players = cast(scenario(actors=actors), house)
    assert "camera" not in players
    assert players["detector"][0].id == "flat-smoke", "the first that fits"


def test_one_device_plays_one_part_and_a_part_may_need_many(house):
    players = cast(
        scenario(actors={"all": {"device_class": "smoke", "count": 3}, "one": {"points": "smoke"}}), house
    )
    ids = [device.id for devices in players.values() for device in devices]
    assert len(ids) == len(set(ids)) == 4


# timeline ----------------------------------------------------------------------------------------


def test_steps_happen_in_the_order_of_time_whatever_their_order_in_the_file(house):
    found = scenario(
        steps=[
            {"at": "9s", "device": "kitchen-smoke", "set": {"smoke": False}},
            {"at": "1500ms", "device": "kitchen-smoke", "set": {"smoke": True}},
            {"at": 3, "device": "corridor-smoke", "fault": "silent"},
        ],
        ends="1m",
    )
    assert changes(found, house) == [
        (1.5, ("kitchen-smoke",), Hold({"smoke": True})),
        (3.0, ("corridor-smoke",), Break(Fault.SILENT)),
        (9.0, ("kitchen-smoke",), Hold({"smoke": False})),
        (60.0, ("kitchen-smoke", "corridor-smoke"), Release()),
    ]


def test_a_ramp_moves_evenly_to_its_end(house):
    ramp = {"from": 20, "to": 80, "over": "60s", "every": "15s"}
    found = scenario(steps=[{"at": 10, "device": "kitchen-climate", "set": {"temperature": ramp}}])
    glides = [(at, c.fraction) for at, _, c in changes(found, house) if isinstance(c, Glide)]
    assert glides == [(10.0, 0.0), (25.0, 0.25), (40.0, 0.5), (55.0, 0.75), (70.0, 1.0)]


def test_repetition_and_rate(house):
    found = scenario(
        steps=[
            {"at": 0, "device": "yard-camera", "event": "person", "repeat": {"every": "10s", "times": 3}},
            {"at": 100, "device": "kitchen-climate", "rate": {"readings": 50, "for": "2s"}},
        ]
    )
    found_changes = changes(found, house)
    assert [at for at, _, c in found_changes if isinstance(c, Occur)] == [0.0, 10.0, 20.0]
    reports = [at for at, _, c in found_changes if isinstance(c, Report)]
    points = len(house.types["z2m-climate"].points)
    assert len(reports) * points == 100
    assert reports[-1] < 102


def test_a_story_may_play_others_for_ever_and_in_turn(house):
    fire = scenario(id="fire", steps=[{"at": 1, "device": "kitchen-smoke", "set": {"smoke": True}}], ends=15)
    door = scenario(id="door", steps=[{"at": 2, "device": "yard-door", "event": "forced_open"}], ends=5)
    found = scenario(id="demo", steps=[{"at": 8, "play": ["fire", "door"], "repeat": {"every": 10}}])
    assert found.length() is None
    happened = [(at, type(c).__name__) for at, _, c in changes(found, house, fire, door, limit=30)]
    assert happened[:6] == [
        (9.0, "Hold"),
        (20.0, "Occur"),
        (23.0, "Release"),
        (23.0, "Release"),
        (29.0, "Hold"),
        (40.0, "Occur"),
    ]


def test_elsewhere_means_other_devices_and_the_same_seed_the_same_ones(house):
    fire = scenario(
        id="fire",
        actors={"any": {"device_class": "smoke"}},
        steps=[{"at": 0, "device": "any", "set": {"smoke": True}}],
        ends=1,
    )
    found = scenario(
        id="demo", steps=[{"at": 0, "play": "fire", "elsewhere": True, "repeat": {"every": 5, "times": 30}}]
    )
    first = [devices for _, devices, c in changes(found, house, fire) if isinstance(c, Hold)]
    assert len(set(first)) == 4
    assert first == [devices for _, devices, c in changes(found, house, fire) if isinstance(c, Hold)]


def test_a_story_inside_that_cannot_be_played_is_told_and_the_rest_goes_on(house):
    lift = scenario(id="lift", actors={"lift": {"device_class": "paternoster"}})
    found = scenario(
        steps=[
            {"at": 1, "play": "lift"},
            {"at": 2, "device": "kitchen-smoke", "set": {"smoke": True}},
        ]
    )
    told = [action.progress for action in actions(found, house, lift) if action.progress]
    assert [progress.kind for progress in told] == ["begin", "problem", "step", "end"]
    assert "lift" in told[1].sentence("en")


def test_everybody_who_took_part_is_released_at_the_end(house):
    found = load_scenario("kitchen-fire")
    *_, (at, devices, change) = changes(found, house)
    assert (at, change) == (found.length(), Release())
    assert set(devices) == {"kitchen-smoke", "kitchen-climate", "corridor-smoke", "corridor-camera"}


def test_progress_is_told_once_per_step_in_both_languages(house):
    told = [action.progress for action in actions(load_scenario("kitchen-fire"), house) if action.progress]
    sentences = [progress.sentence("en") for progress in told]
    assert len(sentences) == len(set(sentences)) == 2 + len(load_scenario("kitchen-fire").steps)
    assert any("Kitchen" in sentence and "smoke" in sentence for sentence in sentences)
    assert any("厨房" in progress.sentence("zh-CN") for progress in told)


def test_the_lift_talks_two_hundred_readings_a_second(house):
    found = changes(load_scenario("lift-200"), house, limit=100_000)
    reports = [(at, devices) for at, devices, c in found if isinstance(c, Report)]
    (name,) = {devices for _, devices in reports}
    assert name == ("lift",)
    points = len(spoken(house.types["lift-controller"]))
    assert len(reports) * points / 60 == pytest.approx(200, rel=0.02)


def test_files_beside_the_scenarios_stay_out(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no scenario")
    assert set(available(tmp_path)) == set(available())
