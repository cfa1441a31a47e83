"""The last batches in memory, so that what is sent at once need not be read from disk again."""

import threading
from typing import Final, NamedTuple

from readings import Lane

_BYTES: Final = 512 * 1024


class Stored(NamedTuple):
    """One numbered batch, on disk."""

    lane: Lane
    seq: int
    payload: bytes
    samples: int
    created: int
    """When its first sample was committed, ns since 1970 UTC."""
    place: int
    """The last place in the lane's order that it takes."""
    rows: int = 1


class RecentBatches:
    """The last batches of one lane. The worker thread adds, the event loop takes away."""

    def __init__(self) -> None:
        self._batches: dict[int, Stored] = {}
        """By place."""
        self._bytes = 0
        self._memory = threading.Lock()

    def add(self, batch: Stored, done: int) -> None:
        """Take a batch that was committed; JetStream has everything up to the place `done`.

        A reader goes on from memory only where memory has no gap, so a full memory takes no more until
        it is empty again.
        """
        with self._memory:
            before = batch.place - 1
            if self._bytes < _BYTES and (not self._batches or before in self._batches or before == done):
                self._batches[batch.place] = batch
                self._bytes += len(batch.payload)

    def forget(self, upto: int) -> None:
        """JetStream has everything up to this place."""
        with self._memory:
            while self._batches and (place := next(iter(self._batches))) <= upto:
                self._bytes -= len(self._batches.pop(place).payload)

    def following(self, after: int, limit: int) -> list[Stored]:
        """The batches that follow the place `after` without a gap."""
        found = []
        for place in range(after + 1, after + 1 + limit):
            if (batch := self._batches.get(place)) is None:
                break
            found.append(batch)
        return found
