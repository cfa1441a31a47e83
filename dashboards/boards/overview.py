"""Is anything burning, who is on it, what is not being watched: what a wall shows."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import panels, variables
from dashboards.boards.frame import filled, frame
from dashboards.boards.lists import edges_not_heard, open_alarms, open_cases
from dashboards.context import Context
from dashboards.panels import SEVERITY_COLORS, SEVERITY_WORDS
from dashboards.tables import EACH, GRIDS, GRIDS_TO_2, RECENT, TIME
from language import N_
from readings.measurements import ALARM, CASE, GRID_STATE

_BURNING = '("severity" = \'critical\' OR "severity" = \'high\') AND "suppressed" = 0'


def board(context: Context) -> Dashboard:
    """The board."""
    tables, query = context.tables, context.query
    alarm, case = tables.records(ALARM), tables.records(CASE)
    shown: list[Builder[Panel]] = []
    made = frame(context, "overview", variables.grids(context), refresh="30s")
    shown += [
        panels.figure(
            context,
            N_("Burning now"),
            query(f'SELECT sum("standing") FROM {alarm} WHERE {_BURNING} AND {GRIDS}'),
            steps=((1, "dark-red"),),
            about=N_("Alarms of severity critical or high that are not over."),
        ),
        panels.figure(
            context,
            N_("Seen by nobody"),
            query(f'SELECT sum("open") FROM {alarm} WHERE "acknowledged" = 0 AND {GRIDS}'),
            steps=((1, "orange"), (20, "red")),
            about=N_("Alarms in the list that nobody has acknowledged."),
        ),
        panels.figure(
            context,
            N_("Open cases"),
            query(f'SELECT sum("open") FROM {case} WHERE {GRIDS}'),
            steps=((1, "blue"),),
        ),
        panels.figure(
            context,
            N_("Overdue cases"),
            query(f'SELECT sum("overdue") FROM {case} WHERE "open" = 1 AND {GRIDS}'),
        ),
        panels.figure(
            context,
            N_("Silent devices"),
            query(f'SELECT last("value") FROM {tables.raw("gridwarden_devices_silent")} WHERE {RECENT}'),
            steps=((1, "orange"), (50, "red")),
            none="?",
            about=N_("Devices of the whole site that are not heard."),
        ),
        edges_not_heard(context),
        open_alarms(context),
        open_cases(context),
    ]
    last = ", ".join(
        f'last("{name}") AS "{name}"'
        for name in (
            context.name("name"),
            "alarms",
            "unacknowledged",
            "cases",
            "overdue",
            "devices",
            "silent",
        )
    )
    shown.append(
        panels.rows(
            context,
            N_("State by grid, level 2"),
            [
                query(
                    f"SELECT {last} FROM {tables.raw(GRID_STATE)}"
                    f" WHERE {TIME} AND \"level\" = '2' AND {GRIDS_TO_2}"
                    ' GROUP BY "grid"',
                    form="table",
                )
            ],
            {
                context.name("name"): N_("Grid"),
                "alarms": N_("Alarms"),
                "unacknowledged": N_("Unseen"),
                "cases": N_("Cases"),
                "overdue": N_("Overdue"),
                "silent": N_("Silent"),
                "devices": N_("Devices"),
            },
            hidden=("grid", "Time"),
            most="alarms",
            links={
                context.name("name"): (
                    N_("Alarms of this grid"),
                    panels.console_link(context, "alarms?grid=${__data.fields.grid}"),
                )
            },
        )
    )
    counted = [
        query(
            f'SELECT count("id") FROM {alarm} WHERE {TIME} AND "worst" = \'{severity}\' AND {GRIDS}'
            f" GROUP BY {EACH} fill(0)",
            alias=context.say(word),
        )
        for severity, word in SEVERITY_WORDS.items()
    ]
    shown.append(
        panels.curves(
            context,
            N_("Alarms raised"),
            counted,
            bars=True,
            colors={context.say(SEVERITY_WORDS[name]): color for name, color in SEVERITY_COLORS.items()},
        )
    )
    health = [
        query(f"SELECT {what} FROM {alarm} WHERE {TIME} AND {GRIDS}", alias=context.say(word))
        for what, word in (
            ('count("id")', N_("raised")),
            ('sum("no_data")', N_("no data")),
            ('sum("flapping")', N_("flapping")),
            ('sum("suppressed")', N_("held back by others")),
            ('sum("replayed")', N_("after an outage")),
        )
    ]
    shown.append(
        panels.bars(
            context,
            N_("Alarm health"),
            health,
            about=N_("What came in this time: many that flap or are held back point to a rule or a device."),
        )
    )
    silent = f'SELECT mean("value") FROM {tables.raw("gridwarden_devices_silent")} WHERE {TIME}'
    shown.append(
        panels.curves(
            context,
            N_("Silent devices over time"),
            [query(f"{silent} GROUP BY {EACH} fill(null)", alias=context.say(N_("silent")))],
            low=0,
        )
    )
    return filled(made, shown)
