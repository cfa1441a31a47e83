"""Ambient life: what a point says on a quiet day.

Every value is a function of the point, the device's seed and the time, with nothing remembered: two
simulators with one seed tell the same story, a restart does not make batteries jump, and a device
that nobody asks costs nothing. Smooth noise is a sum of two sines; jumpy noise is a hash of the time.
"""

import math
import zlib
from typing import Final

from readings import Scalar
from registry.device_types import Kind, Point

DAY: Final = 86_400.0
_BATTERY_LIFE: Final = 420 * DAY
"""From new to flat at a fresh cell's pace; a tired one is changed at 30 %."""

_QUIET: Final[dict[str, tuple[float, float, int]]] = {
    # unit → (usual value, swing, decimals)
    "1": (0.0, 0.0, 0),
    "Cel": (21.0, 2.5, 1),
    "%": (52.0, 8.0, 1),
    "%LEL": (0.0, 0.8, 1),
    "[ppm]": (1.0, 1.0, 0),
    "%/m": (0.02, 0.02, 3),
    "V": (3.0, 0.05, 3),
    "A": (4.0, 1.5, 2),
    "W": (900.0, 300.0, 0),
    "m": (12.0, 12.0, 2),
    "lx": (240.0, 180.0, 0),
    "Pa": (101_300.0, 400.0, 0),
    "ug/m3": (24.0, 10.0, 0),
    "dBm": (-67.0, 6.0, 0),
    "dB": (41.0, 6.0, 1),
    "m/s": (0.8, 0.8, 2),
}


class Life:
    """The quiet life of one point of one device."""

    __slots__ = ("_phase", "_shift", "point")

    def __init__(self, point: Point, seed: str, utc_offset: float = 0.0) -> None:
        """`utc_offset` (seconds east of Greenwich) says when the sun is up where the device hangs."""
        self.point = point
        self._phase = zlib.crc32(f"{seed}/{point.name}".encode()) / 2**32
        self._shift = utc_offset

    def value(self, now: int) -> Scalar:
        """The canonical value at `now` (nanoseconds since 1970 UTC)."""
        point, seconds = self.point, now / 1e9
        match point.kind:
            case Kind.BINARY:
                return point.device_class in ("connectivity", "power", "running")
            case Kind.STATE:
                return _quiet_state(point)
            case Kind.EVENT:
                return ""
        if point.name == "battery":
            return self._battery(seconds)
        if point.name == "linkquality":
            return round(60 + 120 * self._phase + 24 * (_hash(seconds + self._phase) - 0.5))
        return self._number(seconds)

    def _battery(self, seconds: float) -> int:
        age = (seconds + self._phase * _BATTERY_LIFE) % (_BATTERY_LIFE * 0.7)
        return round(100 - 100 * age / _BATTERY_LIFE)

    def _number(self, seconds: float) -> float:
        point = self.point
        base, swing, decimals = _QUIET.get(point.unit, (1.0, 0.5, 2))
        local = (seconds + self._shift) % DAY
        # coolest about 4 in the morning, warmest about 4 in the afternoon; humidity the other way round
        day = -math.cos(math.tau * (local / DAY - 4 / 24)) * (-1.0 if point.unit == "%" else 1.0)
        wander = math.sin(math.tau * (seconds / 1_130 + self._phase)) + math.sin(
            math.tau * (seconds / 271 + 3 * self._phase)
        )
        value = base + swing * (0.6 * day + 0.15 * wander + 0.5 * (self._phase - 0.5))
        low = point.minimum if point.minimum is not None else (-math.inf if base < 0 else 0.0)
        high = point.maximum if point.maximum is not None else math.inf
        return round(min(max(value, low), high), decimals)


def _quiet_state(point: Point) -> str:
    states = tuple(point.states.values())
    return "normal" if "normal" in states or not states else states[0]


def _hash(x: float) -> float:
    """A number in [0, 1) that looks random from one second to the next."""
    return math.modf(abs(math.sin(math.floor(x) * 12.9898) * 43_758.5453))[0]
