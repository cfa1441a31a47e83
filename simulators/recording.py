"""Recording what devices really send, and sending it again with the same spacing.

MQTT is heard by subscribing. A serial line is only listened to (nothing is ever written to it): on a
real bus give a second adapter that hears the same pair of wires; a pseudo terminal has one reader only.
"""

import asyncio
import contextlib
import fcntl
import os
import select
import struct
import termios
import time
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiomqtt
import serial  # type: ignore[import-untyped]  # pyserial ships no types

from simulators.publisher import Broker
from simulators.traffic import Heard, TrafficFile, reading, writing

READER_SETTLES: Final = 0.3
"""Seconds between a reader's opening of a line and the first byte: many flush what they find first."""


class WireUnavailable(Exception):
    """The broker or the line cannot be used. Start it, or name another."""


async def record_traffic(
    file: Path,
    *,
    broker: str | None = None,
    topics: Sequence[str] = ("#",),
    port: str | Path | None = None,
    baud: int = 9600,
    username: str | None = None,
    password: str | None = None,
    seconds: float | None = None,
    limit: int | None = None,
    ready: asyncio.Event | None = None,
) -> int:
    """Write what is heard on `broker` (``mqtt://host:port``) or serial `port` into `file`; how many.

    Ends after `seconds`, after `limit` messages, or when cancelled; the file is whole in every case.
    `ready` is set once nothing that is sent can be missed. Raises `WireUnavailable`, ValueError (not
    exactly one source) and OSError (the file).
    """
    if (broker is None) == (port is None):
        raise ValueError("name one source: a broker or a serial port")
    source = str(port or broker)
    with writing(file, begun=time.time_ns(), source=source) as traffic:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if broker is not None:
                    at = Broker.parse(broker, username, password)
                    await _hear_broker(traffic, at, topics, limit, ready)
                else:
                    await _hear_line(traffic, source, baud, limit, ready)
        return traffic.count


async def _hear_broker(
    traffic: TrafficFile, at: Broker, topics: Sequence[str], limit: int | None, ready: asyncio.Event | None
) -> None:
    try:
        async with aiomqtt.Client(at.host, at.port, username=at.username, password=at.password) as client:
            start = time.monotonic()
            await client.subscribe([(topic, 1) for topic in topics])
            if ready is not None:
                ready.set()
            async for message in client.messages:
                payload = bytes(message.payload)
                moment = round(time.monotonic() - start, 6)
                traffic.write(Heard(moment, payload, str(message.topic), message.qos, message.retain))
                if limit is not None and traffic.count >= limit:
                    return
    except aiomqtt.MqttError as error:
        raise WireUnavailable(f"{at.host}:{at.port}: {error}") from error


async def _hear_line(
    traffic: TrafficFile, port: str, baud: int, limit: int | None, ready: asyncio.Event | None
) -> None:
    line = _open_line(port, baud)
    start = time.monotonic()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    def readable() -> None:
        try:
            data = os.read(line.fileno(), 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        pieces.put_nowait((round(time.monotonic() - start, 6), data))

    loop = asyncio.get_running_loop()
    loop.add_reader(line.fileno(), readable)
    try:
        if ready is not None:
            ready.set()
        while limit is None or traffic.count < limit:
            moment, data = await pieces.get()
            if not data:
                raise WireUnavailable(f"{port} is gone")
            traffic.write(Heard(moment, data))
    finally:
        loop.remove_reader(line.fileno())
        line.close()


async def replay_traffic(
    file: Path,
    *,
    broker: str | None = None,
    port: str | Path | None = None,
    baud: int = 9600,
    username: str | None = None,
    password: str | None = None,
    speed: float = 1.0,
) -> int:
    """Send what `file` holds to `broker`, or its bytes to serial `port`; how many messages.

    The spacing is that of the recording divided by `speed`. When `port` does not exist, a pseudo
    terminal appears there for as long as the replay lasts, and the replay waits for its reader. Raises
    `WireUnavailable`, `NotTraffic`, ValueError (not exactly one target, speed) and OSError (the file).
    """
    if (broker is None) == (port is None):
        raise ValueError("name one target: a broker or a serial port")
    if not speed > 0:
        raise ValueError(f"speed must be above 0, not {speed}")
    if broker is not None:
        return await _to_broker(file, Broker.parse(broker, username, password), speed)
    path = Path(str(port))
    if await asyncio.to_thread(path.exists):
        line = _open_line(str(path), baud)
        with contextlib.closing(line):
            return await _to_line(file, line.fileno(), speed)
    return await _to_new_line(file, path, speed)


async def _to_broker(file: Path, at: Broker, speed: float) -> int:
    count = 0
    try:
        async with aiomqtt.Client(at.host, at.port, username=at.username, password=at.password) as client:
            start = time.monotonic()
            for heard in reading(file):
                await _until(start + heard.at / speed)
                await client.publish(heard.topic, heard.payload, qos=heard.qos, retain=heard.retain)
                count += 1
    except aiomqtt.MqttError as error:
        raise WireUnavailable(f"{at.host}:{at.port}: {error}") from error
    return count


async def _to_line(file: Path, line: int, speed: float) -> int:
    start, count = time.monotonic(), 0
    for heard in reading(file):
        await _until(start + heard.at / speed)
        rest = heard.payload
        while rest:
            try:
                rest = rest[os.write(line, rest) :]
            except BlockingIOError:
                await asyncio.sleep(0.005)  # the reader is slower than the recording
        count += 1
    return count


async def _to_new_line(file: Path, path: Path, speed: float) -> int:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    target = os.ttyname(slave)
    os.close(slave)
    watch = -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)  # noqa: ASYNC240
        await _reader_there(master)
        watch = os.open(target, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        count = await _to_line(file, master, speed)
        await _read_by_all(watch)
        return count
    finally:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the end
        os.close(master)
        if watch >= 0:
            os.close(watch)


async def _reader_there(master: int) -> None:
    """Wait until somebody has opened the other side; the master is hung up until then."""
    waiting = select.poll()
    waiting.register(master, select.POLLHUP)
    while waiting.poll(0):  # noqa: ASYNC110 - nobody can set an event when a reader opens a terminal
        await asyncio.sleep(0.02)
    await asyncio.sleep(READER_SETTLES)


async def _read_by_all(watch: int, patience: float = 5.0) -> None:
    """Wait until the reader has taken everything: what lies in a closed terminal is lost."""
    deadline, quiet = time.monotonic() + patience, 0
    while quiet < 3 and time.monotonic() < deadline:
        (waiting,) = struct.unpack("i", fcntl.ioctl(watch, termios.FIONREAD, b"\0" * 4))
        quiet = 0 if waiting else quiet + 1
        await asyncio.sleep(0.01)


def _open_line(port: str, baud: int) -> serial.Serial:
    try:
        line = serial.Serial(port, baud, timeout=0)
    except (OSError, ValueError) as error:
        raise WireUnavailable(f"{port}: {error}") from error
    os.set_blocking(line.fileno(), False)
    return line


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
