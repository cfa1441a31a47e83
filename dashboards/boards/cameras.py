"""What cameras saw, by class and zone, and whether they watch at all. Events only: no picture, no face."""

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
SEEN = {
    "person": N_("person"),
    "car": N_("car"),
    "bicycle": N_("bicycle"),
    "motorcycle": N_("motorcycle"),
    "dog": N_("dog"),
}
"""The classes of Frigate's default model that a community asks about."""
_MOST = 1_000


def board(context: Context) -> Dashboard:
    """The board."""
    tables, query = context.tables, context.query
    camera = tables.raw("camera")
    chosen = [
        *variables.grids(context),
        variables.building(context),
        variables.device(context, classes="camera"),
    ]
    shown: list[Builder[Panel]] = []
    made = frame(context, "cameras", chosen)
    seen = [
        query(
            f'SELECT count("event") FROM {camera} WHERE {TIME} AND "event" = \'{name}\' AND {_HERE}'
            f" GROUP BY {EACH} fill(0)",
            alias=context.say(word),
        )
        for name, word in SEEN.items()
    ]
    seen.append(
        query(
            f'SELECT count("event") FROM {camera} WHERE {TIME} AND "event" !~ /^({"|".join(SEEN)})$/'
            f" AND {_HERE} GROUP BY {EACH} fill(0)",
            alias=context.say(N_("anything else")),
        )
    )
    shown.append(panels.curves(context, N_("Seen, by class"), seen, bars=True))
    events = f'SELECT "event", "zone" FROM {camera} WHERE {TIME} AND {_HERE} ORDER BY time DESC LIMIT {_MOST}'
    shown.append(
        panels.rows(
            context,
            N_("Seen, by zone"),
            [query(events, form="table")],
            {"zone": N_("Zone"), "event (count)": N_("Events")},
            transformations=(panels.grouped("zone", "event"),),
            about=N_("Of the last 1,000 events of the time."),
        )
    )
    shown.append(
        panels.bars(
            context,
            N_("Events by camera"),
            [
                query(
                    f'SELECT count("event") FROM {camera} WHERE {TIME} AND {_HERE} GROUP BY "device"',
                    alias="$tag_device",
                )
            ],
        )
    )
    shown.append(open_alarms(context, f"\"class\" = 'camera' AND {BUILDINGS}", history=True))
    shown.append(
        panels.states(
            context,
            N_("Cameras: watching or not"),
            query(
                f'SELECT last("available") FROM {camera} WHERE {TIME} AND {_HERE}'
                f' GROUP BY {EACH}, "device" fill(previous)',
                alias="$tag_device",
            ),
            {"true": (N_("watching"), "green"), "false": (N_("not watching"), "red")},
            width=24,
            about=N_("Empty until a camera's state is told for the first time in this time."),
        )
    )
    return filled(made, shown)
