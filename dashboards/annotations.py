"""Marks on charts: alarms when they were raised, cases when they were opened.

What InfluxDB's annotations need has no place in the SDK's type, which knows Grafana's own ones only;
`InfluxMarks` adds it, and `read` gives it back.
"""

from typing import Any, Self

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationTarget, Dashboard

from dashboards.context import Context
from dashboards.tables import GRIDS, TIME
from language import N_
from readings.measurements import ALARM, CASE


class InfluxMarks(AnnotationTarget):
    """A query whose rows are marks; `text` and `tags` are columns."""

    def __init__(self, query: str, text: str, tags: str) -> None:
        super().__init__()
        self.query = query
        self.text_column = text
        self.tags_column = tags

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        return {
            "refId": "Anno",
            "fromAnnotations": True,
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "table",
            "textColumn": self.text_column,
            "tagsColumn": self.tags_column,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The opposite of `to_json`."""
        return cls(data["query"], data["textColumn"], data["tagsColumn"])


def alarms(context: Context) -> AnnotationQuery:
    """Alarms in the chosen grids, by their place."""
    query = (
        f'SELECT "{context.name("where")}", "severity" FROM {context.tables.records(ALARM)}'
        f' WHERE {TIME} AND {GRIDS} AND "no_data" = 0'
    )
    return _marks(context, context.say(N_("Alarms")), query, context.name("where"), "severity", "red")


def cases(context: Context) -> AnnotationQuery:
    """Cases in the chosen grids, by their title."""
    query = (
        f'SELECT "{context.name("title")}", "priority" FROM {context.tables.records(CASE)}'
        f" WHERE {TIME} AND {GRIDS}"
    )
    marks = _marks(context, context.say(N_("Cases")), query, context.name("title"), "priority", "purple")
    return marks.enable(False)


def read(document: dict[str, Any]) -> Dashboard:
    """A dashboard from its JSON, its annotations' queries included."""
    board = Dashboard.from_json(document)
    if board.annotations.list_val:
        for mark, told in zip(board.annotations.list_val, document["annotations"]["list"], strict=True):
            if told.get("target", {}).get("fromAnnotations"):
                mark.target = InfluxMarks.from_json(told["target"])
    return board


def _marks(context: Context, name: str, query: str, text: str, tags: str, color: str) -> AnnotationQuery:
    return (
        AnnotationQuery()
        .name(name)
        .datasource(context.datasource)
        .enable(True)
        .icon_color(color)
        .target(_Built(InfluxMarks(query, text, tags)))
    )


class _Built(Builder[AnnotationTarget]):
    def __init__(self, made: AnnotationTarget) -> None:
        self._made = made

    def build(self) -> AnnotationTarget:
        return self._made
