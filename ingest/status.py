"""What the ingest process tells of itself, once a second, to whoever listens on the bus.

A plain message, not a stream: only the newest counts, and who hears none for some seconds knows that the
process is not there. Commands to the process (`serve`) and questions of others (`ask`) go the same way.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import psutil
import structlog

from ingest.bus import Bus, BusUnavailable
from ingest.disk import DiskState
from ingest.progress import Progress
from language import Message
from readings import Lane
from readings.wire import UNREADABLE

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 1.0

Stages = Mapping[str, Mapping[Lane, Progress]]
Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Carries out a command with these arguments; what it returns is the answer."""


class IngestStatus(msgspec.Struct, frozen=True):
    """The state of the ingest process; times in ns since 1970 UTC, memory in bytes."""

    pid: int
    started: int
    time: int
    memory: int
    cpu_percent: float
    revision: str
    """Of the site folder that it works with."""
    stages: dict[str, dict[Lane, Progress]]
    """``normalised``, and ``stored <name>`` for every store."""
    disk: DiskState = DiskState()


class Command(msgspec.Struct, frozen=True):
    """What the process is asked to do."""

    name: str
    arguments: dict[str, Any] = {}


class Answer(msgspec.Struct, frozen=True):
    """What came of a command: `result`, or why not."""

    result: dict[str, Any] = {}
    refused: str = ""


class CommandRefused(Exception):
    """The ingest process does not know the command or cannot carry it out. Show the sentence."""


_decode_status = msgspec.msgpack.Decoder(IngestStatus).decode
_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


def status_subject(partition: int) -> str:
    """Where the status is told."""
    return f"core.ingest.{partition}.status"


def command_subject(partition: int) -> str:
    """Where commands are taken."""
    return f"core.ingest.{partition}.command"


class Teller:
    """Tells the status until it is cancelled."""

    def __init__(
        self,
        bus: Bus,
        partition: int,
        stages: Stages,
        revision: Callable[[], str],
        disk: Callable[[], DiskState],
    ) -> None:
        self._bus = bus
        self._disk = disk
        self._subject = status_subject(partition)
        self._stages = stages
        self._revision = revision
        self._process = psutil.Process()
        self._process.cpu_percent()

    def status(self, now: int) -> IngestStatus:
        """The state at `now`."""
        return IngestStatus(
            pid=os.getpid(),
            started=int(self._process.create_time() * 1e9),
            time=now,
            memory=self._process.memory_info().rss,
            cpu_percent=self._process.cpu_percent(),
            revision=self._revision(),
            stages={name: dict(lanes) for name, lanes in self._stages.items()},
            disk=self._disk(),
        )

    async def run(self, clock: Callable[[], int]) -> None:
        """Tell, once a second; what cannot be sent is not repeated."""
        while True:
            await self._bus.tell(self._subject, _encode(self.status(clock())))
            await asyncio.sleep(EVERY_SECONDS)


async def listen(bus: Bus, partition: int, hear: Callable[[IngestStatus], None]) -> None:
    """Give every status that comes to `hear`; one of another version is passed over."""

    async def take(payload: bytes) -> None:
        try:
            status = _decode_status(payload)
        except UNREADABLE as error:
            log.warning("unreadable status of the ingest process", why=str(error))
            return
        for lanes in status.stages.values():
            for progress in lanes.values():
                progress.problem = _revived(progress.problem)
        hear(status)

    await bus.listen(status_subject(partition), take)


def _revived(message: Message | None) -> Message | None:
    """The message with those inside it being messages again: JSON does not say what they were."""
    if message is None:
        return None
    values = {
        name: _revived(msgspec.convert(value, Message)) if isinstance(value, dict) else value
        for name, value in message.values.items()
    }
    return Message(message.template, values)


async def serve(bus: Bus, partition: int, handlers: Mapping[str, Handler]) -> None:
    """Carry out commands by name; `CommandRefused` from a handler becomes the refusal that is answered."""

    async def take(_: str, payload: bytes) -> bytes:
        try:
            command = _decode_command(payload)
            handler = handlers.get(command.name, _unknown(command.name, handlers))
            return _encode(Answer(result=dict(await handler(command.arguments))))
        except (*UNREADABLE, CommandRefused) as error:
            return _encode(Answer(refused=str(error)))

    await bus.serve(command_subject(partition), take)


def _unknown(name: str, known: Iterable[str]) -> Handler:
    async def refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise CommandRefused(f"unknown command {name!r}; known: {', '.join(known)}")

    return refuse


async def ask(
    bus: Bus, partition: int, name: str, arguments: Mapping[str, Any] | None = None, *, within: float = 10.0
) -> Mapping[str, Any]:
    """Have the ingest process carry out a command; its answer.

    Raises `CommandRefused`, and `BusUnavailable` when none answers within so many seconds.
    """
    command = Command(name, dict(arguments or {}))
    payload = await bus.ask(command_subject(partition), _encode(command), within=within)
    try:
        answer = _decode_answer(payload)
    except UNREADABLE as error:
        raise BusUnavailable(f"unreadable answer of the ingest process: {error}") from error
    if answer.refused:
        raise CommandRefused(answer.refused)
    return answer.result
