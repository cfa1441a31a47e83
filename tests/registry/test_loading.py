"""A site from its folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from registry.loading import load_site
from registry.problems import InvalidConfiguration
from registry.site import Site

Edit = Callable[[str, str, str], None]


def said(folder: Path) -> list[str]:
    return [str(problem) for problem in load_site(folder).problems]


def test_a_sound_folder_has_no_problems(folder: Path) -> None:
    assert said(folder) == []


def test_a_device_is_found_by_its_wire(site: Site) -> None:
    device = site.device_at("east", "z2m/kitchen/smoke")
    assert device is not None
    assert device.id == "smoke-1"
    assert site.device_at("west", "z2m/kitchen/smoke") is None
    assert site.device_at("nobody", "x") is None


def test_a_place_knows_its_grids_and_the_nearest_officer(site: Site) -> None:
    assert [grid.id for grid in site.grid_path("kitchen")] == ["R1", "R1-01", "R1-01-01"]
    kitchen, hall = site.officer_of("kitchen"), site.officer_of("hall")
    assert kitchen is not None
    assert kitchen.id == "wang"
    assert hall is not None
    assert hall.id == "zhang"  # level 3 and 2 have nobody: the head of level 1
    assert [grid.id for grid in site.children("R1-01")] == ["R1-01-01", "R1-01-02"]
    assert [grid.id for grid in site.children()] == ["R1"]


def test_points_are_found_by_their_canonical_and_their_native_name(site: Site) -> None:
    smoke = site.devices["smoke-1"]
    voltage = site.point(smoke, "voltage")
    assert voltage is not None
    assert (voltage.unit, voltage.native_unit) == ("V", "mV")
    assert site.native_point(smoke, "nothing") is None
    assert site.type_of(smoke).device_class == "smoke"


def test_every_edge_is_a_device_of_its_own(site: Site) -> None:
    box = site.device_at("east", "edge/self")
    assert box is not None
    assert (box.id, box.type, box.place) == ("east", "edge-box", "kitchen")


def test_an_edges_own_device_may_be_put_in_by_hand(folder: Path, edit: Edit) -> None:
    edit("devices.csv", "smoke-1,", "box-1,edge-box,hall,east,edge,self\nsmoke-1,")
    site = load_site(folder).unwrap()
    assert "east" not in site.devices
    assert site.devices["box-1"].place == "hall"


def test_a_device_may_not_have_the_id_of_an_edge(folder: Path, edit: Edit) -> None:
    edit("devices.csv", "smoke-1,", "east,")
    assert said(folder) == ["edges/east.yaml:1:5: error: id: `east` is also the id of a device"]


def test_devices_may_be_written_in_yaml_and_in_a_table_at_once(folder: Path) -> None:
    (folder / "devices.yaml").write_text(
        "devices:\n"
        "  - {id: smoke-9, type: z2m-smoke, place: hall, edge: east, connection: z2m, address: nine,\n"
        "     overrides: {room-temperature.medium: 55}}\n",
        encoding="utf-8",
    )
    site = load_site(folder).unwrap()
    assert site.devices["smoke-9"].overrides == {"room-temperature.medium": 55.0}
    assert "smoke-1" in site.devices


def test_one_address_in_two_files_is_a_problem(folder: Path) -> None:
    (folder / "devices.yaml").write_text(
        "- {id: x, type: z2m-smoke, place: hall, edge: east, connection: z2m, address: kitchen/smoke}\n",
        encoding="utf-8",
    )
    (problem,) = said(folder)
    assert problem.startswith("devices.yaml:1:79: error: [0].address: ")
    assert problem.endswith("`east z2m/kitchen/smoke` is taken already (line 2 of devices.csv)")


def test_a_site_replaces_a_shipped_type_by_its_id(folder: Path) -> None:
    (folder / "types").mkdir()
    (folder / "types" / "mine.yaml").write_text(
        "id: z2m-smoke\ndevice_class: smoke\npoints: [{name: smoke, kind: binary, lane: alarm}]\n",
        encoding="utf-8",
    )
    site = load_site(folder).unwrap()
    assert [point.name for point in site.types["z2m-smoke"].points] == ["smoke"]
    assert "z2m-door" in site.types


def test_a_mistake_in_a_type_is_reported_once_and_not_for_its_devices(folder: Path) -> None:
    (folder / "types").mkdir()
    (folder / "types" / "mine.yaml").write_text("id: z2m-smoke\npoints: []\n", encoding="utf-8")
    assert said(folder) == ["types/mine.yaml:1:1: error: device_class: `device_class` is missing"]


def test_a_list_that_cannot_be_read_hides_nothing_and_blames_nobody(folder: Path) -> None:
    (folder / "places.csv").write_text("", encoding="utf-8")
    assert said(folder) == ["places.csv:1: error: the table has no heading"]


def test_a_grid_nobody_is_responsible_for_is_a_warning_and_the_site_loads(folder: Path, edit: Edit) -> None:
    edit("grids.csv", "1,,zhang", "1,,")
    loaded = load_site(folder)
    assert [str(problem) for problem in loaded.problems] == [
        "grids.csv:5: warning: id: nobody is responsible for the grid `R1-01-02` or those around it"
    ]
    assert loaded.site is not None
    assert loaded.site.officer_of("hall") is None


def test_a_folder_without_a_site_file_says_so(tmp_path: Path) -> None:
    loaded = load_site(tmp_path)
    assert [str(problem) for problem in loaded.problems] == [
        "site.yaml:1: error: cannot be read: No such file or directory"
    ]
    with pytest.raises(InvalidConfiguration, match="No such file"):
        loaded.unwrap()


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "name: []", "grids: {a: 1}", "timezone: 3", "calendars: [3]"]
)
def test_a_site_file_of_another_shape_is_reported_without_a_crash(folder: Path, text: str) -> None:
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    loaded = load_site(folder)
    assert loaded.site is None
    assert loaded.errors


def test_a_file_outside_the_folder_is_not_read(folder: Path, edit: Edit) -> None:
    edit("site.yaml", "timezone:", "places: ../places.csv\ntimezone:")
    assert "there is no table or YAML file `../places.csv` beside" in said(folder)[0]


def test_the_edges_keep_their_positions_for_whoever_knows_the_drivers(folder: Path) -> None:
    draft = load_site(folder).edges["east"]
    path = draft.listing.path(draft.index, ("connections", 1, "settings", "port"))
    assert draft.listing.positions.position(path)[0] == 5


def test_hours_of_every_calendar_are_ready_in_the_sites_zone(site: Site) -> None:
    midnight_in_hefei = 1_700_064_000 * 10**9  # 2023-11-16 00:00 +08:00
    assert site.hours["night"].is_open(midnight_in_hefei)
    assert not site.hours["office"].is_open(midnight_in_hefei)
