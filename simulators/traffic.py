"""Recorded traffic as a file: JSON lines, gzipped when the name ends in ``.gz``.

The first line says what the file is::

    {"format": "gridwarden-traffic", "version": 1, "begun": 1795471200000000000, "source": "mqtt://…"}

Every further line is one `Heard`: ``at`` seconds after ``begun`` (monotonic), and either an MQTT message
(``topic``, ``payload``, ``qos``, ``retain``) or bytes of a serial line (``payload`` only). Payloads are
base64, so that what is not text survives too.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final, cast

import msgspec

from readings.wire import UNREADABLE

FORMAT: Final = "gridwarden-traffic"
VERSION: Final = 1
LONGEST_LINE: Final = 360 * 1024 * 1024
"""Bytes: MQTT's largest payload (256 MiB) as base64, and its topic."""


class NotTraffic(ValueError):
    """The file is no recorded traffic, or is broken there. Give another one."""


class Header(msgspec.Struct, frozen=True):
    """The first line of a recording; `begun` in nanoseconds since 1970-01-01 UTC."""

    format: str
    version: int
    begun: int
    source: str


class Heard(msgspec.Struct, frozen=True, omit_defaults=True):
    """One MQTT message, or the bytes that a serial line gave in one piece."""

    at: Annotated[float, msgspec.Meta(ge=0, le=366 * 86_400)]
    payload: bytes
    topic: Annotated[str, msgspec.Meta(pattern=r"^[^+#\x00]*$", max_length=16_383)] = ""
    """No filter, and within MQTT's 65,535 bytes in every script."""
    qos: Annotated[int, msgspec.Meta(ge=0, le=2)] = 0
    retain: bool = False


_header = msgspec.json.Decoder(Header)
_heard = msgspec.json.Decoder(Heard)
_encode = msgspec.json.encode


class TrafficFile:
    """A recording being written."""

    def __init__(self, lines: IO[bytes], begun: int, source: str) -> None:
        self._lines = lines
        self.count = 0
        lines.write(_encode(Header(FORMAT, VERSION, begun, source)) + b"\n")

    def write(self, heard: Heard) -> None:
        """Append one message."""
        self._lines.write(_encode(heard) + b"\n")
        self.count += 1


@contextmanager
def writing(path: Path, *, begun: int, source: str) -> Iterator[TrafficFile]:
    """A new recording at `path`; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path, "wb") as lines:
        yield TrafficFile(lines, begun, source)


def reading(path: Path) -> Iterator[Heard]:
    """What a recording holds, in order; raises `NotTraffic` with the line, OSError.

    A recording that was cut off (its recorder was killed) ends with its last whole line.
    """
    with _opened(path, "rb") as lines:
        number = 0
        try:
            for number, line in enumerate(iter(lambda: lines.readline(LONGEST_LINE + 1), b""), start=1):
                if len(line) > LONGEST_LINE:
                    raise NotTraffic(f"{path}, line {number}: longer than any message")
                if not line.endswith(b"\n"):
                    return
                if number == 1:
                    _check(_header.decode(line), path)
                else:
                    yield _heard.decode(line)
        except (*UNREADABLE, gzip.BadGzipFile, zlib.error) as error:
            raise NotTraffic(f"{path}, line {max(number, 1)}: {error}") from error
        except EOFError:
            return
        if number == 0:
            raise NotTraffic(f"{path} is empty")


def _check(header: Header, path: Path) -> None:
    if header.format != FORMAT or header.version != VERSION:
        raise NotTraffic(f"{path}: {header.format[:40]} {header.version} is not {FORMAT} {VERSION}")


def _opened(path: Path, mode: str) -> IO[bytes]:
    opener = gzip.open if path.name.endswith(".gz") else open
    return cast(IO[bytes], opener(path, mode))
