"""A link that can be broken: a TCP proxy between two processes of an installation.

It can delay, limit, cut (RST), go silent (nothing passes, nothing ends) and flip bits. A silent link keeps
its connections and still takes new ones: the kernel answers for it, as a stateful firewall or a half-dead
router does.
"""

import asyncio
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from supervision.ports import free_ports

CHUNK: Final = 64 * 1024
_ON_THE_WAY: Final = 64
"""Chunks of a direction that travel at once."""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST instead of FIN."""


@dataclass(eq=False)
class _Connection:
    """One client's connection and ours to the target."""

    writers: list[asyncio.StreamWriter]
    forgotten: bool = False
    """Silent for ever: what a router that lost its table does to it."""


@dataclass
class Traffic:
    """What passed."""

    connections: int = 0
    bytes_in: int = 0
    """From the client to the target."""
    bytes_out: int = 0
    spoilt: int = 0
    """Bits turned over."""


@dataclass
class Link:
    """A proxy from a port of its own to `target`; every member may be changed while it runs."""

    name: str
    target: int
    """Port of this machine."""
    delay: float = 0.0
    """Seconds that every chunk takes longer."""
    rate: float = 0.0
    """Bytes a second in each direction of a connection; 0 means no limit."""
    spoil: float = 0.0
    """Part of the chunks in which one bit is turned over."""
    chance: random.Random = field(default_factory=random.Random, repr=False)
    """Chooses the bits."""
    traffic: Traffic = field(default_factory=Traffic)
    host: str = "127.0.0.1"
    """The address of this machine on which clients connect …"""
    port: int = 0
    """… and the port; chosen by `open` when 0."""
    _server: asyncio.Server | None = field(default=None, repr=False)
    _connections: set[_Connection] = field(default_factory=set, repr=False)
    _passing: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def open(self) -> None:
        """Begin to listen and to pass everything on."""
        self._passing.set()
        self.port = self.port or free_ports(1)[0]
        await self._listen()

    async def close(self) -> None:
        """End everything."""
        await self._stop_listening()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def silence(self) -> None:
        """From now on nothing passes and nothing ends: neither side is told anything."""
        self._passing.clear()

    def forget(self) -> None:
        """The connections there are never pass anything again and are never ended; new ones work.

        What a stateful router does that was restarted, or a gateway that took over from another.
        """
        for connection in self._connections:
            connection.forgotten = True

    async def cut(self, *, refuse: bool = True) -> None:
        """Reset every connection; with `refuse` new ones are refused until `mend`."""
        if refuse:
            await self._stop_listening()
        for connection in [*self._connections]:
            _reset(connection)

    async def mend(self) -> None:
        """Pass everything on again, as fast as it comes and unspoilt."""
        self.delay = self.rate = self.spoil = 0.0
        self._passing.set()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, self.host, self.port, limit=CHUNK)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = _Connection([writer])
        self._connections.add(connection)
        self.traffic.connections += 1
        try:
            await self._passing.wait()
            out_reader, out_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
            connection.writers.append(out_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(connection, reader, out_writer, inward=True))
                both.create_task(self._pass_on(connection, out_reader, writer, inward=False))
        except* (OSError, asyncio.CancelledError):
            _reset(connection)  # the target is away, or one side broke: the other hears the same
        else:
            for each in connection.writers:
                each.close()
        finally:
            self._connections.discard(connection)
            self._tasks.discard(task)

    async def _pass_on(
        self,
        connection: _Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        inward: bool,
    ) -> None:
        """One direction, until its end has been passed on."""
        travelling: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_THE_WAY)
        now = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as both:
            both.create_task(self._deliver(connection, travelling, writer, inward=inward))
            while chunk := await reader.read(CHUNK):
                await travelling.put((now() + self.delay, chunk))
            await travelling.put((now() + self.delay, b""))

    async def _deliver(
        self,
        connection: _Connection,
        travelling: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        *,
        inward: bool,
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, chunk = await travelling.get()
            if due > now():
                await asyncio.sleep(due - now())
            if self.rate:
                await asyncio.sleep(len(chunk) / self.rate)
            await self._passing.wait()
            if connection.forgotten:
                await asyncio.Event().wait()
            if not chunk:  # an end travels like everything else
                writer.write_eof()
                return
            if self.spoil and self.chance.random() < self.spoil:
                chunk = self._spoilt(chunk)
            writer.write(chunk)
            await writer.drain()
            if inward:
                self.traffic.bytes_in += len(chunk)
            else:
                self.traffic.bytes_out += len(chunk)

    def _spoilt(self, chunk: bytes) -> bytes:
        spoilt = bytearray(chunk)
        spoilt[self.chance.randrange(len(spoilt))] ^= 1 << self.chance.randrange(8)
        self.traffic.spoilt += 1
        return bytes(spoilt)


def _reset(connection: _Connection) -> None:
    for writer in connection.writers:
        sock: socket.socket | None = writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
