"""What is remembered of each series: its newest reading and the last few, to know them again.

A series is one point of one device on one lane. From its mark the normaliser tells a reading that is
late from one that is new, and a sample that was delivered twice from two samples. The marks are part
of the normaliser's state: with the same marks a batch normalises to the same readings.
"""

from collections.abc import Iterable
from typing import Final

from readings import Scalar

REMEMBERED: Final = 8
"""Readings of a series that are known again. A redelivery comes within a few readings."""

Seen = Scalar | tuple[Scalar, str]
"""A value, with the occurrence's id where the sample names one."""


class Mark:
    """The mark of one series. `sid` is its number in the ledger."""

    __slots__ = ("last", "recent", "sid")

    def __init__(self, sid: int, last: int = 0, recent: Iterable[tuple[int, Seen]] = ()) -> None:
        self.sid = sid
        self.last = last
        """The highest time seen, ns since 1970 UTC."""
        self.recent: dict[int, Seen] = dict(recent)
        """The last readings by time, in the order they came."""

    def place(self, time: int, seen: Seen) -> int | None:
        """The time under which this value is kept, or None when it was seen before.

        Another value at a time that is taken already moves on by a nanosecond: in a store that is
        addressed by series and time it would replace the first. Remembers the value.
        """
        recent = self.recent
        while time in recent:
            known = recent[time]
            if known == seen or (known != known and seen != seen):  # NaN equals nothing, not even NaN
                return None
            time += 1
        self.remember(time, seen)
        return time

    def remember(self, time: int, seen: Seen) -> None:
        """Note a reading that was kept under `time`."""
        recent = self.recent
        if len(recent) >= REMEMBERED:
            del recent[next(iter(recent))]
        recent[time] = seen
        if time > self.last:
            self.last = time


class Marks:
    """The marks of all series of one lane."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], Mark] = {}
        self._by_sid: list[Mark] = []
        self._fresh: list[tuple[int, str, str]] = []

    def __len__(self) -> int:
        return len(self._by_sid)

    def of(self, device: str, point: str) -> Mark:
        """The mark of a series, made when the series is new."""
        mark = self._marks.get((device, point))
        if mark is None:
            mark = self.restore(len(self._by_sid), device, point)
            self._fresh.append((mark.sid, device, point))
        return mark

    def find(self, device: str, point: str) -> Mark | None:
        """The mark of a series, if there is one."""
        return self._marks.get((device, point))

    def restore(self, sid: int, device: str, point: str) -> Mark:
        """Bring a stored series back; they must come in the order of `sid`, from 0."""
        mark = Mark(sid)
        self._by_sid.append(mark)
        self._marks[device, point] = mark
        return mark

    def numbered(self, sid: int) -> Mark:
        """The mark of the series with this number."""
        return self._by_sid[sid]

    def take_fresh(self) -> list[tuple[int, str, str]]:
        """The series made since the last call, as (sid, device, point)."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def shard(self, number: int, of: int) -> list[tuple[int, int, list[tuple[int, Seen]]]]:
        """Every `of`-th mark from `number` on, as (sid, last, recent): a part of the whole to save."""
        return [(mark.sid, mark.last, [*mark.recent.items()]) for mark in self._by_sid[number::of]]


class BorrowedMarks(Marks):
    """Marks that begin as `lender`'s are at first use, and learn without changing them.

    For old samples that are brought in beside what is live: they are late, or known already, by what is
    live; but a thousand of them must not make the lender forget its last few readings.
    """

    def __init__(self, lender: Marks) -> None:
        super().__init__()
        self._lender = lender

    def of(self, device: str, point: str) -> Mark:
        """The mark of a series; the first time as the lender has it."""
        mark = self._marks.get((device, point))
        if mark is None:
            mark = super().of(device, point)
            lent = self._lender.find(device, point)
            if lent is not None:
                mark.last, mark.recent = lent.last, dict(lent.recent)
        return mark
