"""Playing a scenario on simulators that already run: a Unix socket, newline-delimited JSON.

The one who asks sends one `Play`; the simulators answer with `Progress` lines and end with one whose
kind is ``end`` or ``problem``. Hanging up stops the scenario and gives its devices back.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from language import N_
from readings.wire import UNREADABLE
from simulators.progress import Progress

LONGEST_PATH: Final = 100
"""Bytes that a Unix socket's path may have on every system we know (sun_path is 104 to 108)."""


class Play(msgspec.Struct, frozen=True):
    """Please play this scenario; `folder` may hold further scenarios."""

    scenario: str
    speed: float = 1.0
    folder: str = ""
    seed: int = 0
    elsewhere: bool = False
    """With devices chosen at random instead of the first that fit."""


class NobodyThere(Exception):
    """No simulators listen on the socket. Start some."""


_play = msgspec.json.Decoder(Play)
_progress = msgspec.json.Decoder(Progress)
_encode = msgspec.json.encode

Tell = Callable[[Progress], Awaitable[None]]
Player = Callable[[Play, Tell], Awaitable[None]]


async def serve(path: Path, play: Player) -> None:
    """Listen on `path` until cancelled; raises OSError when the socket cannot be made.

    A socket file that nobody listens on any more is replaced.
    """
    listener = _listen(path)
    made = _inode(path)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def tell(progress: Progress) -> None:
            writer.write(_encode(progress) + b"\n")
            await writer.drain()

        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            try:
                request = _play.decode(await reader.readuntil(b"\n"))
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                return
            except UNREADABLE as error:
                await tell(Progress(0.0, N_("not understood: {reason}"), {"reason": str(error)}, "problem"))
                return
            await _until_hung_up(play(request, tell), reader)

    try:
        async with await asyncio.start_unix_server(answer, sock=listener) as server:
            await server.serve_forever()
    finally:
        if _inode(path) == made:
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - one unlink at the very end


async def _until_hung_up(story: Awaitable[None], reader: asyncio.StreamReader) -> None:
    """Let the story run until it is over or the listener hangs up."""
    telling = asyncio.ensure_future(story)
    hanging_up = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({telling, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        telling.cancel()
        hanging_up.cancel()
        await asyncio.gather(telling, hanging_up, return_exceptions=True)
    if not telling.cancelled() and (error := telling.exception()) is not None:
        raise error


async def connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the simulators on `path`; raises `NobodyThere`."""
    try:
        with _short(path) as address:
            return await asyncio.open_unix_connection(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NobodyThere(str(path)) from error


async def ask(path: Path, request: Play) -> AsyncIterator[Progress]:
    """Have `request` played by the simulators on `path`; raises `NobodyThere`."""
    reader, writer = await connect(path)
    with contextlib.closing(writer):
        writer.write(_encode(request) + b"\n")
        while line := await reader.readline():
            yield _progress.decode(line)


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """`path` as an address that fits into a socket's: by way of its open folder when it is too long."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _inode(path: Path) -> int | None:
    """Which file `path` is: another one when somebody replaced it."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
