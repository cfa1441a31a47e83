"""Keeps what is left of a disk for alarms: telemetry waits where it is while there is little room.

Nothing is thrown away for it. The edges keep what the bus does not take; batches on the bus stay there; what
was about to be stored is stored later.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import nats.errors
import structlog
from nats.js.client import JetStreamContext

from ingest.disk import DiskState, DiskWatch, Room
from ingest.patience import Gate
from ingest.streams import limit_stream
from readings import Lane
from readings.subjects import readings_stream, samples_stream

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.25
HASTE_SECONDS: Final = 0.05
"""While there is little room: the reserve must be given up before the bus meets a full disk."""
LIMIT_SECONDS: Final = 1.0
_STREAMS: Final = (samples_stream(Lane.TELEMETRY), readings_stream(Lane.TELEMETRY))


class FloorKeeper:
    """Looks at the disk and opens and closes the way of telemetry."""

    def __init__(self, watch: DiskWatch, jetstream: JetStreamContext, telemetry_bytes: int) -> None:
        """`telemetry_bytes` is the ordinary limit of a telemetry stream."""
        self._watch = watch
        self._jetstream = jetstream
        self._limit = telemetry_bytes
        self._limited = False
        """Whether the streams may have another limit than the ordinary one."""
        self.gates: Mapping[Lane, Gate] = {lane: Gate() for lane in Lane}
        """For the loops of this process; only that of telemetry is ever closed."""

    @property
    def state(self) -> DiskState:
        """As it was last seen."""
        return self._watch.state

    async def run(self) -> None:
        """Keep the floor until cancelled."""
        loop = asyncio.get_running_loop()
        limit_at = 0.0
        while True:
            self._turn(await asyncio.to_thread(self._watch.look))
            if loop.time() >= limit_at and (self._limited or self.gates[Lane.TELEMETRY].closed):
                await self._limit_streams()
                limit_at = loop.time() + LIMIT_SECONDS
            ample = self._watch.state.room is Room.AMPLE
            await asyncio.sleep(LOOK_SECONDS if ample else HASTE_SECONDS)

    def _turn(self, state: DiskState) -> None:
        gate = self.gates[Lane.TELEMETRY]
        if state.room is Room.AMPLE:
            if gate.closed:
                log.warning("room on the disk again: telemetry goes on", folder=state.folder, free=state.free)
            gate.open()
        elif (problem := state.problem) is not None:
            if not gate.closed:
                log.warning(
                    "too little room on the disk: telemetry waits", folder=state.folder, free=state.free
                )
            gate.close(problem)

    async def _limit_streams(self) -> None:
        """While telemetry waits, its streams take no more than they give: their limit is what they hold.

        Another process may have put the ordinary limit back meanwhile, so it is looked at each time.
        """
        closed = self.gates[Lane.TELEMETRY].closed
        self._limited = True
        try:
            for name in _STREAMS:
                await limit_stream(self._jetstream, name, self._limit, to_content=closed)
        except (nats.errors.Error, TimeoutError) as error:
            log.debug("streams cannot be limited now", error=repr(error))
            return
        self._limited = closed
