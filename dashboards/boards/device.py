"""One device: everything it said, its alarms, how it feels."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import panels, variables
from dashboards.boards.frame import filled, frame
from dashboards.boards.lists import open_alarms
from dashboards.context import Context
from dashboards.tables import DEVICES, EACH, GRIDS, TIME, stat
from language import N_

_POINTS = "/^[a-z][a-z0-9_]*$/"
"""Fields that are points: what is remarked about a value has a dot in its name."""
_TAGS = ("building", "device", "edge", "floor", "grid1", "grid2", "grid3", "place", "type")
"""A regular expression over fields finds tags as well; they are the same in every row."""
_CLASS = "$class"
"""The device's own measurement: over all of them, every field of the database would be a column."""
_MOST = 200


def board(context: Context) -> Dashboard:
    """The board."""
    tables, query = context.tables, context.query
    chosen = [
        *variables.grids(context),
        variables.device(context, one=True),
        variables.device_class(context),
        variables.policy(context),
    ]
    shown: list[Builder[Panel]] = []
    made = frame(context, "device", chosen)
    for title, name, about in (
        (
            N_("Largest values"),
            "max",
            N_("Every point that is a number; the largest value of each interval."),
        ),
        (N_("Smallest values"), "min", N_("The same, the smallest value of each interval.")),
    ):
        shown.append(
            panels.curves(
                context,
                title,
                [
                    query(
                        f"SELECT {name}({_POINTS}) FROM {tables.rolled(_CLASS)}"
                        f" WHERE {TIME} AND {stat(name)} AND {DEVICES} GROUP BY {EACH} fill(none)",
                        alias="$col",
                    )
                ],
                about=about,
            )
        )
    shown.append(
        panels.rows(
            context,
            N_("Latest readings"),
            [
                query(
                    f"SELECT {_POINTS} FROM {tables.raw(_CLASS)} WHERE {TIME} AND {DEVICES}"
                    f" ORDER BY time DESC LIMIT {_MOST}",
                    form="table",
                )
            ],
            {"Time": N_("Time")},
            width=24,
            hidden=_TAGS,
            links={
                "Time": (N_("The device in the console"), panels.console_link(context, "devices/$device")),
            },
        )
    )
    shown.append(open_alarms(context, history=True, only=f"{GRIDS} AND {DEVICES}", width=24))
    return filled(made, shown)
