"""The edge's own health as samples of ``edge/self`` (device type `edge-box`).

Points: `outbox_batches`, `outbox_bytes`, `outbox_used` (% of what telemetry may use), `outbox_full`,
`oldest_waiting_s`, `thinned` (samples left out since the outbox was made), `lost` (samples that were in
damaged outboxes and could not be saved, as far as they could be counted), `link`, `clock_offset_s` (server
minus edge, when it can be learnt), `clock_wrong` (the machine's clock says what cannot be), `dated` (samples
that got their times when the time was known, since the agent's start), `cpu_temperature` (Cel, where the
board has a sensor), `disk_free` (By), `device_silent` (polled devices that do not answer),
`connections_down`, and since the agent's start `messages`, `dead_letters`, `redelivered`, `device_errors`,
`driver_restarts`, `not_taken` (polled samples that nothing could keep), `sent_straight` (samples sent past an
outbox that could not keep them). What they are per connection stands in ``status.json`` beside the outbox.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from edge.box_clock import ClockState
from edge.intake import Counters
from edge.outbox import Outbox
from readings import Sample, Scalar
from readings.vocabulary import EDGE_CONNECTION

SOURCE: Final = f"{EDGE_CONNECTION}/self"
_THERMAL: Final = Path("/sys/class/thermal/thermal_zone0/temp")


@dataclass
class ConnectionHealth:
    """What one connection reports about itself."""

    counters: Counters = field(default_factory=Counters)
    up: bool = False
    restarts: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Vitals:
    """What was measured for one report."""

    link: bool
    oldest: int | None
    clock_offset: float | None
    outbox_full: bool
    thinning: bool
    """Whether waiting telemetry is being thinned."""
    problem: str
    """Why the outbox cannot be written or nothing is sent; empty when all is well."""
    not_taken: int
    """Polled samples that nothing could keep."""
    sent_straight: int
    """Samples sent past an outbox that could not keep them."""
    clock: ClockState


def samples(
    outbox: Outbox, connections: Mapping[str, ConnectionHealth], vitals: Vitals, now: int
) -> list[Sample]:
    """One report, taken at `now` (ns)."""
    return [Sample(SOURCE, point, value, now) for point, value in _values(outbox, connections, vitals, now)]


def _values(
    outbox: Outbox, connections: Mapping[str, ConnectionHealth], vitals: Vitals, now: int
) -> Iterator[tuple[str, Scalar]]:
    yield "outbox_batches", sum(depth.batches for depth in outbox.depth.values())
    yield "outbox_bytes", sum(depth.bytes for depth in outbox.depth.values())
    yield "oldest_waiting_s", 0.0 if vitals.oldest is None else max(0.0, (now - vitals.oldest) / 1e9)
    yield "outbox_full", vitals.outbox_full
    yield "outbox_used", round(100 * outbox.fullness, 1)
    yield "lost", outbox.lost
    yield "not_taken", vitals.not_taken
    yield "sent_straight", vitals.sent_straight
    yield "thinned", sum(depth.thinned for depth in outbox.depth.values())
    yield "link", vitals.link
    yield "clock_wrong", vitals.clock.wrong
    yield "dated", vitals.clock.dated
    if vitals.clock_offset is not None:
        yield "clock_offset_s", round(vitals.clock_offset, 6)
    if (temperature := cpu_temperature()) is not None:
        yield "cpu_temperature", temperature
    if (free := disk_free(outbox.path)) is not None:
        yield "disk_free", free
    counters = [health.counters for health in connections.values()]
    yield "device_silent", sum(each.silent for each in counters)
    yield "device_errors", sum(each.errors for each in counters)
    yield "messages", sum(each.messages for each in counters)
    yield "dead_letters", sum(each.malformed for each in counters)
    yield "redelivered", sum(each.redelivered for each in counters)
    yield "driver_restarts", sum(health.restarts for health in connections.values())
    yield "connections_down", sum(not health.up for health in connections.values())


def status(
    outbox: Outbox, connections: Mapping[str, ConnectionHealth], vitals: Vitals, now: int
) -> dict[str, object]:
    """The same and more for people and tools on the edge itself: what ``status.json`` holds."""
    return {
        "edge": outbox.edge,
        "process": os.getpid(),
        "time": now,
        "lanes": {
            lane.value: {
                "seq": depth.seq,
                "stored": depth.stored,
                "waiting": depth.batches,
                "bytes": depth.bytes,
                "thinned": depth.thinned,
            }
            for lane, depth in outbox.depth.items()
        },
        "outbox_used": round(100 * outbox.fullness, 1),
        "alarms_have_room": outbox.alarms_have_room,
        "lost": outbox.lost,
        "connections": {
            name: {"up": health.up, "restarts": health.restarts, "problem": health.problem}
            | asdict(health.counters)
            for name, health in connections.items()
        },
        **asdict(vitals),
    }


def cpu_temperature() -> float | None:
    """Degrees Celsius of the board's first thermal zone; None where there is none."""
    try:
        return int(_THERMAL.read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None


def disk_free(path: Path) -> int | None:
    """Bytes that an ordinary user may still write where `path` lies; None when that cannot be read."""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
