"""The generated community: its counts, its kitchen, and that it loads without a word."""

from collections import Counter
from pathlib import Path

import pytest

from registry.grids import GridKind, Role
from registry.loading import load_site
from registry.site import Site
from simulators.community import (
    CORRIDOR_SMOKE,
    KITCHEN,
    KITCHEN_CLIMATE,
    KITCHEN_SMOKE,
    STAIRS_CAMERA,
    write_community,
)


@pytest.fixture(scope="module")
def reference(community: Path) -> Site:
    loaded = load_site(community, drivers=("zigbee2mqtt", "frigate", "modbus-rtu"))
    assert loaded.problems == ()
    return loaded.unwrap()


def test_the_grids_are_those_of_the_case_study(reference: Site) -> None:
    counts = Counter((grid.kind, grid.level) for grid in reference.grids.values())
    assert [counts[GridKind.RESIDENTIAL, level] for level in (1, 2, 3)] == [8, 169, 455]
    assert [counts[GridKind.STREET, level] for level in (1, 2, 3)] == [3, 67, 267]
    assert [counts[GridKind.COMMERCIAL, level] for level in (1, 2, 3)] == [1, 7, 23]
    assert len(reference.grids) == 1000
    assert all(reference.children(grid.id) for grid in reference.grids.values() if grid.level < 3)


def test_749_places_have_a_sign(reference: Site) -> None:
    assert len({place.sign for place in reference.places.values() if place.sign}) == 749


def test_every_level_3_grid_has_an_officer_of_its_own_level_with_at_most_three(reference: Site) -> None:
    third = [grid for grid in reference.grids.values() if grid.level == 3]
    rounds = Counter(grid.officer for grid in third)
    assert None not in rounds
    assert max(rounds.values()) <= 3
    assert all(grid.officer for grid in reference.grids.values())
    roles = Counter(person.role for person in reference.people.values())
    assert roles[Role.SMART_CENTRE] == 3
    departments = {person.unit for person in reference.people.values() if person.role is Role.DEPARTMENT}
    assert departments == {"coordination", "residents", "social-affairs", "city-management"}
    assert roles[Role.VERIFIER] >= 1


def test_the_mix_of_devices_is_as_promised(reference: Site) -> None:
    classes = Counter(reference.type_of(device).id for device in reference.devices.values())
    assert classes["z2m-smoke"] + classes["lift-controller"] == 1200
    assert classes["z2m-door"] + classes["z2m-lock-door"] == 280
    assert (classes["z2m-climate"], classes["z2m-gas"], classes["frigate-camera"]) == (160, 120, 120)
    assert sum(kind.modbus is not None for kind in map(reference.type_of, reference.devices.values())) == 120
    assert len(reference.devices) == 2000 + len(reference.edges)  # and the edges themselves
    buses = Counter(
        (device.edge, device.connection)
        for device in reference.devices.values()
        if device.connection.startswith("rs485")
    )
    assert max(buses.values()) <= 32


def test_the_kitchen_of_the_scenarios_has_its_detectors_in_one_fire_zone(reference: Site) -> None:
    devices = [
        reference.devices[name] for name in (KITCHEN_SMOKE, KITCHEN_CLIMATE, CORRIDOR_SMOKE, STAIRS_CAMERA)
    ]
    assert {reference.place_of(device).fire_zone for device in devices} == {"linbin-8-2-6"}
    kitchen = reference.places[KITCHEN]
    assert (kitchen.building, kitchen.unit, kitchen.floor) == ("临滨苑8号楼", "2", "6")
    officer = reference.officer_of(KITCHEN)
    assert officer is not None
    assert officer.id.startswith("officer-r1-")


def test_closed_places_have_cameras_and_calendars(reference: Site) -> None:
    watched = {
        reference.place_of(device).closed
        for device in reference.devices.values()
        if device.type == "frigate-camera"
    }
    assert {"kindergarten-closed", "market-closed", "centre-closed", "shops-closed"} <= watched


def test_places_lie_within_the_community(reference: Site) -> None:
    assert reference.position is not None
    for place in reference.places.values():
        assert place.x is not None
        assert place.y is not None
        assert abs(place.x - reference.position.x) < 0.025
        assert abs(place.y - reference.position.y) < 0.02


def test_categories_are_complete_in_both_languages(reference: Site) -> None:
    assert set(reference.categories) == {"fire", "gas", "intrusion", "door", "device_fault", "environment"}
    for category in reference.categories.values():
        for text in (category.label, category.filing, category.closing_standard):
            assert set(text) == {"zh", "en"}
        assert any(wanted.required for wanted in category.evidence)
        assert category.unit in reference.units
    assert reference.categories["fire"].urgent
    assert not reference.categories["device_fault"].urgent


@pytest.mark.parametrize("devices", [10, 11, 57, 400])
def test_a_smaller_community_is_a_part_of_a_larger_one(tmp_path: Path, reference: Site, devices: int) -> None:
    summary = write_community(tmp_path, devices=devices)
    loaded = load_site(tmp_path)
    assert loaded.problems == ()
    small = loaded.unwrap()
    assert summary.total == devices
    assert sum(summary.edges.values()) == devices
    assert {KITCHEN_SMOKE, KITCHEN_CLIMATE, CORRIDOR_SMOKE, STAIRS_CAMERA} <= small.devices.keys()
    for device in small.devices.values():
        assert reference.devices[device.id] == device
        assert reference.place_of(device).id == small.place_of(device).id
    assert small.people == reference.people
    assert small.grids == reference.grids


def test_the_same_seed_writes_the_same_bytes_and_another_seed_other_people(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        write_community(folder, devices=50, seed=seed)
    first, again, other = ({f.name: f.read_bytes() for f in x.rglob("*.*") if f.is_file()} for x in folders)
    assert first == again
    assert first["people.csv"] != other["people.csv"]


def test_twenty_thousand_devices_load_without_a_problem(tmp_path: Path) -> None:
    write_community(tmp_path, devices=20_000)
    loaded = load_site(tmp_path)
    assert loaded.problems == ()
    assert len(loaded.unwrap().devices) == 20_002


@pytest.mark.parametrize("devices", [0, 9, 50_001])
def test_another_number_of_devices_is_refused(tmp_path: Path, devices: int) -> None:
    with pytest.raises(ValueError, match="10 to 50000"):
        write_community(tmp_path, devices=devices)


def test_settings_name_the_secrets_file_and_hold_no_secret(tmp_path: Path) -> None:
    write_community(
        tmp_path,
        devices=10,
        broker_url="mqtt://127.0.0.1:21883",
        serial_dir="/var/lines",
        username="mqtt",
        password_file="/run/mqtt.password",
    )
    wiring = load_site(tmp_path).unwrap().edges["binhu-east"]
    assert [connection.id for connection in wiring.connections] == ["z2m", "frigate", "rs485-1"]
    assert wiring.connections[0].settings == {
        "broker": "mqtt://127.0.0.1:21883",
        "username": "mqtt",
        "password_file": "/run/mqtt.password",
        "topic": "zigbee2mqtt/binhu-east",
    }
    assert wiring.connections[2].settings["port"] == "/var/lines/binhu-east-rs485-1"
