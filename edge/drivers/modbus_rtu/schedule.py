"""Whose turn it is on a shared line. Pure: time is passed in (seconds of any monotonic clock).

Devices that answer are polled at their interval. One that failed `DEAD_AFTER` times in a row is dead: it is
asked ever more rarely, and all dead devices together get at most a tenth of the line's time, because each
question to one costs a whole timeout.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

DEAD_AFTER: Final = 3
_RAREST: Final = 60.0
_PROBE_SHARE: Final = 0.1

T = TypeVar("T")


@dataclass
class Turn(Generic[T]):
    """One device's place in the schedule."""

    device: T
    interval: float
    due: float = 0.0
    failures: int = 0

    @property
    def dead(self) -> bool:
        """Whether it has not answered for some time."""
        return self.failures >= DEAD_AFTER


class Schedule(Generic[T]):
    """The turns of one line."""

    def __init__(self, turns: list[Turn[T]]) -> None:
        self.turns = turns
        self._probe_from = 0.0

    def next(self, now: float) -> tuple[Turn[T] | None, float]:
        """Whose turn it is, or None and the seconds until it may be somebody's."""
        earliest = now + 1.0
        chosen: Turn[T] | None = None
        for turn in self.turns:
            due = max(turn.due, self._probe_from) if turn.dead else turn.due
            if due < earliest:
                earliest, chosen = due, turn
        if chosen is not None and earliest <= now:
            return chosen, 0.0
        return None, max(earliest - now, 0.001)

    def answered(self, turn: Turn[T], now: float) -> None:
        """It is alive: its next turn comes an interval after this one was due, or now when that passed."""
        turn.failures = 0
        turn.due = max(turn.due + turn.interval, now)

    def failed(self, turn: Turn[T], now: float, spent: float) -> None:
        """It did not answer within `spent` seconds."""
        was_dead = turn.dead
        turn.failures += 1
        if was_dead:
            self._probe_from = now + spent * (1 / _PROBE_SHARE - 1)
        rest = turn.interval
        if turn.dead:
            rest = min(turn.interval * 2.0 ** min(turn.failures - DEAD_AFTER + 1, 16), max(_RAREST, rest))
        turn.due = now + rest

    @property
    def dead(self) -> int:
        """How many devices do not answer."""
        return sum(turn.dead for turn in self.turns)
