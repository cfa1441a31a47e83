"""Messages that a stream still has though every reader is past them: they are given out once more.

A server that met a full disk, or lost its power, may forget that a message was deleted, or how far a stream
had come, and not what its readers had acknowledged. What then lies below their acknowledgements no reader
ever sees again: mostly batches that are done with, which would stay for ever; at worst one that nobody has
seen. Which of the two it is, the readers know (the ledger, the store and the rules each keep what they have
done), so they get a copy, and the message goes.
"""

import asyncio
from typing import Final

import nats.errors
import structlog
from nats.js import errors

from ingest.bus import MESSAGE_ID, Bus, BusUnavailable
from readings import Lane
from readings.subjects import readings_stream, samples_stream

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
AT_ONCE: Final = 500
"""Messages given out in one look."""
_STREAMS: Final = tuple(name(lane) for name in (samples_stream, readings_stream) for lane in Lane)
_OF_THE_SERVER: Final = "Nats-"


class Leftovers:
    """Looks after the four streams."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen: dict[str, int] = {}
        """The first message below the acknowledgements at the last look, by stream."""

    async def run(self) -> None:
        """Look until cancelled; what is in the way is tried again at the next look."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for stream in _STREAMS:
                try:
                    given = await self.look(stream)
                except (nats.errors.Error, errors.Error, BusUnavailable, TimeoutError) as error:
                    log.debug("leftovers not looked for", stream=stream, error=str(error))
                else:
                    if given:
                        log.warning(
                            "messages left behind below every acknowledgement were given out again",
                            stream=stream,
                            messages=given,
                        )

    async def look(self, stream: str) -> int:
        """Give out what lay there at the last look already; how many messages. Raises what the bus does."""
        jetstream = self._bus.jetstream
        # The readers first: what they acknowledge afterwards is no leftover.
        readers = await jetstream.consumers_info(stream)
        floor = min((reader.ack_floor.stream_seq for reader in readers if reader.ack_floor), default=0)
        state = (await jetstream.stream_info(stream)).state
        if not state.messages or state.first_seq > floor:
            self._seen.pop(stream, None)
            return 0
        if self._seen.get(stream) != state.first_seq:
            self._seen[stream] = state.first_seq  # perhaps it is just being deleted
            return 0
        at, given = state.first_seq, 0
        while given < AT_ONCE:
            try:
                found = await jetstream.get_msg(stream, at, subject=">", next=True)
            except errors.NotFoundError:
                break
            if found.seq is None or found.seq > floor:
                break
            headers = found.headers or {}
            identity = f"{headers.get(MESSAGE_ID, stream)}:again:{found.seq}"
            ours = {name: value for name, value in headers.items() if not name.startswith(_OF_THE_SERVER)}
            await self._bus.publish(found.subject or "", found.data or b"", identity, ours)
            await jetstream.delete_msg(stream, found.seq)
            at, given = found.seq + 1, given + 1
        return given
