"""Whatever people call buildings, grids and devices: it is written, offered as a choice, and chosen alone."""

import re
from collections.abc import Iterator

import pytest

from cases.store import OperationsStore
from dashboards.expansion import queries, variables
from readings import Reading
from registry.device_types import DeviceType, Kind, Point
from registry.devices import Device, EdgeWiring
from registry.grids import Grid, GridKind, Place
from registry.site import Site
from tests.dashboards.day import HOUR, MINUTE, Day
from tests.dashboards.day_in_influx import Told, document, told_of

NOW = 1_790_000_000_000_000_000
NAMES = (
    "临滨苑 8 号楼, A=1 🏠",
    "a.b*c+d?(e)[f]{g}|h^i$j/k",
    "the \"Old Mill\" 'inn'",
    "back\\slash, here",
    "a.bxc",
    "tab\tand  two spaces",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("names")
    store = OperationsStore(f"sqlite:///{folder / 'operations.db'}")
    store.migrate()
    day = Day(_site(), [], NOW - HOUR, NOW, store)
    day.spoken = [
        Reading(f"d{number}", "temperature", 20.0 + number, NOW - MINUTE, NOW, NOW)
        for number in range(len(NAMES))
    ]
    with told_of(day, folder) as found:
        yield found


def _site() -> Site:
    live = GridKind.RESIDENTIAL
    grids = [Grid(id="R1", name={"zh": "全", "en": "All"}, kind=live, level=1)]
    grids += [
        Grid(id=f"R1-{number}", name={"zh": name, "en": name}, kind=live, level=2, parent="R1")
        for number, name in enumerate(NAMES)
    ]
    grids += [
        Grid(id=f"R1-{number}-1", name={"zh": name, "en": name}, kind=live, level=3, parent=f"R1-{number}")
        for number, name in enumerate(NAMES)
    ]
    return Site.of(
        name="滨湖世纪",
        grids=grids,
        places=[
            Place(
                id=f"p{number}",
                name={"zh": name, "en": name},
                grid=f"R1-{number}-1",
                building=name,
                floor=name,
            )
            for number, name in enumerate(NAMES)
        ],
        types=[
            DeviceType(
                id="climate",
                device_class="environment",
                label={"zh": "温度", "en": "Temperature"},
                points=(Point(name="temperature", kind=Kind.NUMBER, unit="Cel"),),
            )
        ],
        devices=[
            Device(
                id=f"d{number}",
                name=name,
                type="climate",
                place=f"p{number}",
                edge="e1",
                connection="z",
                address=str(number),
            )
            for number, name in enumerate(NAMES)
        ],
        edges=[EdgeWiring(id="e1", connections=())],
    )


def offered(told: Told, board: str, name: str) -> list[str]:
    """What people choose from."""
    page = document(board, "en")
    (variable,) = (one for found, one in variables(page) if found == name)
    rows = told.ask(told.view(page).fill(variable["query"]))
    column = [str(value) for row in rows for key, value in row.items() if key != "time"]
    return [one.rpartition("|")[0] for one in column] if variable.get("regex") else column


def test_every_name_is_offered_as_it_is_written(told: Told) -> None:
    assert sorted(offered(told, "fire", "building")) == sorted(NAMES)
    shown = sorted(name.replace("|", "/") for name in NAMES)  # it divides a name from an id
    assert sorted(offered(told, "fire", "grid2")) == shown
    assert sorted(offered(told, "device", "device")) == shown


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_a_building_that_is_chosen_is_shown_and_no_other(told: Told, number: int) -> None:
    page = document("fire", "en")
    (query,) = (text for title, _, text in queries(page) if title == "Temperature by building")
    for hours in (1, 24 * 30):
        rows = told.ask(told.view(page, hours, building=[NAMES[number]]).fill(query))
        assert {row["building"] for row in rows} == {NAMES[number]}
        assert {row["max"] for row in rows if row["max"] is not None} == {20.0 + number}


def test_two_buildings_that_are_chosen_are_both_shown(told: Told) -> None:
    page = document("fire", "en")
    (query,) = (text for title, _, text in queries(page) if title == "Temperature by building")
    rows = told.ask(told.view(page, 1, building=[NAMES[0], NAMES[1]]).fill(query))
    assert {row["building"] for row in rows} == {NAMES[0], NAMES[1]}


def test_names_in_tables_are_as_they_were_written(told: Told) -> None:
    page = document("overview", "en")
    (query,) = (text for title, _, text in queries(page) if re.match("State by grid, level 2", title))
    shown = {str(value) for row in told.ask(told.view(page).fill(query)) for value in row.values()}
    assert set(NAMES) <= shown
