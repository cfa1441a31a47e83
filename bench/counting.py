"""Counting what is durably done, from the processes' own files, while they work."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import CannotMeasure

POLL_SECONDS = 0.05
PATIENCE = 60.0
"""Without any progress for so long there will be none."""


class ReadOnly:
    """A database of a running process, opened anew until it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        """The answer; empty while the file or table is missing or locked."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=1)
            return self._connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.close()


class StoredAndRuled:
    """Batches that the embedded store and the rules have committed."""

    def __init__(self, gateway: Path, *, without: str = "") -> None:
        """`without` is an edge whose batches do not count."""
        self._without = without
        self._readings = ReadOnly(gateway / "readings.db")
        self._operations = ReadOnly(gateway / "operations.db")

    def __call__(self) -> tuple[int, int]:
        """(stored, ruled) since the beginning."""
        stored = self._readings.rows("SELECT sum(last - first + 1) FROM done WHERE edge != ?", self._without)
        ranges = self._operations.rows("SELECT ranges FROM engine_done WHERE edge != ?", self._without)
        ruled = sum(last - first + 1 for (text,) in ranges for first, last in json.loads(str(text)))
        return int(str(stored[0][0])) if stored and stored[0][0] is not None else 0, ruled

    def close(self) -> None:
        """Close the files."""
        self._readings.close()
        self._operations.close()


@dataclass
class Course:
    """How a count went on: (monotonic seconds, count), a point whenever it changed."""

    points: list[tuple[float, int]] = field(default_factory=list)

    def note(self, count: int) -> None:
        """Take down `count` if it is new."""
        if not self.points or self.points[-1][1] != count:
            self.points.append((time.monotonic(), count))

    @property
    def last(self) -> int:
        """The newest count."""
        return self.points[-1][1] if self.points else 0

    def rate(self, since: float) -> float:
        """Counts a second from the first change after `since` to the last change."""
        later = [point for point in self.points if point[0] >= since]
        if len(later) < 2:
            raise CannotMeasure("too little happened to call it a rate: measure longer (--seconds)")
        (start, first), (end, last) = later[0], later[-1]
        return (last - first) / (end - start)


async def follow(count: Callable[[], int], course: Course, until: Callable[[int], bool]) -> None:
    """Take down the course of `count` until `until(count)`; raises `CannotMeasure` when nothing moves."""
    while True:
        course.note(count())
        if until(course.last):
            return
        if course.points and time.monotonic() - course.points[-1][0] > PATIENCE:
            raise CannotMeasure(f"nothing has moved for {PATIENCE:g} s at {course.last}")
        await asyncio.sleep(POLL_SECONDS)
