"""How the platform itself is doing."""

from collections.abc import Mapping
from typing import Final

from gateway.api import schemas
from gateway.api.views.context import Context, ingest_silent, unavailable
from gateway.api.views.devices import Ask
from gateway.status import Status
from ingest.bus import BusUnavailable
from ingest.status import CommandRefused
from ingest.stores import StoreUnavailable
from language import translator

CLOCK_TOLERANCE: Final = 5.0
"""Seconds that a device's clock may differ before it is listed."""


class SystemViews:
    """Health, queues, books."""

    def __init__(self, context: Context, status: Status, ingest: Ask) -> None:
        """`ingest` has the ingest process carry out a command."""
        self._context = context
        self._status = status
        self._ingest = ingest

    async def show(self, language: str) -> schemas.SystemOut:
        """The system page."""
        return await self._status.system(self._context.site, translator(language), self._context.clock())

    async def health(self, language: str) -> schemas.HealthOut:
        """For a watchdog."""
        return self._status.health(translator(language))

    async def clocks(self, limit: int) -> schemas.ClocksOut:
        """How the devices' clocks stand."""
        try:
            answer = await self._ingest("clock_offsets", {})
        except (BusUnavailable, CommandRefused) as error:
            raise ingest_silent(error) from error
        site = self._context.site
        offsets: Mapping[str, float] = {k: v for k, v in answer["offsets"].items() if k in site.devices}
        off = {device: offset for device, offset in offsets.items() if abs(offset) > CLOCK_TOLERANCE}
        worst = sorted(off, key=lambda device: (-abs(off[device]), device))
        return schemas.ClocksOut(
            compared=len(offsets),
            tolerance_seconds=CLOCK_TOLERANCE,
            off=len(off),
            items=[
                schemas.DeviceClockOut(
                    device=device,
                    place_name=dict(site.place_of(site.devices[device]).name),
                    edge=site.devices[device].edge,
                    offset_seconds=round(off[device], 3),
                )
                for device in worst[:limit]
            ],
        )

    async def books(self, limit: int, language: str) -> schemas.BooksOut:
        """The books."""
        try:
            return await self._status.books(limit, translator(language), self._context.clock())
        except StoreUnavailable as error:
            raise unavailable(error) from error
