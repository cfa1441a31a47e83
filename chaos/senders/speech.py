"""What the simulated devices say: plausible values, each different from every other of its series.

A value that occurs once can be found again: that is how a value that was stored twice is told from two equal
ones. Switches have only two values, so messages that carry one carry the device's time as well.
"""

import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from chaos.journal import Said, Series
from readings import Scalar
from registry.device_types import Kind
from registry.site import Site
from simulators.device import AVAILABILITY

CLASSES: Final = ("smoke", "environment", "meter")
"""Device classes that may speak for themselves; doors and gas have rules for what they would say."""
STEP: Final = 1e-6
"""How far two values of a series lie apart."""
_QUIET: Final = 0.4
"""Where between the plausible lowest and highest a series begins: no rule minds."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One device that speaks MQTT with Zigbee2MQTT's words."""

    topic: str
    timed: bool
    """Its messages carry ``last_seen``."""
    first: int
    """Index of its first series in the journal."""
    points: Sequence[tuple[str, float | None]]
    """(native point, where its values begin); None for a switch, which stays off."""


@dataclass(frozen=True, slots=True)
class Choir:
    """The devices of one edge that one sender speaks for."""

    voices: Sequence[Voice]
    series: Sequence[Series]


def choir(
    site: Site,
    edge: str,
    *,
    connection: str = "z2m",
    most: int = 1_000,
    spare: AbstractSet[str] = frozenset(),
    classes: Sequence[str] = CLASSES,
) -> Choir:
    """The Zigbee devices of `edge` that belong to `classes`, `most` at most and none of `spare`.

    Those with a switch say their own time, of the others every second one does.
    """
    base = next(c for c in site.edges[edge].connections if c.id == connection).settings["topic"]
    voices: list[Voice] = []
    series: list[Series] = []
    for device in site.devices.values():
        if device.edge != edge or device.connection != connection or len(voices) >= most:
            continue
        kind = site.types[device.type]
        if kind.device_class not in classes or device.id in spare:
            continue
        points = [
            point
            for point in kind.points
            if point.native != AVAILABILITY
            and point.kind in (Kind.NUMBER, Kind.BINARY)
            and point.native_unit in ("", point.unit)
        ]
        timed = len(voices) % 2 == 0 or any(point.kind is Kind.BINARY for point in points)
        starts = [
            None
            if point.kind is Kind.BINARY
            else _begin(0.0 if point.minimum is None else point.minimum, point.maximum or 100.0)
            for point in points
        ]
        named = tuple(zip((point.native for point in points), starts, strict=True))
        voices.append(Voice(f"{base}/{device.address}", timed, len(series), named))
        series += [
            Series(edge, f"{connection}/{device.address}", p.native, device.id, p.name, p.lane)
            for p in points
        ]
    return Choir(voices, series)


def _begin(low: float, high: float) -> float:
    return round(low + (high - low) * _QUIET, 3)


def words(voice: Voice, number: int, now: int) -> list[Said]:
    """What `voice` says in its message `number` at `now` (ns)."""
    stamp = now // 1_000_000 * 1_000_000 if voice.timed else 0
    return [
        Said(voice.first + place, stamp, False if begin is None else round(begin + number * STEP, 6))
        for place, (_, begin) in enumerate(voice.points)
    ]


def payload(voice: Voice, said: Sequence[Said]) -> bytes:
    """The message that says `said`."""
    body: dict[str, Scalar] = {}
    for one in said:
        native, begin = voice.points[one.series - voice.first]
        body[native] = bool(one.value) if begin is None else one.value
    if said[0].time:
        body["last_seen"] = said[0].time // 1_000_000
    return msgspec.json.encode(body)


def dump(found: Choir, file: Path) -> None:
    """Write a choir for its sender's process."""
    file.write_bytes(msgspec.json.encode(found))


def load(file: Path) -> Choir:
    """The reverse of `dump`."""
    return msgspec.json.decode(file.read_bytes(), type=Choir)


class DeviceClock:
    """The devices' own clock: no two messages of a sender in the same millisecond."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> int:
        """Now, in ns since 1970 UTC, at least a millisecond later than before."""
        self._last = max(self._last + 1_000_000, time.time_ns())
        return self._last
