"""What tells the time on a box."""

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time, nanoseconds since 1970 UTC, as far as it is known (`edge.box_clock`)."""

    @property
    def knows(self) -> bool:
        """Whether what it tells is a time."""

    @property
    def is_awaited(self) -> bool:
        """Whether telemetry that has no number yet is to wait for the time."""

    def __call__(self) -> int:
        """The time; before it is known, what stands for it."""

    def core_says(self, now: int) -> None:
        """The core's clock says `now`."""


class MachineClock:
    """The machine's clock, believed whatever it says."""

    knows = True
    is_awaited = False

    def __call__(self) -> int:
        """What the machine's clock says."""
        return time.time_ns()

    def core_says(self, now: int) -> None:
        """Nothing depends on it."""
