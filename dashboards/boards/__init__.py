"""The dashboards, each in a module of its own; `BOARDS` is all of them in the order people see."""

from collections.abc import Callable, Mapping
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import dashboard as model

from dashboards.boards import cameras, cases, device, doors, fire, gateway, overview
from dashboards.context import Context

BOARDS: Final[Mapping[str, Callable[[Context], Dashboard]]] = {
    "overview": overview.board,
    "fire": fire.board,
    "doors": doors.board,
    "cameras": cameras.board,
    "cases": cases.board,
    "device": device.board,
    "gateway": gateway.board,
}


def build(name: str, context: Context) -> model.Dashboard:
    """The dashboard `name` in the language of `context`."""
    board = BOARDS[name](context).build()
    for number, panel in enumerate(board.panels or (), 1):
        if isinstance(panel, model.Panel):
            panel.id_val = number  # unique in its dashboard, and the same at every rendering
    return board
