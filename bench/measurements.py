"""Every measurement by name, in the order they are made."""

from collections.abc import Awaitable, Callable
from typing import Final

from bench import path
from bench.figures import Conditions, Figure

Measure = Callable[[Conditions], Awaitable[list[Figure]]]

MEASUREMENTS: Final[dict[str, Measure]] = {
    "path": path.measure,
}
