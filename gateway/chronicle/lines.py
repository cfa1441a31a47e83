"""The points of the chronicle: measurements, tags and fields. docs/influxdb.md has them as a table.

Flags are the integers 1 and 0, because InfluxQL adds numbers up and nothing else. Names come in both
languages. Tags hold what never changes while a thing lives: another tag would make another point.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import Metric

from cases.alarms import Alarm
from cases.case import Case
from cases.states import State
from gateway.api import schemas
from gateway.api.names import TAGS, Names, said
from ingest.stores.line_protocol import line
from language import translator
from readings import Scalar
from readings.measurements import ALARM, CASE, DEVICE, GRID, GRID_STATE
from registry.grids import Grid
from registry.site import Site

SECOND: Final = 1_000_000_000

LEFT_OUT: Final = frozenset({State.REJECTED, State.DUPLICATE, State.RECORDED, State.DEFERRED})
"""Cases that no indicator counts, besides drills (GRID.md)."""
_CREATED: Final = "_created"
"""The end of a sample's name in which prometheus-client says when a counter began."""


def alarm_line(alarm: Alarm, site: Site, names: Names) -> str:
    """One occurrence of an alarm, at the time it was raised."""
    device = site.devices.get(alarm.device)
    labels = alarm.labels
    place = labels.get("place", "")
    tags = {
        "building": labels.get("building", ""),
        "class": site.type_of(device).device_class if device is not None else "",
        "device": alarm.device,
        "place": place,
        "rule": alarm.rule,
        **_grids(alarm.grids),
    }
    what = names.of(alarm)
    where = names.device(device) if device is not None else names.where(alarm)
    fields: dict[str, Scalar | None] = {
        "id": alarm.id,
        "case": alarm.case,
        "severity": alarm.severity.value,
        "worst": alarm.worst.value,
        "rank": alarm.severity.rank,
        "condition": alarm.condition.value,
        "open": int(alarm.open),
        "standing": int(alarm.standing),
        "acknowledged": int(alarm.acknowledged),
        "seconds": _between(alarm.raised, alarm.cleared),
        "acknowledged_seconds": _between(alarm.noticed, alarm.acknowledged_at),
        "noticed_seconds": _between(alarm.raised, alarm.noticed),
        "no_data": int(alarm.no_data),
        "late": int(alarm.late),
        "replayed": int(alarm.replayed),
        "flapping": int(alarm.flapping),
        "prealarm": int(alarm.prealarm),
        "suppressed": int(bool(alarm.suppressed_by)),
        **_named("rule", what),
        **_named("where", where),
    }
    return line(ALARM, tags, fields, alarm.raised)


def case_line(case: Case, site: Site, names: Names, now: int) -> str:
    """A case, at the time it was opened."""
    grids = (*case.grids, "", "", "")[:3]
    known = next((site.grids[grid] for grid in grids if grid in site.grids), None)
    counted = not case.drill and case.state not in LEFT_OUT
    closed, late = case.state is State.CLOSED, case.clock.overdue is not None
    tags = {
        "building": case.building,
        "category": case.category,
        "kind": known.kind.value if known is not None else "",
        "place": case.place,
        **_grids(grids),
    }
    fields: dict[str, Scalar | None] = {
        "id": case.id,
        "state": case.state.value,
        "priority": case.priority,
        "open": int(case.open),
        "accepted": int(case.accepted is not None),
        "overdue": int(case.overdue_at(now)),
        "counted": int(counted),
        "due": int(counted and (closed or late)),
        "closed": int(counted and closed),
        "on_time": int(counted and closed and not late),
        "reworked": int(counted and case.rework > 0),
        "again": int(counted and case.reopened > 0),
        "rework": case.rework,
        "escalations": case.escalations,
        "alarms": case.alarms,
        "drill": int(case.drill),
        "level": case.level,
        "accept_seconds": _between(case.opened, case.accepted),
        "close_seconds": _between(case.opened, case.closed),
        "officer": names.person(case.officer) if case.officer else "",
        **_named("title", {language: translator(tag)(case.title_in(language)) for language, tag in TAGS}),
        **_named("category", case.category_label),
        **_named("where", case.place_name),
        **_named("holder", names.holder(case.holder)),
    }
    return line(CASE, tags, fields, case.opened)


def directory(site: Site, names: Names) -> Iterator[tuple[str, Mapping[str, str], Mapping[str, Scalar]]]:
    """Measurement, tags and fields of every grid and device; written at time 0.

    ``label_…`` is ``name|id``: what a variable of a dashboard shows, and what it stands for.
    """
    for grid in site.grids.values():
        tags = {
            "grid": grid.id,
            "kind": grid.kind.value,
            "level": str(grid.level),
            **_grids(_path(grid, site)[:2]),
        }
        yield GRID, tags, _entry(grid.id, grid.name)
    for device in site.devices.values():
        place = site.place_of(device)
        tags = {
            "building": place.building,
            "class": site.type_of(device).device_class,
            "device": device.id,
            "edge": device.edge,
            "floor": place.floor,
            "place": place.id,
            "type": device.type,
            **_grids(tuple(grid.id for grid in site.grid_path(place.id))),
        }
        where = {"building_name": place.building} if place.building else {}
        yield DEVICE, tags, _entry(device.id, names.device(device)) | where


def grid_line(tile: schemas.Tile, site: Site, time: int) -> str:
    """How a grid is at `time`, with everything below it."""
    grid = site.grids[tile.grid]
    tags = {
        "grid": grid.id,
        "kind": grid.kind.value,
        "level": str(grid.level),
        **_grids(_path(grid, site)),
    }
    fields: dict[str, Scalar | None] = {
        "alarms": tile.alarms,
        "unacknowledged": tile.unacknowledged,
        "cases": tile.cases,
        "overdue": tile.overdue,
        "devices": tile.devices,
        "silent": tile.silent,
        "rank": tile.worst.rank if tile.worst is not None else None,
        **_named("name", grid.name),
    }
    return line(GRID_STATE, tags, fields, time)


def gauge_lines(families: Iterable[Metric], time: int) -> Iterator[str]:
    """The numbers that ``/metrics`` tells, under the same names: labels are tags, the field is ``value``."""
    for family in families:
        for sample in family.samples:
            if not sample.name.endswith(_CREATED):
                yield line(sample.name, sample.labels, {"value": float(sample.value)}, time)


def _entry(identity: str, name: Mapping[str, str]) -> dict[str, Scalar]:
    names = {language: said(name, language) or identity for language, _ in TAGS}
    return (
        {f"name_{language}": text for language, text in names.items()}
        | {f"label_{language}": f"{text.replace('|', '/')}|{identity}" for language, text in names.items()}
        | {"active": 1}
    )


def _named(field: str, text: Mapping[str, str]) -> dict[str, Scalar]:
    return {f"{field}_{language}": said(text, language) for language, _ in TAGS}


def _path(grid: Grid, site: Site) -> tuple[str, ...]:
    """The grids from level 1 down to `grid`."""
    above = _path(site.grids[grid.parent], site) if grid.parent else ()
    return (*above, grid.id)


def _grids(path: tuple[str, ...]) -> dict[str, str]:
    return {f"grid{level}": grid for level, grid in enumerate(path, 1)}


def _between(start: int, end: int | None) -> float | None:
    """Seconds, if it is over."""
    return None if end is None else (end - start) / SECOND
