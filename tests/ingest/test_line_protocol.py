"""Line protocol, character by character."""

import math
from collections.abc import Iterable

from ingest.stores.line_protocol import LineEncoder, readings_by_line, tag_value
from readings import Quality, Reading, Scalar
from registry.site import Site
from tests.ingest.world import NOW, SECOND

SMOKE_1 = "smoke,device=smoke-1,edge=edge-1,grid1=R1,grid2=R1-01,grid3=R1-01-01,place=kitchen,type=z2m-smoke"


def reading(
    point: str, value: Scalar, *, device: str = "smoke-1", time: int = NOW, **more: object
) -> Reading:
    return Reading(device, point, value, time, NOW + SECOND, NOW, **more)  # type: ignore[arg-type]


def lines_of(site: Site, readings: Iterable[Reading]) -> list[str]:
    return [line.decode() for line in LineEncoder(site).lines(readings)]


def test_readings_of_one_device_and_time_share_a_line(site: Site) -> None:
    readings = [
        reading("battery", 87.0),
        reading("smoke", value=True),
        reading("battery", 86.5, time=NOW + 1),
        reading("open", value=False, device="door-1", time=NOW + 1),
    ]
    assert lines_of(site, readings)[:2] == [
        f"{SMOKE_1} battery=87.0,smoke=true {NOW}",
        f"{SMOKE_1} battery=86.5 {NOW + 1}",
    ]
    assert readings_by_line(readings) == [readings[:2], readings[2:3], readings[3:]]


def test_types_of_fields_never_depend_on_the_value(site: Site) -> None:
    values: list[Scalar] = [1.0, 1e300, 5e-324, 7, True, 'a "quoted" \\ word,=\U0001f6aa']
    lines = lines_of(site, [reading("p", value, time=NOW + n) for n, value in enumerate(values)])
    fields = [line.removeprefix(SMOKE_1).rpartition(" ")[0].strip() for line in lines]
    assert fields == [
        "p=1.0",
        "p=1e+300",
        "p=5e-324",
        "p=7i",
        "p=true",
        'p="a \\"quoted\\" \\\\ word,=\U0001f6aa"',
    ]


def test_what_is_doubtful_stands_in_fields_of_its_own_point(site: Site) -> None:
    suspect = Quality.CLOCK_SUSPECT | Quality.LATE
    lines = lines_of(
        site,
        [
            reading("battery", 1.0, quality=suspect, event="e 1"),
            reading("voltage", math.nan, quality=Quality.NOT_A_NUMBER),
            reading("smoke", math.inf, time=NOW + 1),
        ],
    )
    marks = f"battery.quality={int(suspect)}i,battery.received={NOW + SECOND}i"
    assert lines == [
        f'{SMOKE_1} battery=1.0,{marks},battery.event="e 1",voltage.quality=2i {NOW}',
        f"{SMOKE_1} smoke.quality=2i {NOW + 1}",
    ]


def test_tags_are_escaped(site: Site) -> None:
    (line,) = lines_of(site, [reading("smoke", value=True, device="smoke-2")])
    assert ",place=3号楼\\,\\ 1\\=东\\ \U0001f525,type=" in line
    assert tag_value("line\nbreak\\") == "line\\ break"


def test_a_device_that_is_gone_keeps_its_readings(site: Site) -> None:
    (line,) = lines_of(site, [reading("p", 1.0, device="gone")])
    assert line == f"unregistered,device=gone p=1.0 {NOW}"
