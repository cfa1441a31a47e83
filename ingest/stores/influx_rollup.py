"""Roll-ups: what readings of a minute and of an hour come to, written beside them for longer than they are
kept.

Our own, for every version of InfluxDB, because readings come late: after an outage of an edge, or out of
quarantine. A continuous query (1.x) or a task (2.x) has looked at their time by then and does not look
again. Here the writer notes, in one transaction with its books, which windows of time it has written to; a
window is rolled up when it is over and nothing has come for a while, and again whenever something comes
(docs/decisions/0014).

A roll-up has a point per series and `STAT`: the smallest value, the largest, their sum and their number,
all as floats. Switches count as 0 and 1. Words have no roll-ups. So means over any time are exact: sums by
numbers.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

import structlog

from ingest.database import StoreUnavailable
from ingest.stores.influx_answers import Verdict
from ingest.stores.influx_client import UNREADABLE, InfluxClient, NoAnswer, QueryFailed, identifier
from ingest.stores.line_protocol import line
from readings import Scalar
from readings.measurements import COUNT, HIGHEST, HOUR, LOWEST, MINUTE, STAT, SUM
from registry.device_types import Kind
from registry.site import Site

SECOND: Final = 1_000_000_000
_LINES: Final = 5_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Level:
    """Roll-ups of one width. Times in ns."""

    policy: str
    width: int
    settle: int
    """How long after its end, and after the last that came, a window is left alone."""
    at_once: int
    """Windows that one question spans at most."""
    gather: int
    """How many windows that follow each other are waited for: what a question costs is mostly its series."""


LEVELS: Final = (
    Level(MINUTE, 60 * SECOND, 60 * SECOND, 10, gather=5),
    Level(HOUR, 3600 * SECOND, 300 * SECOND, 6, gather=1),
)

Span = tuple[int, int]
"""The first window's beginning and how many windows follow each other."""


