"""The readings streams as spools of the stores, and when a spool has no room for more.

A store that is away leaves its batches in the stream, and a full stream would stop the normaliser and with it
the rules. So the stream is the stores' spool only as far as it has room: when it is four fifths full, or a
batch has waited for days, a store that is behind lets the oldest go, counted in its books as expired. It does
so only with what the rules have had already, and as long as others hold the stream, that would be of no use.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import nats.errors
from nats.js.client import JetStreamContext

from ingest.streams import rules_consumer
from readings import Lane
from readings.subjects import readings_stream

FULL: Final = 0.8
"""The part of the stream's limit from which on the oldest go …"""
EASED: Final = 0.7
"""… until it is back to this."""
LOOK_SECONDS: Final = 1.0


class Spool:
    """One lane's stream of readings, as the stores have to know it."""

    def __init__(self, lane: Lane, limit: int, keep_for: float) -> None:
        """`limit` is the stream's size in bytes, `keep_for` how long a batch may wait, in ns.

        Infinite: nothing is let go for its age.
        """
        self.lane = lane
        self._limit = limit
        self._keep_for = keep_for
        self._crowded = False
        self._used = 0
        self._judged = 0

    def note(self, used: int, judged: int) -> None:
        """The stream holds `used` bytes, and the rules have had everything up to sequence `judged`."""
        self._used, self._judged = used, judged
        share = used / self._limit
        self._crowded = share >= FULL or (self._crowded and share > EASED)

    def gone(self, size: int) -> None:
        """A store has let go `size` bytes, which the next look will find."""
        self.note(self._used - size, self._judged)

    def may_go(self, stream_seq: int, stored_at: int, now: int) -> bool:
        """Whether a store may let go a batch that the stream stored at `stored_at` (ns)."""
        return stream_seq <= self._judged and (self._crowded or stored_at < now - self._keep_for)


class SpoolWatch:
    """Keeps the spools of all lanes up to date."""

    def __init__(self, jetstream: JetStreamContext, limits: Mapping[Lane, int], keep_for: float) -> None:
        """`limits` are the sizes of the readings streams in bytes."""
        self._jetstream = jetstream
        self.spools: Mapping[Lane, Spool] = {lane: Spool(lane, limits[lane], keep_for) for lane in Lane}

    async def run(self) -> None:
        """Look once a second until cancelled; what is known stays when the bus does not answer."""
        while True:
            for lane, spool in self.spools.items():
                try:
                    used = (await self._jetstream.stream_info(readings_stream(lane))).state.bytes
                    rules = await self._jetstream.consumer_info(readings_stream(lane), rules_consumer(lane))
                except (nats.errors.Error, TimeoutError):
                    continue
                judged = rules.ack_floor.stream_seq if rules.ack_floor is not None else 0
                spool.note(used, judged)
            await asyncio.sleep(LOOK_SECONDS)
