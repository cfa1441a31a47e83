"""What all boards have: title, time, refresh, links to each other, annotations."""

from collections.abc import Iterable, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, Panel

from dashboards import annotations
from dashboards.context import Context
from dashboards.panels import board_link
from language import N_

TITLES: Final = {
    "overview": N_("Overview"),
    "fire": N_("Fire and gas"),
    "doors": N_("Doors and access"),
    "cameras": N_("Cameras"),
    "cases": N_("Case work"),
    "device": N_("One device"),
    "gateway": N_("Gateway"),
}
TAG: Final = "gridwarden"


def frame(
    context: Context,
    name: str,
    variables: Sequence[QueryVariable],
    *,
    since: str = "now-24h",
    refresh: str = "1m",
    marks: bool = True,
) -> Dashboard:
    """An empty board; its panels follow."""
    board = (
        Dashboard(f"GridWarden · {context.say(TITLES[name])}")
        .uid(context.uid(name))
        .tags([TAG, context.short])
        .timezone(context.timezone)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh(refresh)
        .editable()
    )
    for variable in variables:
        board = board.with_variable(variable)
    for other, title in TITLES.items():
        if other != name:
            board = board.link(board_link(context, other, title))
    if context.console:
        board = board.link(
            DashboardLink(context.say(N_("Console")))
            .type(DashboardLinkType.LINK)
            .url(context.console)
            .icon("external link")
            .target_blank(True)
        )
    if marks:
        board = board.annotation(annotations.alarms(context)).annotation(annotations.cases(context))
    return board


def filled(board: Dashboard, shown: Iterable[Builder[Panel]]) -> Dashboard:
    """`board` with panels in their order; Grafana's grid and the panels' numbers follow from it."""
    for panel in shown:
        board = board.with_panel(panel)
    return board
