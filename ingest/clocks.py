"""Which of a sample's clocks to believe.

Three clocks come with a sample: the device's (often none), the edge's, and the time the bus stored the
batch, which is the gateway's. The first plausible one gives the event time; when one had to be passed
over, the reading is marked and its receive time kept.
"""

from dataclasses import dataclass
from typing import Final

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND


@dataclass(frozen=True)
class ClockLimits:
    """When a clock is believed. Nanoseconds; `oldest` since 1970-01-01 UTC."""

    ahead: int = 30 * SECOND
    """A time further in the future than this is wrong."""
    oldest: int = 1_577_836_800 * SECOND
    """2020-01-01: clocks without a battery start in 1970, 2000 or at their firmware's date."""
    behind: int = 366 * DAY
    """A device's time further than this behind its edge is wrong, however long it buffered."""


CLOCK_WINDOW: Final = 600 * SECOND
"""A device's clock is judged by what it said in this window and in the one before."""


class DeviceClock:
    """How far a device's clock is ahead of its edge's, by what it sends.

    A sample comes after what it tells of, by the way to the edge and by as long as the device kept it. So the
    edge sees ``device time - edge time = offset - delay``, with a delay that is never negative: the highest
    difference is the best estimate, and it is right as soon as the device sends one thing at once.
    """

    __slots__ = ("_before", "_best", "_until")

    def __init__(self) -> None:
        self._before: int | None = None
        self._best: int | None = None
        self._until = 0

    def see(self, time: int, taken: int) -> None:
        """The device said at `time`, by its clock, what the edge had at `taken`, by its own."""
        ahead = time - taken
        if taken >= self._until:
            just_before = taken < self._until + CLOCK_WINDOW
            self._before = self._best if just_before else None
            self._best, self._until = ahead, taken + CLOCK_WINDOW
        elif self._best is None or ahead > self._best:
            self._best = ahead

    @property
    def offset(self) -> int | None:
        """ns that it is ahead (negative: behind) of its edge's clock; None when it tells no time."""
        known = [each for each in (self._before, self._best) if each is not None]
        return max(known, default=None)


def event_time(
    limits: ClockLimits, time: int, taken: int, received: int, newest_taken: int
) -> tuple[int, bool]:
    """The event time of a sample and whether a clock had to be passed over.

    `time` is the device's clock (0: it has none), `taken` the edge's, `received` the gateway's and
    `newest_taken` the highest `taken` of the same batch.

    An edge whose own clock is wrong still measures how far its samples lie apart, so they are laid out
    before the receive time with their distances kept (`newest_taken` falls on it). That also keeps two
    equal values of one series from looking like one sample delivered twice.
    """
    latest = received + limits.ahead
    edge_is_right = limits.oldest <= taken <= latest
    if time and limits.oldest <= time <= latest and (not edge_is_right or time >= taken - limits.behind):
        return time, False
    if edge_is_right:
        return taken, time != 0
    return received - min(max(newest_taken - taken, 0), DAY), True
