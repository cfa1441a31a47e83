"""How cases go: from finding to closing, on time or not, by kind and level of grid; what was done again."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import panels, variables
from dashboards.boards.frame import filled, frame
from dashboards.boards.lists import open_cases
from dashboards.context import Context
from dashboards.tables import GRIDS, TIME
from language import N_
from readings.measurements import CASE

_COUNTED = f'{TIME} AND "counted" = 1 AND {GRIDS}'
_ON_TIME = 'sum("on_time") / sum("due")'
_GOOD = ((0.7, "yellow"), (0.9, "green"))
"""The targets of GRID.md: 70 % closed, 90 % on time."""


def board(context: Context) -> Dashboard:
    """The board."""
    tables, query = context.tables, context.query
    case = tables.records(CASE)
    shown: list[Builder[Panel]] = []
    made = frame(context, "cases", variables.grids(context), since="now-30d", refresh="5m")

    def share(title: str, what: str, about: str) -> None:
        asked = query(f"SELECT {what} FROM {case} WHERE {_COUNTED}")
        shown.append(
            panels.figure(
                context,
                title,
                asked,
                steps=_GOOD,
                calm="red",
                unit="percentunit",
                decimals=1,
                none="–",
                about=about,
            )
        )

    share(
        N_("Closed on time"),
        _ON_TIME,
        N_("Of the cases opened in this time that are closed or past their limit."),
    )
    share(N_("Closed"), 'sum("closed") / sum("due")', N_("Of the same cases, on time or late."))
    numbers = (
        (N_("Opened"), 'count("id")', ((1, "blue"),)),
        (N_("Past their limit and open"), 'sum("overdue")', ((1, "red"),)),
        (N_("Sent back for rework"), 'sum("reworked")', ((1, "orange"),)),
        (N_("Reopened"), 'sum("again")', ((1, "orange"),)),
    )
    for title, what, steps in numbers:
        open_only = ' AND "open" = 1' if "overdue" in what else ""
        shown.append(
            panels.figure(
                context, title, query(f"SELECT {what} FROM {case} WHERE {_COUNTED}{open_only}"), steps=steps
            )
        )
    funnel = [
        query(f"SELECT {what} FROM {case} WHERE {_COUNTED}", alias=context.say(word))
        for what, word in (
            ('count("id")', N_("opened")),
            ('sum("accepted")', N_("accepted")),
            ('sum("closed")', N_("closed")),
            ('sum("on_time")', N_("closed on time")),
        )
    ]
    shown.append(panels.bars(context, N_("From opened to closed"), funnel))
    per_day = [
        query(
            f"SELECT {what} FROM {case} WHERE {_COUNTED} GROUP BY time(1d) fill(0)",
            alias=context.say(word),
        )
        for what, word in (
            ('count("id")', N_("opened")),
            ('sum("closed")', N_("of these closed")),
        )
    ]
    shown.append(panels.curves(context, N_("Cases by the day they were opened"), per_day, low=0))
    for title, tag in (
        (N_("On time by kind of grid"), "kind"),
        (N_("On time by grid, level 1"), "grid1"),
        (N_("On time by grid, level 2"), "grid2"),
        (N_("On time by category"), "category"),
    ):
        shown.append(
            panels.bars(
                context,
                title,
                [
                    query(
                        f'SELECT {_ON_TIME} FROM {case} WHERE {_COUNTED} GROUP BY "{tag}"',
                        alias=f"$tag_{tag}",
                    )
                ],
                unit="percentunit",
                steps=((0, "red"), *_GOOD),
                most=1,
            )
        )
    waits = [
        query(
            f'SELECT percentile("{field}", 90) FROM {case} WHERE {_COUNTED} GROUP BY time(1d) fill(none)',
            alias=context.say(word),
        )
        for field, word in (
            ("accept_seconds", N_("until accepted")),
            ("close_seconds", N_("until closed")),
        )
    ]
    shown.append(
        panels.curves(
            context,
            N_("How long nine of ten take at most"),
            waits,
            unit="s",
            low=0,
            about=N_("The 90th percentile of the cases opened on each day."),
        )
    )
    levels = query(
        f'SELECT count("id") FROM {case} WHERE {_COUNTED} GROUP BY "category"', alias="$tag_category"
    )
    shown.append(panels.bars(context, N_("Cases by category"), [levels]))
    shown.append(open_cases(context, '"overdue" = 1', title=N_("Overdue cases: who has them")))
    shown.append(open_cases(context))
    return filled(made, shown)
