"""Devices, their latest values and their histories."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from cases.store import AlarmFilter
from gateway.api import schemas
from gateway.api.problems import NotFound
from gateway.api.showing import instant, maybe_instant, nanoseconds, shown_value
from gateway.api.views.context import Context, Paging, bad_page, ingest_silent
from ingest.bus import BusUnavailable
from ingest.normaliser import LastSample
from ingest.status import CommandRefused
from registry.devices import Device
from rules.findings import Severity

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

HOUR: Final = 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFilter:
    """Which devices; empty means any."""

    grid: str = ""
    device_class: str = ""
    state: schemas.DeviceState | None = None
    place: str = ""
    text: str = ""


class DeviceViews:
    """What the devices are, say and said."""

    def __init__(self, context: Context, ingest: Ask) -> None:
        """`ingest` has the ingest process carry out a command (`ingest.status.ask`)."""
        self._context = context
        self._ingest = ingest

    async def page(self, chosen: DeviceFilter, paging: Paging) -> schemas.DevicePage:
        """Devices in trouble first: alarms by severity, then silent ones, then by id."""
        worst = await self._worst_by_device()
        now = self._context.clock()
        silent, never = self._context.freshness.silent(self._context.site, now)
        found = [
            device
            for device in self._context.site.devices.values()
            if self._matches(device, chosen, silent, never)
        ]
        found.sort(key=lambda d: (worst[d.id].rank if d.id in worst else 9, d.id not in silent, d.id))
        if paging.after and not paging.after.isdecimal():
            raise bad_page()
        start = int(paging.after or 0)
        page = found[start : start + paging.limit]
        following = start + paging.limit
        return schemas.DevicePage(
            items=[schemas.DeviceOut(**self._device(device, silent, never, worst)) for device in page],
            total=len(found),
            next=str(following) if following < len(found) else None,
        )

    def _matches(self, device: Device, chosen: DeviceFilter, silent: set[str], never: set[str]) -> bool:
        site = self._context.site
        if chosen.place and device.place != chosen.place:
            return False
        if chosen.device_class and site.type_of(device).device_class != chosen.device_class:
            return False
        if chosen.state is not None and chosen.state is not _state(device.id, silent, never):
            return False
        if chosen.grid and all(grid.id != chosen.grid for grid in site.grid_path(device.place)):
            return False
        if chosen.text:
            place = site.place_of(device)
            haystack = " ".join(
                (device.id, device.name, device.source, device.place, place.building, *place.name.values())
            )
            return chosen.text.casefold() in haystack.casefold()
        return True

    def _device(
        self, device: Device, silent: set[str], never: set[str], worst: dict[str, Severity]
    ) -> dict[str, Any]:
        place = self._context.site.place_of(device)
        return {
            "id": device.id,
            "name": self._context.showing.names.device(device),
            "type": device.type,
            "device_class": self._context.site.type_of(device).device_class,
            "place": device.place,
            "place_name": dict(place.name),
            "building": place.building,
            "floor": place.floor,
            "grid": place.grid,
            "edge": device.edge,
            "source": device.source,
            "state": _state(device.id, silent, never),
            "last_heard": maybe_instant(self._context.freshness.last(device.id)),
            "worst": worst.get(device.id),
        }

    async def _worst_by_device(self) -> dict[str, Severity]:
        def ask() -> dict[str, Severity]:
            found: dict[str, Severity] = {}
            with self._context.store.reading() as reading:
                for alarm in reading.alarms(limit=5000).items:
                    found.setdefault(alarm.device, alarm.severity)
            return found

        return await self._context.ask(ask)

    async def one(self, device_id: str) -> schemas.DeviceDetail:
        """One device's page."""
        device = self._context.device(device_id)
        site = self._context.site
        kind = site.type_of(device)
        now = self._context.clock()
        silent, never = self._context.freshness.silent(site, now)
        worst = await self._worst_by_device()
        latest = (await self.latest([device_id]))[device_id]

        def alarms() -> list[schemas.AlarmOut]:
            with self._context.store.reading() as ask:
                chosen = AlarmFilter(state="all", device=device_id)
                return [self._context.showing.alarm(alarm) for alarm in ask.alarms(chosen, limit=20).items]

        return schemas.DeviceDetail(
            **self._device(device, silent, never, worst),
            type_label=dict(kind.label),
            vendor=kind.vendor,
            model=kind.model,
            interval=kind.interval,
            grids=[grid.id for grid in site.grid_path(device.place)],
            officer=self._context.showing.person(site.officer_of(device.place)),
            points=[self._context.showing.point(point) for point in kind.points],
            limits=self._context.showing.limits(device),
            latest=latest,
            alarms=await self._context.ask(alarms),
        )

    async def latest(self, devices: list[str]) -> dict[str, list[schemas.Value]]:
        """The latest values of some devices."""
        known = {name: self._context.device(name) for name in devices}
        found: dict[str, list[schemas.Value]] = {name: [] for name in devices}
        for row in await self._context.history(self._context.readings.latest(list(known))):
            kind = self._context.site.type_of(known[row.device])
            found[row.device].append(self._context.showing.value(kind, row.point, row.row))
        return found

    async def samples(self, device_id: str) -> list[schemas.SampleOut]:
        """What came last of each of a device's points, as its driver sent it."""
        self._context.device(device_id)
        try:
            answer = await self._ingest("last_samples", {"device": device_id})
        except (BusUnavailable, CommandRefused) as error:
            raise ingest_silent(error) from error
        offset = answer.get("clock_offset")
        return [_sample(last, offset) for last in msgspec.convert(answer["samples"], list[LastSample])]

    async def series(
        self, device_id: str, point_id: str, start: datetime | None, end: datetime | None, buckets: int | None
    ) -> schemas.SeriesOut:
        """A point's history."""
        device = self._context.device(device_id)
        point = self._context.site.point(device, point_id)
        if point is None:
            raise NotFound(f"point {point_id} of {device_id}")
        until = nanoseconds(end) if end else self._context.clock()
        since = nanoseconds(start) if start else until - HOUR
        found = await self._context.history(
            self._context.readings.series(device_id, point_id, since, until, buckets=buckets)
        )
        ms = 1_000_000
        summed = buckets is not None and not found.rows
        return schemas.SeriesOut(
            device=device_id,
            point=point_id,
            unit=point.unit,
            kind=point.kind,
            start=since // ms,
            end=until // ms,
            cut=found.cut,
            raw=None if summed else [(row.time // ms, shown_value(row.value)) for row in found.rows],
            buckets=[(one.time // ms, one.minimum, one.maximum, one.mean, one.count) for one in found.buckets]
            if summed
            else None,
        )


def _sample(last: LastSample, clock_offset: float | None) -> schemas.SampleOut:
    sample = last.sample
    return schemas.SampleOut(
        point=last.point,
        source=sample.source,
        native=sample.point,
        value=shown_value(sample.value),
        unit=sample.unit,
        event=sample.event,
        lane=last.lane,
        edge=last.edge,
        device_time=maybe_instant(sample.time or None),
        clock_offset_seconds=None if clock_offset is None else round(clock_offset, 3),
        edge_time=instant(sample.taken),
        received=instant(last.received),
    )


def _state(
    device: str, silent: set[str], never: set[str]
) -> Literal[schemas.DeviceState.OK, schemas.DeviceState.SILENT, schemas.DeviceState.NEVER]:
    if device in never:
        return schemas.DeviceState.NEVER
    return schemas.DeviceState.SILENT if device in silent else schemas.DeviceState.OK
