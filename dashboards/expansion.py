"""A dashboard's queries as Grafana sends them: variables and macros filled in.

What Grafana does, for its InfluxQL data source (``public/app/plugins/datasource/influxdb/datasource.ts``,
``interpolateQueryExpr`` and ``getTimeFilter``): in a regular expression a variable's values are escaped and
joined to ``(a|b)``, "all" is its own value unescaped; ``$timeFilter`` is the range in milliseconds,
``$__interval`` a round span that gives about as many points as the panel is wide.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

ALL: Final = "$__all"
_REGEX_SPECIAL: Final = re.compile(r"[\\^$*+?.()|[\]{}/]")
_ROUND: Final = (
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    604_800,
)  # fmt: skip
"""Seconds that Grafana rounds intervals to (``packages/grafana-data/src/datetime/rangeutil.ts``)."""
_POINTS: Final = 1_000


@dataclass(frozen=True)
class View:
    """What somebody looks at: a range of time (ms since 1970 UTC) and chosen values of variables."""

    start: int
    end: int
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values by variable; `ALL` (or nothing) is all."""
    every: Mapping[str, str] = field(default_factory=dict)
    """What "all" is written as, by variable."""

    @property
    def interval(self) -> str:
        """``$__interval`` for a panel of a thousand points."""
        wanted = (self.end - self.start) / 1_000 / _POINTS
        return f"{next((one for one in _ROUND if one >= wanted), _ROUND[-1])}s"

    def fill(self, query: str) -> str:
        """`query` as it is sent."""
        text = query.replace("$timeFilter", f"time >= {self.start}ms and time <= {self.end}ms")
        text = text.replace("${__to}", str(self.end)).replace("${__from}", str(self.start))
        text = text.replace("$__interval", self.interval)
        return re.sub(r"\$(\w+)", lambda found: self._value(found, text), text)

    def _value(self, found: re.Match[str], text: str) -> str:
        name = found[1]
        if name not in self.chosen and name not in self.every:
            return found[0]
        values = [*self.chosen.get(name, ())]
        if not values or values == [ALL]:
            return self.every.get(name, ".*")
        if text[: found.start()].rstrip().endswith("/^"):
            escaped = [_REGEX_SPECIAL.sub(r"\\\g<0>", value) for value in values]
            return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
        return values[0]


def queries(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(panel's title, reference, query) of every target of a dashboard's JSON, annotations last."""
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["refId"], target["query"]
    for mark in document.get("annotations", {}).get("list", ()):
        if "query" in mark.get("target", {}):
            yield mark["name"], mark["target"]["refId"], mark["target"]["query"]


def variables(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, definition) of every variable of a dashboard's JSON."""
    for variable in document.get("templating", {}).get("list", ()):
        yield variable["name"], variable
