"""One simulated device: its quiet life, what a scenario holds it at, and how it is broken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from readings import Scalar
from registry.device_types import DeviceType, Kind, Point
from registry.devices import Device
from simulators.ambient import Life
from simulators.wire_values import to_wire

AVAILABILITY: Final = "availability"
"""The native point that a bridge says on a topic of its own."""


def spoken(kind: DeviceType) -> tuple[Point, ...]:
    """The points that a device of this type says in every report: no events, no availability."""
    return tuple(
        point for point in kind.points if point.kind is not Kind.EVENT and point.native != AVAILABILITY
    )


class Fault(StrEnum):
    """How a device, or its line, can misbehave."""

    SILENT = "silent"
    """It says nothing at all."""
    WRONG_CRC = "wrong_crc"
    """Serial: the answer's checksum is off by one. MQTT has none: the payload is cut instead."""
    HALF_FRAME = "half_frame"
    """Only the first half of what it says arrives."""
    SLOW = "slow"
    """It answers seconds too late, into somebody else's turn."""
    BIT_FLIPS = "bit_flips"
    """Single bits arrive turned over."""
    RUBBISH = "rubbish"
    """Bytes without meaning instead of an answer."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep points at canonical values until released, and say so where the device speaks by itself."""

    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Glide:
    """Move a point to `to`, `fraction` (0 to 1) of the way from where it was at fraction 0."""

    point: str
    to: float
    fraction: float
    begin: float | None = None


@dataclass(frozen=True, slots=True)
class Occur:
    """Something happened: an access event, or what a camera saw for `seconds`."""

    word: str
    score: float = 0.86
    zones: tuple[str, ...] = ()
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Break:
    """From now on misbehave like this; None: be well again."""

    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Report:
    """Say everything now, whatever the interval."""


@dataclass(frozen=True, slots=True)
class Release:
    """Go back to the quiet life, well again."""


Change = Hold | Glide | Occur | Break | Report | Release


class NoSuchPoint(ValueError):
    """The device's type has no point of that name. A scenario to mend."""


@dataclass(slots=True)
class SimulatedDevice:
    """A device as its simulator keeps it."""

    device: Device
    type: DeviceType
    seed: str = "0"
    utc_offset: float = 0.0
    fault: Fault | None = None
    held: dict[str, Scalar] = field(default_factory=dict)
    _lives: dict[str, Life] = field(init=False, repr=False)
    _glides: dict[str, float] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        seed = f"{self.seed}/{self.device.id}"
        self._lives = {point.name: Life(point, seed, self.utc_offset) for point in self.type.points}

    @property
    def id(self) -> str:
        """The device's id in the registry."""
        return self.device.id

    @property
    def address(self) -> str:
        """Its native address on the wire."""
        return self.device.address

    def point(self, name: str) -> Point:
        """The point of that canonical name; raises `NoSuchPoint`."""
        life = self._lives.get(name)
        if life is None:
            raise NoSuchPoint(f"device {self.id!r} (type {self.type.id!r}) has no point {name!r}")
        return life.point

    def event_point(self) -> Point | None:
        """The point that carries events, if the type has one."""
        return next((point for point in self.type.points if point.kind is Kind.EVENT), None)

    def value(self, name: str, now: int) -> Scalar:
        """The canonical value of a point at `now` (nanoseconds since 1970 UTC)."""
        held = self.held.get(name)
        return self._lives[name].value(now) if held is None else held

    def wire_value(self, point: Point, now: int) -> Scalar:
        """The value of `point` as the device would say it now."""
        return to_wire(point, self.value(point.name, now))

    def apply(self, change: Change, now: int) -> None:
        """Take up `change`; raises `NoSuchPoint`. What has to be said about it is the wire's business."""
        match change:
            case Hold(values):
                for name in values:
                    self.point(name)
                self.held.update(values)
            case Glide(name, to, fraction, begin):
                self.point(name)
                if begin is None and (fraction <= 0 or name not in self._glides):
                    current = self.value(name, now)
                    self._glides[name] = float(current) if not isinstance(current, str) else to
                start = self._glides[name] if begin is None else begin
                self.held[name] = round(start + (to - start) * min(fraction, 1.0), 3)
            case Break(fault):
                self.fault = fault
            case Release():
                self.held.clear()
                self._glides.clear()
                self.fault = None
            case Occur() | Report():
                pass
