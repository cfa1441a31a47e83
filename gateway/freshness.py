"""When each device was last heard: who is watching, and where nobody is."""

from collections.abc import Iterable, Mapping

from readings.reading import Reading
from registry.device_types import DeviceType
from registry.site import Site

SILENT_INTERVALS = 3
"""A device that missed so many of its expected intervals is silent, unless its type says otherwise."""


def silent_after(kind: DeviceType) -> int:
    """Nanoseconds of silence that are a fault for a device of this type."""
    seconds = kind.silent_after or SILENT_INTERVALS * kind.interval
    return int(seconds * 1e9)


class Freshness:
    """Gateway times at which devices were heard; nanoseconds since 1970 UTC."""

    def __init__(self, heard: Mapping[str, int]) -> None:
        """`heard` is what the store remembers from before."""
        self._heard: dict[str, int] = dict(heard)

    def take(self, readings: Iterable[Reading]) -> None:
        """Note that these readings' devices were heard; what comes late (from quarantine) changes nothing."""
        heard = self._heard
        for reading in readings:
            if reading.received > heard.get(reading.device, 0):
                heard[reading.device] = reading.received

    def last(self, device: str) -> int | None:
        """When `device` was heard last; None: never."""
        return self._heard.get(device)

    def silent(self, site: Site, now: int) -> tuple[set[str], set[str]]:
        """The devices that are silent, and among them those that were never heard."""
        limits = {kind.id: silent_after(kind) for kind in site.types.values()}
        heard = self._heard
        silent: set[str] = set()
        never: set[str] = set()
        for device in site.devices.values():
            last = heard.get(device.id)
            if last is None:
                never.add(device.id)
            if last is None or now - last > limits[device.type]:
                silent.add(device.id)
        return silent, never
