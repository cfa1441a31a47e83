"""Questions to InfluxDB: the same as to the embedded store, with the same answers."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import groupby
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from ingest.stores import ROWS, Bucket, LatestRow, Row, Series, bucket_width
from ingest.stores.influx_client import (
    UNREADABLE,
    InfluxClient,
    InfluxSettings,
    NotSetUp,
    QueryFailed,
    identifier,
)
from ingest.stores.influx_policies import DEFAULT
from ingest.stores.influx_rollup import LEVELS, Level
from readings import Quality, Scalar
from readings.measurements import COUNT, HIGHEST, LOWEST, STAT, SUM
from registry.device_types import Kind, Point
from registry.site import Site

_DEVICES: Final = 100
"""Devices named in one query."""
_DAY: Final = 86_400 * 1_000_000_000
_SURELY_RAW: Final = 7 * _DAY
"""Readings of so many ns are there in any case."""
_LAG: Final = 4
"""Roll-ups are made so many times their settling time after a window at the latest, when all is well."""


_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def _readable(
    question: Callable[Concatenate["InfluxHistory", _Asked], Coroutine[Any, Any, _Answer]],
) -> Callable[Concatenate["InfluxHistory", _Asked], Coroutine[Any, Any, _Answer]]:
    """`question`; an answer of another shape (a proxy's page, half a body) is `StoreUnavailable`."""

    @wraps(question)
    async def asked(history: "InfluxHistory", /, *args: _Asked.args, **named: _Asked.kwargs) -> _Answer:
        try:
            return await question(history, *args, **named)
        except UNREADABLE as error:
            raise history._client.unreadable(error) from error

    return asked


class InfluxHistory:
    """The reading side; see `ingest.stores.History`. Which measurement a device is in, the site says."""

    def __init__(self, settings: InfluxSettings, site: Site, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._client = InfluxClient(settings)
        self._site = site

    def set_site(self, site: Site) -> None:
        """Use `site` from the next question on."""
        self._site = site

    @_readable
    async def latest(self, devices: Sequence[str]) -> list[LatestRow]:
        """The newest reading of every series of the devices; those the site does not know are missing."""
        by_type: dict[str, list[str]] = {}
        for device in devices:
            if device in self._site.devices:
                by_type.setdefault(self._site.devices[device].type, []).append(device)
        found = await asyncio.gather(
            *(
                self._latest(kind, members[at : at + _DEVICES])
                for kind, members in by_type.items()
                for at in range(0, len(members), _DEVICES)
            )
        )
        rows = [row for part in found for row in part]
        return sorted(rows, key=lambda row: (row.device, row.point))

    @_readable
    async def series(
        self,
        device: str,
        point: str,
        start: int,
        end: int,
        *,
        buckets: int | None = None,
        limit: int = ROWS,
    ) -> Series:
        """The readings with ``start <= time < end``, or about `buckets` summaries of them."""
        registered = self._site.devices.get(device)
        known = self._site.point(registered, point) if registered is not None else None
        if registered is None or known is None:
            return Series()
        source = identifier(self._site.type_of(registered).device_class)
        where = '"device" = $device AND time >= $start AND time < $end'
        values: dict[str, Scalar] = {"device": device, "start": start, "end": end}
        if buckets is None or known.kind in (Kind.STATE, Kind.EVENT):
            (result,) = await self._client.query(
                f"SELECT {_columns(point)} FROM {source} WHERE {where} LIMIT {int(limit) + 1}",  # noqa: S608
                values,
            )
            rows = [_row(known, values) for values in _values(result)]
            return Series(rows=tuple(rows[:limit]), cut=len(rows) > limit)
        width = bucket_width(start, end, buckets)
        question = _Question(source, where, known, width, start)
        level = self._level(end - start, width)
        if level is None:
            found = await self._raw_buckets(question, values)
            if found or self._clock() - start < _SURELY_RAW:
                return Series(buckets=found, width=width)
            level = LEVELS[0]  # long ago: readings may be gone, and their roll-ups still be there
        try:
            return Series(buckets=await self._rolled_buckets(level, question, values), width=width)
        except (NotSetUp, QueryFailed):  # 1.6.7 says no more than "not executed" to several questions
            return Series(buckets=await self._raw_buckets(question, values), width=width)

    @_readable
    async def counts(self, start: int, end: int) -> Mapping[tuple[str, str], int]:
        """Stored readings per (device, point); readings that are no number have no field to count."""
        measurements = sorted({kind.device_class for kind in self._site.types.values()})
        counts: dict[tuple[str, str], int] = {}
        for measurement in measurements:
            (result,) = await self._client.query(
                f'SELECT count(*) FROM {identifier(measurement)} WHERE time >= $start AND time < $end GROUP BY "device"',  # noqa: S608, E501
                {"start": start, "end": end},
            )
            for series in result.get("series", ()):
                device = series["tags"]["device"]
                for column, n in zip(series["columns"][1:], series["values"][0][1:], strict=True):
                    point = column.removeprefix("count_")
                    if n and "." not in point:
                        counts[device, point] = counts.get((device, point), 0) + n
        return counts

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _latest(self, kind: str, devices: Sequence[str]) -> list[LatestRow]:
        device_type = self._site.types[kind]
        names = {f"d{number}": device for number, device in enumerate(devices)}
        where = " OR ".join(f'"device" = ${name}' for name in names)
        statements = ";".join(
            f"SELECT {_columns(point.name)} FROM {identifier(device_type.device_class)}"  # noqa: S608
            f' WHERE {where} GROUP BY "device" ORDER BY time DESC LIMIT 1'
            for point in device_type.points
        )
        results = await self._client.query(statements, names)
        return [
            LatestRow(series["tags"]["device"], point.name, _row(point, series["values"][0]))
            for point, result in zip(device_type.points, results, strict=True)
            for series in result.get("series", ())
        ]

    def _level(self, span: int, width: int) -> Level | None:
        """The roll-ups that are fine enough for buckets of `width`, for spans that hold many readings."""
        fitting = None
        for level, days in zip(LEVELS, DEFAULT.spans, strict=True):
            if span > days * _DAY and width >= level.width:
                fitting = level
        return fitting

    async def _rolled_buckets(
        self, level: Level, question: "_Question", values: Mapping[str, Scalar]
    ) -> tuple[Bucket, ...]:
        """From roll-ups as far as there are any, from readings for the newest."""
        start, end = int(values["start"]), int(values["end"])
        cut = (self._clock() - _LAG * level.settle) // level.width * level.width
        cut = min(max(cut, start), end)
        rolled = await self._of_level(level, question, {**values, "end": cut}) if cut > start else ()
        newest = await self._raw_buckets(question, {**values, "start": cut}) if cut < end else ()
        return tuple(_together([*rolled, *newest]))

    async def _of_level(
        self, level: Level, question: "_Question", values: Mapping[str, Scalar]
    ) -> tuple[Bucket, ...]:
        table = f"{identifier(self._client.settings.database)}.{identifier(level.policy)}.{question.source}"
        field = identifier(question.point.name)
        statements = "; ".join(
            f"SELECT {function}({field}) FROM {table} WHERE {question.where}"  # noqa: S608
            f" AND {identifier(STAT)} = '{stat}' {question.grouped}"
            for function, stat in (("sum", COUNT), ("min", LOWEST), ("max", HIGHEST), ("sum", SUM))
        )
        results = await self._client.query(statements, values)
        counts, low, high, sums = (dict(_values(result)) for result in results)
        return tuple(
            Bucket(int(time), int(count), float(low[time]), float(high[time]), sums[time] / count)
            for time, count in counts.items()
            if count
        )

    async def _raw_buckets(self, question: "_Question", values: Mapping[str, Scalar]) -> tuple[Bucket, ...]:
        summarise = self._switch_buckets if question.point.kind is Kind.BINARY else self._number_buckets
        rest = f"FROM {question.source} WHERE {question.where}"
        return await summarise(rest, question.grouped, question.point.name, values)

    async def _number_buckets(
        self, rest: str, grouped: str, point: str, values: Mapping[str, Scalar]
    ) -> tuple[Bucket, ...]:
        field = identifier(point)
        (result,) = await self._client.query(
            f"SELECT count({field}), min({field}), max({field}), mean({field}) {rest} {grouped}", values
        )
        return tuple(
            Bucket(int(time), int(count), float(low), float(high), float(mean))
            for time, count, low, high, mean in _values(result)
            if count
        )

    async def _switch_buckets(
        self, rest: str, grouped: str, point: str, values: Mapping[str, Scalar]
    ) -> tuple[Bucket, ...]:
        """InfluxQL has no extremes of booleans, but it can count those that are on."""
        field = identifier(point)
        everything, on = await self._client.query(
            f"SELECT count({field}) {rest} {grouped};"
            f" SELECT count({field}) {rest} AND {field} = true {grouped}",
            values,
        )
        switched = dict(_values(on))
        return tuple(
            Bucket(
                int(time),
                int(count),
                float(switched.get(time, 0) == count),
                float(switched.get(time, 0) > 0),
                switched.get(time, 0) / count,
            )
            for time, count in _values(everything)
            if count
        )


@dataclass(frozen=True)
class _Question:
    """What is asked of one series, in buckets of `width` ns from `start` on."""

    source: str
    where: str
    point: Point
    width: int
    start: int

    @property
    def grouped(self) -> str:
        return f"GROUP BY time({self.width}ns, {self.start % self.width}ns) fill(none)"


def _together(buckets: Sequence[Bucket]) -> Iterator[Bucket]:
    """Buckets of the same time as one."""
    for begin, same in groupby(sorted(buckets, key=lambda one: one.time), key=lambda one: one.time):
        parts = [*same]
        count = sum(part.count for part in parts)
        yield Bucket(
            begin,
            count,
            min(part.minimum for part in parts),
            max(part.maximum for part in parts),
            sum(part.mean * part.count for part in parts) / count,
        )


def _columns(point: str) -> str:
    return ", ".join(identifier(f"{point}{suffix}") for suffix in ("", ".quality", ".received", ".event"))


def _values(result: Mapping[str, Any]) -> list[Any]:
    return [row for series in result.get("series", ()) for row in series["values"]]


def _row(point: Point, columns: Sequence[Any]) -> Row:
    time, value, quality, received, event = columns
    kept = None if received is None else int(received)
    return Row(int(time), _value(point, value), int(quality or Quality.GOOD), kept, str(event or ""))


def _value(point: Point, value: Any) -> Scalar:
    """A number without decimals comes back from JSON as an int; a missing one was NaN."""
    if value is None:
        return math.nan
    if point.kind is Kind.NUMBER:
        return float(value)
    return bool(value) if point.kind is Kind.BINARY else str(value)