def runs(level: Level, times: Iterable[int]) -> Iterator[Span]:
    """The windows of `level` that the `times` touch, in runs that are as long as one question may be."""
    first, run = 0, 0
    for start in sorted({time // level.width * level.width for time in times}):
        if run and (start != first + run * level.width or run == level.at_once):
            yield first, run
            run = 0
        if not run:
            first = start
        run += 1
    if run:
        yield first, run


class Windows:
    """Which windows have changed since they were rolled up; in the writer's own file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS rolling (width INTEGER, start INTEGER, stamp INTEGER NOT NULL,"
            " PRIMARY KEY (width, start)) WITHOUT ROWID"
        )

    def note(self, times: Iterable[int], now: int) -> None:
        """Something was written at these times; call in the transaction that says so."""
        smallest = LEVELS[0].width
        touched = {time // smallest * smallest for time in times}
        self._connection.executemany(
            "INSERT OR REPLACE INTO rolling VALUES (?, ?, ?)",
            [
                (level.width, start, now)
                for level in LEVELS
                for start in {time // level.width * level.width for time in touched}
            ],
        )

    def ready(self, level: Level, now: int) -> tuple[Span, int] | None:
        """The oldest run of windows that can be rolled up now, with the time until which it is known."""
        before = now - level.settle
        rows = self._connection.execute(
            "SELECT start FROM rolling WHERE width = ? AND start <= ? AND stamp <= ? ORDER BY start LIMIT ?",
            (level.width, before - level.width, before, level.at_once),
        ).fetchall()
        span = next(runs(level, (start for (start,) in rows)), None)
        if span is None or (span[1] < level.gather and span[0] > before - level.gather * level.width):
            return None
        return span, before

    def done(self, level: Level, span: Span, until: int) -> None:
        """These windows are rolled up with all that came by `until`."""
        first, run = span
        self._connection.execute(
            "DELETE FROM rolling WHERE width = ? AND start >= ? AND start < ? AND stamp <= ?",
            (level.width, first, first + run * level.width, until),
        )


class RollUp:
    """Makes roll-ups of what the site's devices say."""

    def __init__(self, client: InfluxClient, site: Site) -> None:
        self._client = client
        self._site = site
        self._refused = 0
        self._too_much: set[tuple[str, _Points]] = set()
        """By policy: points for which the server has not answered in time …"""
        self._most: dict[tuple[str, _Points], int] = {}
        """… and of a single one, how many windows it answers for."""

    def set_site(self, site: Site) -> None:
        """Use `site` from the next window on."""
        self._site = site

    async def make(self, level: Level, span: Span) -> None:
        """Roll up the windows of `span`; raises `StoreUnavailable`."""
        lines: list[str] = []
        for wanted in _points(self._site):
            for edge in self._site.edges:  # one at a time: an answer stays small
                lines += await self._in_pieces(level, span, edge, wanted)
                while len(lines) >= _LINES:
                    await self._write(level, lines[:_LINES])
                    del lines[:_LINES]
        await self._write(level, lines)

    async def _in_pieces(self, level: Level, span: Span, edge: str, wanted: "_Points") -> list[str]:
        """Ask for everything at once; where that takes the server too long for fewer points, then for fewer
        windows. What was too much is not asked for again.
        """
        question = level.policy, wanted
        halves = wanted.halves() if question in self._too_much else None
        if halves is not None:
            return [line for half in halves for line in await self._in_pieces(level, span, edge, half)]
        first, run = span
        most = self._most.get(question, run)
        if run > most:
            told = await self._in_pieces(level, (first, most), edge, wanted)
            rest = first + most * level.width, run - most
            return told + await self._in_pieces(level, rest, edge, wanted)
        try:
            return await self._of(level, span, edge, wanted)
        except NoAnswer:
            if wanted.halves() is not None:
                self._too_much.add(question)
            elif run > 1:
                self._most[question] = run // 2
            else:
                self._too_much.clear()  # it answers nothing: that says nothing about how much is too much
                self._most.clear()
                raise
            return await self._in_pieces(level, span, edge, wanted)

    async def _of(self, level: Level, span: Span, edge: str, wanted: "_Points") -> list[str]:
        first, run = span
        measurement, numbers, switches = wanted.measurement, wanted.numbers, wanted.switches
        table = f"{identifier(self._client.settings.database)}..{identifier(measurement)}"
        where = f'FROM {table} WHERE "edge" = $edge AND time >= $start AND time < $end'
        grouped = f"GROUP BY time({level.width}ns), * fill(none)"
        statements = []
        if numbers:
            asked = ", ".join(
                f"{function}({identifier(point)}) AS {identifier(f'{point}.{stat}')}"
                for point in numbers
                for function, stat in (("count", COUNT), ("min", LOWEST), ("max", HIGHEST), ("sum", SUM))
            )
            statements.append(f"SELECT {asked} {where} {grouped}")
        for point in switches:
            field = identifier(point)
            statements.append(f'SELECT count({field}) AS "n" {where} {grouped}')
            statements.append(f'SELECT count({field}) AS "n" {where} AND {field} = true {grouped}')
        values: dict[str, Scalar] = {"edge": edge, "start": first, "end": first + run * level.width}
        try:
            results = iter(await self._client.query("; ".join(statements), values))
            told = [*_of_numbers(measurement, next(results))] if numbers else []
            for point in switches:
                told += _of_switch(measurement, point, next(results), next(results))
        except QueryFailed as error:
            raise StoreUnavailable(f"rolling up {measurement}: {error}") from error
        except (StopIteration, *UNREADABLE) as error:
            raise self._client.unreadable(error) from error
        return told

    async def _write(self, level: Level, lines: Sequence[str]) -> None:
        if not lines:
            return
        outcome = await self._client.write("\n".join(lines).encode(), policy=level.policy)
        if outcome.verdict is not Verdict.WRITTEN:
            self._refused += 1
            if self._refused == 1:  # of windows older than the policy keeps, and the like
                log.warning("roll-ups refused", policy=level.policy, reason=outcome.refusal.reason)


@dataclass(frozen=True)
class _Points:
    """Points of one measurement: those that are numbers, and switches."""

    measurement: str
    numbers: tuple[str, ...]
    switches: tuple[str, ...]

    def halves(self) -> "tuple[_Points, _Points] | None":
        """The same in two; None for a single one."""
        numbers, switches = self.numbers, self.switches
        if numbers and switches:
            return replace(self, switches=()), replace(self, numbers=())
        middle = max(len(numbers), len(switches)) // 2
        if not middle:
            return None
        return (
            replace(self, numbers=numbers[:middle], switches=switches[:middle]),
            replace(self, numbers=numbers[middle:], switches=switches[middle:]),
        )


def _points(site: Site) -> Iterator[_Points]:
    """What there is to roll up, by measurement."""
    kinds = sorted(site.types.values(), key=lambda kind: kind.device_class)
    for measurement, same in groupby(kinds, key=lambda kind: kind.device_class):
        points = [point for kind in same for point in kind.points]
        numbers = {point.name for point in points if point.kind is Kind.NUMBER}
        switches = {point.name for point in points if point.kind is Kind.BINARY}
        if numbers or switches:
            yield _Points(measurement, (*sorted(numbers),), (*sorted(switches),))


def _of_numbers(measurement: str, result: Mapping[str, Any]) -> Iterator[str]:
    for series in result.get("series", ()):
        names = [column.rpartition(".")[::2] for column in series["columns"][1:]]
        for time, *values in series["values"]:
            fields: dict[str, dict[str, float]] = {}
            for (point, stat), value in zip(names, values, strict=True):
                if value is not None and (stat != COUNT or value):
                    fields.setdefault(stat, {})[point] = float(value)
            for stat, told in fields.items():
                yield line(measurement, {**series["tags"], STAT: stat}, told, int(time))


def _of_switch(
    measurement: str, point: str, everything: Mapping[str, Any], on: Mapping[str, Any]
) -> Iterator[str]:
    def counted(result: Mapping[str, Any]) -> dict[tuple[tuple[str, str], ...], dict[int, int]]:
        return {
            tuple(series["tags"].items()): {int(time): int(n) for time, n in series["values"]}
            for series in result.get("series", ())
        }

    switched = counted(on)
    for tags, windows in counted(everything).items():
        for time, n in windows.items():
            if not n:
                continue
            ones = switched.get(tags, {}).get(time, 0)
            stats = {COUNT: n, SUM: ones, LOWEST: int(ones == n), HIGHEST: int(ones > 0)}
            for stat, value in stats.items():
                yield line(measurement, {**dict(tags), STAT: stat}, {point: float(value)}, time)
