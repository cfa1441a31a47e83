"""Which lane a sample takes: by the points of its device's type.

What the wiring does not know (a device nobody registered, a point its type has not) still travels, on the
telemetry lane, and ends in the gateway's quarantine. Only a type's `ignore` is left out at the edge.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from edge.intake import Attached
from readings import Lane
from readings.vocabulary import MALFORMED
from registry.device_types import DeviceType

_POINTS_REMEMBERED: Final = 4096


class _TypeRoutes(dict[str, Lane | None]):
    """Native point → lane, None when left out; decided once for each point that is ever seen."""

    def __init__(self, device_type: DeviceType | None) -> None:
        super().__init__()
        self._known = {point.native: point.lane for point in device_type.points} if device_type else {}
        self._ignored = frozenset(device_type.ignore) if device_type else frozenset()

    def __missing__(self, point: str) -> Lane | None:
        lane = self._known.get(point)
        if lane is None and (point == MALFORMED or not self._is_ignored(point)):
            lane = Lane.TELEMETRY
        if len(self) < _POINTS_REMEMBERED:
            self[point] = lane
        return lane

    def _is_ignored(self, point: str) -> bool:
        """`update` leaves out `update.state` too."""
        parts = point.split(".")
        return any(".".join(parts[:end]) in self._ignored for end in range(1, len(parts) + 1))


class Routes:
    """The lanes of one edge's points."""

    def __init__(self, devices: Iterable[Attached], types: Mapping[str, DeviceType]) -> None:
        by_type = {name: _TypeRoutes(device_type) for name, device_type in types.items()}
        self._of_unknown = _TypeRoutes(None)
        self._by_source = {device.source: by_type.get(device.type, self._of_unknown) for device in devices}

    def of(self, source: str) -> Mapping[str, Lane | None]:
        """Native point → lane for the device at `source`; None for a point that its type leaves out."""
        return self._by_source.get(source, self._of_unknown)
