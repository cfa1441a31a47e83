"""What an edit of the folder changes."""

from collections.abc import Callable
from pathlib import Path

from registry.diff import Change, diff
from registry.loading import load_site
from registry.site import Site

Edit = Callable[[str, str, str], None]


def test_nothing_changed_is_false(folder: Path, site: Site) -> None:
    again = load_site(folder).unwrap()
    assert not diff(site, again)
    assert diff(site, again).affected == frozenset()


def test_devices_that_came_went_and_changed_are_told_apart(folder: Path, site: Site, edit: Edit) -> None:
    edit("devices.csv", "smoke-1,z2m-smoke,kitchen", "smoke-1,z2m-smoke,corridor")
    edit("devices.csv", "smoke-2,", "smoke-3,")
    change = diff(site, load_site(folder).unwrap())
    assert change.devices == Change(
        added=frozenset({"smoke-3"}), removed=frozenset({"smoke-2"}), changed=frozenset({"smoke-1"})
    )
    assert change.affected == {"smoke-1", "smoke-3"}
    assert not change.places


def test_an_edited_type_affects_its_devices(folder: Path, site: Site) -> None:
    (folder / "types").mkdir()
    (folder / "types" / "mine.yaml").write_text(
        "id: z2m-smoke\ndevice_class: smoke\npoints: [{name: smoke, kind: binary}]\n", encoding="utf-8"
    )
    change = diff(site, load_site(folder).unwrap())
    assert change.types.changed == {"z2m-smoke"}
    assert change.affected == {"smoke-1", "smoke-2"}


def test_a_new_officer_of_a_wide_grid_affects_whatever_hangs_in_it(
    folder: Path, site: Site, edit: Edit
) -> None:
    edit(
        "grids.csv",
        "R1-01-02,2号楼,Building 2,residential,3,R1-01,",
        "R1-01-02,2号楼,Building 2,residential,3,R1-01,wang",
    )
    change = diff(site, load_site(folder).unwrap())
    assert change.grids.changed == {"R1-01-02"}
    assert change.affected == {"temp-1", "camera-1", "west"}


def test_another_time_zone_is_said_apart(folder: Path, site: Site, edit: Edit) -> None:
    edit("site.yaml", "Asia/Shanghai", "Asia/Urumqi")
    change = diff(site, load_site(folder).unwrap())
    assert change
    assert change.timezone
    assert change.head
