"""Questions to InfluxDB: the same as to the embedded store, with the same answers."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from ingest.stores import ROWS, Bucket, LatestRow, Row, Series, bucket_width
from ingest.stores.influx_client import UNREADABLE, InfluxClient, InfluxSettings, identifier
from readings import Quality, Scalar
from registry.device_types import Kind, Point
from registry.site import Site

_DEVICES: Final = 100
"""Devices named in one query."""


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

    def __init__(self, settings: InfluxSettings, site: Site) -> None:
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
        grouped = f"GROUP BY time({width}ns, {start % width}ns) fill(none)"
        summarise = self._switch_buckets if known.kind is Kind.BINARY else self._number_buckets
        return Series(
            buckets=await summarise(f"FROM {source} WHERE {where}", grouped, point, values), width=width
        )

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
