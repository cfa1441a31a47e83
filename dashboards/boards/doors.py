"""Who was let in and who was not, doors forced and held, by door and hour. Nobody's name is anywhere."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import panels, variables
from dashboards.boards.frame import filled, frame
from dashboards.boards.lists import open_alarms
from dashboards.context import Context
from dashboards.tables import BUILDINGS, DEVICES, EACH, GRIDS, TIME
from language import N_

_HERE = f"{GRIDS} AND {BUILDINGS} AND {DEVICES}"
EVENTS = {
    "granted": (N_("granted"), "green"),
    "denied": (N_("denied"), "orange"),
    "forced_open": (N_("forced open"), "dark-red"),
    "held_open": (N_("held open"), "red"),
}
_BUSY = ((1, "#1f3a5f"), (5, "#2f6690"), (20, "#3a9bdc"), (60, "#81d4fa"))


def board(context: Context) -> Dashboard:
    """The board."""
    tables, query = context.tables, context.query
    door = tables.raw("door")
    chosen = [
        *variables.grids(context),
        variables.building(context),
        variables.device(context, classes="door"),
    ]
    shown: list[Builder[Panel]] = []
    made = frame(context, "doors", chosen)
    for event, (word, color) in EVENTS.items():
        counted = f'SELECT count("event") FROM {door} WHERE {TIME} AND "event" = \'{event}\' AND {_HERE}'
        shown.append(
            panels.figure(
                context,
                word,
                query(counted),
                steps=((1, color),),
                calm="#3d434b" if event == "granted" else "green",
                width=6,
            )
        )
    over_time = [
        query(
            f'SELECT count("event") FROM {door} WHERE {TIME} AND "event" = \'{event}\' AND {_HERE}'
            f" GROUP BY {EACH} fill(0)",
            alias=context.say(word),
        )
        for event, (word, _) in EVENTS.items()
    ]
    shown.append(
        panels.curves(
            context,
            N_("Access over time"),
            over_time,
            bars=True,
            colors={context.say(word): color for word, color in EVENTS.values()},
        )
    )
    shown.append(open_alarms(context, f"\"class\" = 'door' AND {BUILDINGS}", history=True))
    shown.append(
        panels.hours(
            context,
            N_("Passages by door and hour"),
            query(
                f'SELECT count("event") FROM {door} WHERE {TIME} AND "event" = \'granted\' AND {_HERE}'
                ' GROUP BY time(1h), "device" fill(0)',
                alias="$tag_device",
            ),
            _BUSY,
        )
    )
    by_door = [
        query(
            f'SELECT count("event") AS "{event}" FROM {door}'
            f' WHERE {TIME} AND "event" = \'{event}\' AND {_HERE} GROUP BY "device"',
            form="table",
        )
        for event in EVENTS
    ]
    shown.append(
        panels.rows(
            context,
            N_("By door"),
            by_door,
            {"device": N_("Door"), **{event: word for event, (word, _) in EVENTS.items()}},
            hidden=("Time",),
            transformations=(panels.merged(),),
            most="denied",
            links={"device": panels.device_link(context)},
        )
    )
    shown.append(
        panels.states(
            context,
            N_("Doors: open and closed"),
            query(
                f'SELECT last("open") FROM {door} WHERE {TIME} AND {_HERE}'
                f' GROUP BY {EACH}, "device" fill(previous)',
                alias="$tag_device",
            ),
            {"true": (N_("open"), "orange"), "false": (N_("closed"), "green")},
        )
    )
    return filled(made, shown)
