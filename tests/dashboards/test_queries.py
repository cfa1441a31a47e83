"""Every query of every panel against a real InfluxDB with a simulated day; figures equal the simulators'."""

import re
from string import ascii_uppercase
from typing import Any

import pytest

from dashboards.boards import BOARDS
from dashboards.boards.cameras import SEEN
from dashboards.context import Context, Source
from dashboards.expansion import View, queries, variables
from dashboards.watching import queries as watched
from tests.dashboards.day import HOUR
from tests.dashboards.day_in_influx import DATABASE, Told, document

QUIET = {
    "fire": {"Pre-alarms now", "Faults and tampering"},
    "device": {"Alarms in this time"},
    "gateway": {"Parts that do not work"},
}
"""Panels that are empty when all is well, as it is in this day."""


def busy_place(told: Told) -> dict[str, list[str]]:
    """A grid of each level, and a building, that many devices hang in."""
    day = told.day
    kitchen = next(device for device, reading in day.of("smoke", "smoke") if reading.value is True)
    grids = day.site.grid_path(kitchen.place)
    building = day.site.place_of(kitchen).building
    return {
        "grid1": [grids[0].id], "grid2": [grids[1].id], "grid3": [grids[2].id], "building": [building],
    }  # fmt: skip


@pytest.mark.parametrize("board", BOARDS)
def test_every_query_answers_with_everything_chosen(told: Told, board: str) -> None:
    page = document(board, "en")
    view = told.view(page, device=[busiest(told)] if board == "device" else ["$__all"])
    answered: dict[str, bool] = {}
    for title, _, query in queries(page):
        answered[title] = bool(told.ask(view.fill(query))) or answered.get(title, False)
    assert {title for title, some in answered.items() if not some} == QUIET.get(board, set())


def busiest(told: Told) -> str:
    return next(device.id for device, reading in told.day.of("environment", "temperature"))


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_every_query_is_accepted_with_narrower_choices(told: Told, board: str, levels: int) -> None:
    place = busy_place(told)
    chosen = {name: place[name] for name in ("grid1", "grid2", "grid3", "building")[:levels]}
    page = document(board, "en")
    for hours in (1, 24, 24 * 30, 24 * 400):
        view = told.view(page, hours, **chosen, device=[busiest(told)])
        for _, _, query in queries(page):
            told.ask(view.fill(query))


@pytest.mark.parametrize("board", BOARDS)
def test_variables_offer_what_there_is(told: Told, board: str) -> None:
    page = document(board)
    offered = {}
    for name, variable in variables(page):
        view = told.view(page)
        rows = told.ask(view.fill(variable["query"]))
        column = [str(value) for row in rows for key, value in row.items() if key != "time"]
        pattern = variable.get("regex")
        offered[name] = [re.search(r"(.+)\|([^|]+)", one)[2] if pattern else one for one in column]  # type: ignore[index]
    site = told.day.site
    for level in (1, 2, 3):
        if f"grid{level}" in offered:
            expected = {grid.id for grid in site.grids.values() if grid.level == level}
            assert set(offered[f"grid{level}"]) == expected
    if "building" in offered:
        assert set(offered["building"]) == {
            site.place_of(device).building for device in site.devices.values()
        } - {""}
    if board == "doors":
        assert set(offered["device"]) == {
            device.id for device in site.devices.values() if site.type_of(device).device_class == "door"
        }


def test_a_lower_level_offers_what_lies_in_the_chosen_grid(told: Told) -> None:
    page, place = document("fire"), busy_place(told)
    (query,) = (one["query"] for name, one in variables(page) if name == "grid3")
    view = told.view(page, grid1=place["grid1"], grid2=place["grid2"])
    offered = {row["label_zh"].rpartition("|")[2] for row in told.ask(view.fill(query))}
    assert offered == {grid.id for grid in told.day.site.children(place["grid2"][0])}


def test_several_grids_at_once_are_either_of_them(told: Told) -> None:
    day = told.day
    first, second = [grid.id for grid in day.site.grids.values() if grid.level == 1][:2]
    page = document("doors")
    (query,) = (text for title, _, text in queries(page) if title == "授权通行" or title == "granted")
    counted = {
        grids: told.ask(told.view(page, grid1=[*grids]).fill(query))
        for grids in ((first,), (second,), (first, second))
    }
    sums = {grids: sum(row["count"] for row in rows) for grids, rows in counted.items()}
    assert sums[first, second] == sums[first,] + sums[second,] > 0


def test_what_grafana_watches_is_there_in_a_day_in_which_all_is_well(told: Told) -> None:
    for name, query in watched(Context("en", Source(database=DATABASE))):
        (row,) = told.ask(query)
        assert row["count"] > 0, name


def test_a_gateway_and_edges_that_say_nothing_leave_no_answer(told: Told) -> None:
    context = Context("en", Source(database=DATABASE))
    before = f"{told.day.start - 24 * HOUR}ns"
    asked = [query.replace("now()", before) + f" AND time < {before}" for _, query in watched(context)]
    assert [told.ask(query) for query in asked] == [[], []]


