"""Every measurement by name, in the order they are made."""

from collections.abc import Awaitable, Callable
from typing import Final

from bench import influx, latency, memory, mqtt, parts, path
from bench.figures import Conditions, Figure

Measure = Callable[[Conditions], Awaitable[list[Figure]]]

MEASUREMENTS: Final[dict[str, Measure]] = {
    "path": path.measure,
    "mqtt": mqtt.measure,
    "latency-idle": latency.idle,
    "latency-loaded": latency.loaded,
    "memory": memory.measure,
    "parts": parts.measure,
    "influx-write": influx.write,
    "influx-week": influx.week,
}
