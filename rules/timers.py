"""Deadlines. They live in the alarms' records; the heap here only knows which comes next.

A deadline has two times. `due` is when it is reached in event time: that is the time of the finding.
`wake` is when the caller's clock makes it fire without a reading having reached it. Usually they are the
same. They differ when the deadline lies in the past already, because the readings it waits for are being
replayed or because the engine itself was away: then the readings that are still to come get a moment to
say that the condition had gone (`CATCH_UP`), and `due` stays the time of the finding.

Entries of the heap are never removed, only ignored when the record has another wake time by then.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

from rules.durations import SECOND
from rules.state import Instance, Timer

AWAY: Final = 30 * SECOND
"""A deadline met this much later was missed: nobody was watching when it came."""
CATCH_UP: Final = 15 * SECOND
"""What readings then have to overtake it."""
SILENCE_CATCH_UP: Final = 60 * SECOND
"""The same for silence: edges reconnect before their devices are heard."""

CONFIRM: Final = "confirm"
HOLD: Final = "hold"
KEEP: Final = "keep"
OPEN: Final = "open"
CLOSE: Final = "close"
SETTLE: Final = "settle"
LINGER: Final = "linger"
SILENT: Final = "silent"
BEHIND: Final = "behind"
"""Of a device behind an edge that is not heard either."""

_ON_TIME: Final = frozenset({BEHIND, CONFIRM, HOLD, LINGER})
"""Deadlines that no reading can overtake, or that must not wait: a fire is not kept back."""


def step_timer(index: int) -> str:
    """The name of the deadline at which level `index` has held long enough."""
    return f"for{index}"


class Timers:
    """All deadlines of an engine, by alarm."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []

    def set(self, alarm: str, instance: Instance, name: str, due: int, now: int) -> None:
        """Set or move a deadline."""
        wake = due if due >= now - AWAY or name in _ON_TIME else now + CATCH_UP
        instance.timers[name] = Timer(due, wake)
        heappush(self._heap, (wake, alarm))

    def postpone(self, alarm: str, instance: Instance, name: str, now: int) -> bool:
        """Give readings time when the deadline was missed by more than `AWAY`; whether it was."""
        timer = instance.timers[name]
        if name in _ON_TIME or now - timer.wake <= AWAY:
            return False
        instance.timers[name] = Timer(timer.due, now + CATCH_UP)
        heappush(self._heap, (now + CATCH_UP, alarm))
        return True

    def look_at(self, alarm: str, wake: int) -> None:
        """Have `due` give `alarm` at `wake`: for deadlines that nobody has written down."""
        heappush(self._heap, (wake, alarm))

    def restore(self, alarm: str, instance: Instance) -> None:
        """Take the record's deadlines into the heap."""
        for timer in instance.timers.values():
            heappush(self._heap, (timer.wake, alarm))

    def next(self) -> int | None:
        """The earliest time to wake up at; it may turn out to have moved."""
        return self._heap[0][0] if self._heap else None

    def due(self, limit: int) -> Iterator[tuple[int, str]]:
        """Wake time and alarm to look at, in the order of the times up to `limit`, then by name.

        Whatever is set meanwhile takes its place in the order.
        """
        while self._heap and self._heap[0][0] <= limit:
            yield heappop(self._heap)


def cancel(instance: Instance, name: str) -> bool:
    """Forget a deadline; whether there was one."""
    return instance.timers.pop(name, None) is not None


def reached(instance: Instance, *, due: int | None = None, wake: int | None = None) -> str | None:
    """The record's first deadline that event time `due`, or the clock `wake`, has reached."""
    best: tuple[int, str] | None = None
    for name, timer in instance.timers.items():
        met = (due is not None and timer.due <= due) or (wake is not None and timer.wake <= wake)
        if met and (best is None or (timer.due, name) < best):
            best = (timer.due, name)
    return best[1] if best else None
