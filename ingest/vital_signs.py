"""Whether every stage works, or knows why not: what the service manager's watchdog is told.

A stage that waits for batches is well, and so is one that says what it waits for (`Progress.problem`: the
bus, a store that refuses, a full disk): a restart would not help it. A stage that has batches in hand,
finishes none and knows no reason hangs, in a thread that a dead disk never lets go of, or through a mistake
of ours. It is started again from what is committed.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from ingest.progress import Progress
from readings import Lane
from supervision.watchdog import Pulse, Watchdog

_LOOK_SECONDS: Final = 1.0


class Taking(Protocol):
    """A consumer, as far as this is about it."""

    @property
    def in_hand(self) -> int:
        """Batches given out or on their way, and not finished."""

    @property
    def finished(self) -> int:
        """Batches finished since the start."""


class Stage(Protocol):
    """A service that takes batches."""

    progress: dict[Lane, Progress]

    @property
    def consumers(self) -> Mapping[Lane, Taking]:
        """What it takes from, as far as it has begun."""


class VitalSigns:
    """Feels the pulse of every stage and lane."""

    def __init__(self, watchdog: Watchdog, stages: Mapping[str, Stage]) -> None:
        self._watched = [
            _Watched(stage, lane, watchdog.pulse(f"{name}, {lane.value}"))
            for name, stage in stages.items()
            for lane in Lane
        ]

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for each in self._watched:
                each.look()
            await asyncio.sleep(min(_LOOK_SECONDS, *(each.pulse.idle for each in self._watched)))


class _Watched:
    def __init__(self, stage: Stage, lane: Lane, pulse: Pulse) -> None:
        self.pulse = pulse
        self._stage = stage
        self._lane = lane
        self._finished = 0

    def look(self) -> None:
        """Beat, unless it hangs."""
        consumer = self._stage.consumers.get(self._lane)
        if consumer is None or not consumer.in_hand or self._stage.progress[self._lane].problem is not None:
            self.pulse.beat()
        elif consumer.finished != self._finished:
            self._finished = consumer.finished
            self.pulse.beat()
