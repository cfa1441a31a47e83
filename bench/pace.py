"""How fast the processor is just now.

A virtual machine's cores share the host's with others: the same code takes up to twice as long while they are
at work, and neither the load average nor the stolen time says so. So every measurement comes with the time of
a fixed piece of Python before and after it: figures are compared at the same pace only.
"""

import statistics
import time
from typing import Final, NamedTuple

_TURNS: Final = 9
_STEPS: Final = 60_000


class Pace(NamedTuple):
    """Milliseconds of processor time for the fixed piece, before and after a measurement."""

    before: float
    after: float


def pace() -> float:
    """Milliseconds of processor time, the median of nine turns (0.1 to 0.2 s together)."""
    return statistics.median(_turn() for _ in range(_TURNS))


def _turn() -> float:
    """Numbers, texts and a dictionary: what most of this system's time goes to. Must never be changed."""
    began = time.process_time()
    kept: dict[int, tuple[int, str]] = {}
    for n in range(_STEPS):
        kept[n & 1023] = (n, str(n))
    return (time.process_time() - began) * 1e3
