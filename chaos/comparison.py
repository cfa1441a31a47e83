"""Value by value: what senders were promised against what a store holds.

Pure: no file, no clock. Of a series' values that were said, each acknowledged one must be stored; each stored
one must have been said, and no more often than it was said. A value that came with the device's time must be
stored at that time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from readings import Scalar

COUNTS: Final = (
    "sent", "doubtful", "stored", "quarantined", "thinned", "reported", "lost", "twice", "invented",
)  # fmt: skip
"""The numbers of a `Comparison`."""
EXAMPLES: Final = 10
"""Findings of each sort that are named one by one."""


class Told(NamedTuple):
    """One value as its sender knows it."""

    time: int
    """The device's time (ns since 1970 UTC), 0 where it has none."""
    value: Scalar
    heard: bool
    """Acknowledged: it must not be lost."""
    times: int = 1
    """How often it was sent."""


class Kept(NamedTuple):
    """One value as the store has it."""

    time: int
    value: Scalar


@dataclass
class Comparison:
    """The result, as numbers of values."""

    sent: int = 0
    """Acknowledged to their senders."""
    doubtful: int = 0
    """Said, but the sender went before it heard; they may be stored or not."""
    stored: int = 0
    """Rows of these series."""
    quarantined: int = 0
    """Acknowledged and not stored, but in quarantine with their raw bytes."""
    thinned: int = 0
    """Acknowledged and given up by an edge whose outbox was full, which counted them."""
    reported: int = 0
    """Acknowledged and lost with a damaged outbox, whose edge says how many."""
    lost: int = 0
    twice: int = 0
    """Rows too many for a value that was said."""
    invented: int = 0
    """Rows with a value, or a time, that nobody said."""
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every value is accounted for."""
        return not (self.lost or self.twice or self.invented)

    def add(self, other: "Comparison") -> None:
        """Count `other` in."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples = [*self.examples, *other.examples][: 3 * EXAMPLES]


def compare(
    name: str,
    told: Iterable[Told],
    kept: Iterable[Kept],
    quarantined: Sequence[Kept] = (),
    thinned: int = 0,
    reported: int = 0,
) -> Comparison:
    """Compare one series, called `name` in the examples.

    `quarantined` are its values in quarantine (time 0 where the device had none); `thinned` is how many
    acknowledged values its edge says that it gave up, `reported` how many it says that damage cost it.
    """
    found = Comparison()
    by_time: dict[int, Scalar] = {}
    spare: Counter[Scalar] = Counter()
    for row in kept:
        found.stored += 1
        by_time[row.time] = row.value
    missing: list[Told] = []
    untimed: dict[Scalar, list[Told]] = {}
    for one in told:
        found.sent += one.heard
        found.doubtful += not one.heard
        if not one.time:
            untimed.setdefault(one.value, []).append(one)
        elif by_time.get(one.time, _NOTHING) == one.value:
            del by_time[one.time]
            spare[one.value] += 0
        elif one.heard:
            missing.append(one)
    rest = Counter(by_time.values())
    for value, ones in untimed.items():
        rows = rest.pop(value, 0)
        heard = [one for one in ones if one.heard]
        missing += heard[: max(0, len(heard) - rows)]
        found.twice += (extra := max(0, rows - sum(one.times for one in ones)))
        _tell(found, extra, f"{name}: {value!r} is stored {rows} times")
    for value, rows in rest.items():
        if value in spare:
            found.twice += rows
            _tell(found, rows, f"{name}: {value!r} is stored at {rows} more times than it was said")
        else:
            found.invented += rows
            _tell(found, rows, f"{name}: {value!r} is stored, and nobody said it (at that time)")
    aside = Counter((row.time, row.value) for row in quarantined)
    for one in missing:
        if aside[one.time, one.value] > 0:
            aside[one.time, one.value] -= 1
            found.quarantined += 1
        elif found.thinned < thinned:
            found.thinned += 1
        elif found.reported < reported:
            found.reported += 1
        else:
            found.lost += 1
            _tell(found, 1, f"{name}: {one.value!r} (device time {one.time}) was acknowledged and is lost")
    return found


_NOTHING: Final = object()


def _tell(found: Comparison, count: int, sentence: str) -> None:
    if count and len(found.examples) < EXAMPLES:
        found.examples.append(sentence)
