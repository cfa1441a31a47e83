"""Which batches are done: a set of sequence numbers that stays small because they come without gaps."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from readings import Lane


class BatchId(NamedTuple):
    """The identity of a batch on its whole way."""

    edge: str
    lane: Lane
    seq: int


class Sequences:
    """A set of positive integers kept as closed ranges, lowest first.

    An undisturbed lane is one range. A gap (a batch still on its way) makes two, which join when it is
    filled; an edge that starts counting elsewhere simply begins another.
    """

    __slots__ = ("_first", "_last")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """`ranges` are (first, last), both included, disjoint and not adjacent, in any order."""
        ordered = sorted(ranges)
        self._first = [first for first, _ in ordered]
        self._last = [last for _, last in ordered]

    @classmethod
    def joined(cls, ranges: Iterable[tuple[int, int]]) -> "Sequences":
        """The set of all numbers in `ranges`, which may overlap and touch."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return cls(merged)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._first, seq) - 1
        return at >= 0 and seq <= self._last[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges as (first, last)."""
        return zip(self._first, self._last, strict=True)

    def __len__(self) -> int:
        """How many numbers are in the set."""
        return sum(last - first + 1 for first, last in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequences) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # a mutable set is not hashable, and mypy wants a method

    def __repr__(self) -> str:
        return f"Sequences({[*self]!r})"

    @property
    def highest(self) -> int:
        """The highest number in the set; 0 when it is empty."""
        return self._last[-1] if self._last else 0

    def add(self, seq: int) -> bool:
        """Put `seq` in; False when it was there already."""
        first, last = self._first, self._last
        at = bisect_right(first, seq) - 1
        if at >= 0 and seq <= last[at]:
            return False
        joins_left = at >= 0 and last[at] == seq - 1
        joins_right = at + 1 < len(first) and first[at + 1] == seq + 1
        if joins_left and joins_right:
            last[at] = last[at + 1]
            del first[at + 1], last[at + 1]
        elif joins_left:
            last[at] = seq
        elif joins_right:
            first[at + 1] = seq
        else:
            first.insert(at + 1, seq)
            last.insert(at + 1, seq)
        return True

    def without(self, other: "Sequences") -> Iterator[tuple[int, int]]:
        """The ranges of numbers that are in this set and not in `other`."""
        others = [*other]
        for first, last in self:
            at = bisect_right(other._last, first - 1)
            while first <= last and at < len(others) and others[at][0] <= last:
                if first < others[at][0]:
                    yield first, others[at][0] - 1
                first = others[at][1] + 1
                at += 1
            if first <= last:
                yield first, last

    def copy(self) -> "Sequences":
        """An independent copy."""
        return Sequences(self)