# ------------------------------------------------------------------------------------------ the figures


def asked(told: Told, board: str, ref: str = "A", *, hours: float = 24, **chosen: list[str]) -> Any:
    """The rows of panels by title."""
    page = document(board, "en")
    view: View = told.view(page, hours, **chosen)
    return {title: told.ask(view.fill(query)) for title, one, query in queries(page) if one == ref}


def test_the_overview_says_what_the_operations_database_says(told: Told) -> None:
    shown = asked(told, "overview")
    with told.day.store.reading() as ask:
        totals = ask.totals(told.day.end)
        open_alarms = ask.alarms(limit=1000).items
    assert shown["Seen by nobody"][0]["sum"] == totals.unacknowledged
    assert shown["Open cases"][0]["sum"] == totals.cases
    assert shown["Overdue cases"][0]["sum"] == totals.overdue
    assert len(shown["Open alarms"]) == len(open_alarms)
    assert {row["id"] for row in shown["Open alarms"]} == {alarm.id for alarm in open_alarms}
    burning = [
        alarm
        for alarm in open_alarms
        if alarm.severity.value in ("critical", "high") and alarm.standing and not alarm.suppressed_by
    ]
    assert shown["Burning now"][0]["sum"] == len(burning) > 0


def test_the_state_by_grid_is_the_tally_of_its_grid(told: Told) -> None:
    with told.day.store.reading() as ask:
        tallies = ask.tallies(told.day.end)
    rows = asked(told, "overview")["State by grid, level 2"]
    assert len(rows) == sum(grid.level == 2 for grid in told.day.site.grids.values())
    for row in rows:
        tally = tallies.get(row["grid"])
        assert row["alarms"] == (tally.alarms if tally else 0), row
        assert row["cases"] == (tally.cases if tally else 0), row


def test_doors_count_what_the_simulators_sent(told: Told) -> None:
    shown = asked(told, "doors")
    for event in ("granted", "denied", "forced_open", "held_open"):
        assert shown[event.replace("_", " ")][0]["count"] == told.day.count("door", "event", event), event
    per_hour = shown["Passages by door and hour"]
    assert sum(row["count"] for row in per_hour) == told.day.count("door", "event", "granted")
    by_door: dict[str, int] = {}
    for device, reading in told.day.of("door", "event"):
        by_door[device.id] = by_door.get(device.id, 0) + (reading.value == "granted")
    assert {row["device"]: row["granted"] for row in shown["By door"]} == {
        device: count for device, count in by_door.items() if count
    }


def test_temperature_by_building_keeps_every_peak(told: Told) -> None:
    hottest: dict[str, float] = {}
    for device, reading in told.day.of("environment", "temperature"):
        building = told.day.site.place_of(device).building
        hottest[building] = max(hottest.get(building, -99.0), float(reading.value))
    assert max(hottest.values()) > 70  # the fire
    for hours in (24.1, 24 * 10, 24 * 100):  # readings, roll-ups of a minute, of an hour
        shown: dict[str, float] = {}
        for row in asked(told, "fire", hours=hours)["Temperature by building"]:
            shown[row["building"]] = max(shown.get(row["building"], -99.0), row["max"])
        assert shown == hottest, hours


def test_cameras_count_by_class(told: Told) -> None:
    people = sum(row["count"] for row in asked(told, "cameras")["Seen, by class"])
    assert people == told.day.count("camera", "event", "person") > 0
    last = ascii_uppercase[len(SEEN)]
    others = sum(row["count"] for row in asked(told, "cameras", last)["Seen, by class"])
    assert others == sum(reading.value not in SEEN for _, reading in told.day.of("camera", "event")) > 0


def test_case_work_follows_from_the_cases(told: Told) -> None:
    shown = asked(told, "cases", hours=25)
    counted = [
        case for case in told.day.cases if case.state.value not in ("recorded", "rejected", "duplicate")
    ]
    due = [case for case in counted if case.closed or case.clock.overdue]
    on_time = [case for case in due if case.closed and case.clock.overdue is None]
    assert shown["Opened"][0]["count"] == len(counted)
    (rate,) = shown["Closed on time"]
    assert rate["sum_sum"] == pytest.approx(len(on_time) / len(due))
    assert 0 < len(on_time) < len(due)


def test_the_latest_readings_of_a_device_are_its_own(told: Told) -> None:
    device = busiest(told)
    rows = asked(told, "device", device=[device])["Latest readings"]
    newest = max(reading.time for reading in told.day.spoken if reading.device == device)
    assert rows[0]["time"] == newest


def test_the_gateway_page_shows_the_gauges(told: Told) -> None:
    shown = asked(told, "gateway")
    assert shown["Parts that do not work"] == []
    assert shown["Books"][0]["last"] == 1
    assert shown["Batches waiting"][0]["sum"] == 3
    assert told.day.end - shown["Books"][0]["time"] <= HOUR
