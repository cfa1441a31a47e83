"""Which samples stay when there is no room for all: the first, the last, the smallest and the largest.

Of each device's point and each span of time four samples stay at most, in their order and with their own
times, so a curve keeps its shape and its extremes. What belongs to an occurrence (`Sample.event`), is in
another unit or of another kind (a number, a word, a switch, NaN) is a series of its own. No file and no
clock here.
"""

from collections.abc import Iterable
from typing import Final

from readings import Sample, Scalar

SECOND: Final = 1_000_000_000
SPANS: Final = (60 * SECOND, 600 * SECOND, 3600 * SECOND)
"""Spans of time by level, ns. What has been thinned by the minute and must be thinned again is thinned by
ten minutes, then by the hour."""

_KINDS: Final = {bool: "switch", int: "number", float: "number", str: "word"}

_Key = tuple[int, str, str, str, str, str]


class _Extremes:
    """Positions of one series' samples in one span."""

    __slots__ = ("first", "largest", "last", "least", "most", "smallest")

    def __init__(self, position: int, value: Scalar) -> None:
        self.first = self.last = self.least = self.most = position
        self.smallest = self.largest = value

    def add(self, position: int, value: Scalar) -> None:
        self.last = position
        if value < self.smallest:  # type: ignore[operator]  # one kind of values in each series
            self.least, self.smallest = position, value
        elif value > self.largest:  # type: ignore[operator]
            self.most, self.largest = position, value


class Thinning:
    """Looks at all samples of a piece of the outbox in turn, then says which stay."""

    def __init__(self, span: int) -> None:
        """`span` in ns."""
        self.seen = 0
        self._span = span
        self._series: dict[_Key, _Extremes] = {}

    def look(self, samples: Iterable[Sample]) -> None:
        """Take the next samples into account."""
        series, span, position = self._series, self._span, self.seen
        for sample in samples:
            value = sample.value
            kind = _KINDS[type(value)] if value == value else "nan"
            key = (sample.taken // span, sample.source, sample.point, sample.unit, sample.event, kind)
            found = series.get(key)
            if found is None:
                series[key] = _Extremes(position, value)
            else:
                found.add(position, value)
            position += 1
        self.seen = position

    def staying(self) -> set[int]:
        """Positions (from 0, in the order they were looked at) of the samples that stay."""
        stay: set[int] = set()
        for found in self._series.values():
            stay.update((found.first, found.last, found.least, found.most))
        return stay
