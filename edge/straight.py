"""Straight to the core: what an edge does while its disk takes nothing and its link is up.

A device hears its acknowledgement when nothing can lose its message any more. JetStream's confirmation is as
good a reason as a commit to the own disk. Batches sent so have numbers of a life of their own
(`readings.numbers`), so they are never taken for those of the outbox; their books are the normaliser's.
"""

import logging
from collections.abc import Mapping, Sequence

from edge.outbox_schema import new_base
from edge.packing import cut
from edge.unsendable import sendable
from edge.uplink import Uplink
from readings import Lane, Sample, wire

log = logging.getLogger("edge.straight")


class Straight:
    """Sends samples without an outbox."""

    def __init__(self, edge: str, uplink: Uplink) -> None:
        self.samples = 0
        """Sent since the start."""
        self._edge = edge
        self._uplink = uplink
        self._last = {lane: new_base() for lane in Lane}
        """The last number of each lane."""

    @property
    def is_open(self) -> bool:
        """Whether both lanes have a connection."""
        return all(lane.up for lane in self._uplink.lanes.values())

    async def send(self, samples: Mapping[Lane, Sequence[Sample]], now: int) -> bool:
        """Whether JetStream has all of `samples` now; alarms go first.

        Without, a part may have arrived. It comes again under other numbers, and is known as a repetition by
        its times and values.
        """
        if not self.is_open:
            return False
        for lane in Lane:
            of_lane = samples.get(lane, ())
            try:
                batches = [*cut(self._edge, lane, of_lane, self._last[lane])]
            except wire.Unencodable:
                batches = [*cut(self._edge, lane, sendable(of_lane, now), self._last[lane])]
            for batch in batches:
                self._last[lane] = batch.seq
                if not await self._uplink.lanes[lane].straight(batch.seq, batch.payload):
                    return False
                self.samples += batch.samples
        return True
