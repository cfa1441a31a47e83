"""The variables of dashboards: which part of the community, which building, which device.

What there is stands in the directory that the gateway keeps in InfluxDB, as ``name|id``: people choose by
name, queries use the id. A level offers what lies in the chosen grids of the level above.
"""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.context import Context
from dashboards.tables import BUILDINGS, DEVICES, GRIDS
from language import N_
from readings.measurements import DEVICE, GRID, RESOLUTION

NAME_AND_ID: Final = r"/(?<text>.+)\|(?<value>[^|]+)/"
ANY: Final = ".*"
SPAN: Final = "${__to} - ${__from}"
"""Milliseconds of the dashboard's time range."""


def grids(context: Context) -> list[QueryVariable]:
    """The three levels, each limited by the ones above."""
    words = (N_("Grid, level 1"), N_("Grid, level 2"), N_("Grid, level 3"))
    found = []
    for level, word in enumerate(words, 1):
        above = "".join(f' AND "grid{upper}" =~ /^$grid{upper}$/' for upper in range(1, level))
        query = (
            f'SELECT "{context.name("label")}" FROM {context.tables.records(GRID)}'
            f' WHERE "active" = 1 AND "level" = \'{level}\'{above}'
        )
        found.append(_chosen(context, f"grid{level}", context.say(word), query).regex(NAME_AND_ID))
    return found


def building(context: Context) -> QueryVariable:
    """The buildings in the chosen grids."""
    query = (
        f'SELECT DISTINCT("building_name") FROM {context.tables.records(DEVICE)}'
        f' WHERE "active" = 1 AND {GRIDS}'
    )
    return _chosen(context, "building", context.say(N_("Building")), query)


def device(context: Context, *, classes: str = "", one: bool = False) -> QueryVariable:
    """The devices in the chosen grids (and buildings), of some device classes (a regular expression)."""
    where = "" if one else f" AND {BUILDINGS}"
    kinds = f' AND "class" =~ /^({classes})$/' if classes else ""
    query = (
        f'SELECT "{context.name("label")}" FROM {context.tables.records(DEVICE)}'
        f' WHERE "active" = 1 AND {GRIDS}{where}{kinds}'
    )
    made = _chosen(context, "device", context.say(N_("Device")), query).regex(NAME_AND_ID)
    return made.multi(False).include_all(False) if one else made


def device_class(context: Context) -> QueryVariable:
    """The class of the chosen device, which is the measurement of its readings; nobody sees it."""
    query = f'SHOW TAG VALUES FROM {context.tables.records(DEVICE)} WITH KEY = "class" WHERE {DEVICES}'
    return _hidden(context, "class", query)


def policy(context: Context) -> QueryVariable:
    """The retention policy that suits the span of time; nobody sees it."""
    query = (
        f'SELECT "policy" FROM {context.tables.records(RESOLUTION)} WHERE "from" < {SPAN} AND "to" >= {SPAN}'
    )
    return _hidden(context, "policy", query)


def _hidden(context: Context, name: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .datasource(context.datasource)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .hide(VariableHide.HIDE_VARIABLE)
    )


def _chosen(context: Context, name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(context.datasource)
        .query(query)
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ANY)
        .current(VariableOption(selected=True, text=context.say(N_("All")), value="$__all"))
    )
