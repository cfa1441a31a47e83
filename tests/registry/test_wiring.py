"""An edge's view of the site."""

from collections.abc import Callable
from pathlib import Path

from registry.loading import load_site
from registry.wiring import load_wiring

Edit = Callable[[str, str, str], None]


def said(folder: Path, edge: str) -> list[str]:
    return [str(problem) for problem in load_wiring(folder, edge).problems]


def test_an_edge_sees_its_own_devices_and_their_types_only(folder: Path) -> None:
    wiring = load_wiring(folder, "east").wiring
    assert wiring is not None
    assert set(wiring.devices) == {"smoke-1", "smoke-2", "temp-1", "east"}
    assert set(wiring.types) == {"z2m-smoke", "xy-md02", "edge-box"}
    assert wiring.timezone == "Asia/Shanghai"
    assert [device.id for device in wiring.devices_on("z2m")] == ["smoke-1", "smoke-2"]
    temperature = wiring.device_at("rs485-1/17")
    assert temperature is not None
    point = wiring.native_point(temperature, "temperature")
    assert point is not None
    assert point.lane == "alarm"


def test_an_edge_and_the_site_agree_on_every_device(community: Path) -> None:
    site = load_site(community).unwrap()
    for edge in site.edges:
        wiring = load_wiring(community, edge).wiring
        assert wiring is not None
        assert dict(wiring.devices) == {device.id: device for device in site.devices_of(edge)}


def test_a_mistake_in_somebody_elses_part_keeps_no_edge_from_starting(folder: Path, edit: Edit) -> None:
    (folder / "grids.csv").write_text("rubbish", encoding="utf-8")
    (folder / "edges" / "west.yaml").write_text("id: [", encoding="utf-8")
    (folder / "types").mkdir()
    (folder / "types" / "other.yaml").write_text("id: other\n", encoding="utf-8")
    edit("devices.csv", "camera-1,frigate-camera", "camera-1,no-such-type")
    edit("devices.csv", "west,frigate,hall", "west,frigate,hall,too,many,cells")
    assert load_site(folder).site is None
    assert said(folder, "east") == []


def test_a_mistake_in_its_own_part_is_reported(folder: Path, edit: Edit) -> None:
    edit("devices.csv", "smoke-2,z2m-smoke", "smoke-2,z2m-smok")
    edit("devices.csv", "rs485-1,17", "rs485-2,17")
    of_type, of_wire = said(folder, "east")
    assert of_type == (
        "devices.csv:3: error: type: there is no device type `z2m-smok`; did you mean `z2m-smoke`?"
    )
    assert "the edge east has no connection `rs485-2`; did you mean `rs485-1`?" in of_wire


def test_an_edge_that_does_not_exist_gets_the_one_that_was_meant(folder: Path) -> None:
    assert "did you mean `east`?" in said(folder, "eas")[0]
    assert "the edges are: east, west" in said(folder, "q")[0]


def test_a_broken_file_of_its_own_is_reported(folder: Path) -> None:
    (folder / "edges" / "east.yaml").write_text("id: east\nconnections: [\n", encoding="utf-8")
    assert any("this is not YAML" in problem for problem in said(folder, "east"))
