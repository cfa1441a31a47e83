"""What was sent: one line per value, for audits that compare it with what arrived.

A record is gzipped JSON lines, one `Sent` each:
``{"time": 1795471200000000000, "device": "kitchen-3", "point": "smoke", "value": true, "wire": true}``.
Every second of writing ends in a complete gzip block, so that a killed simulator leaves a readable
file; `read_record` takes such a file as it is.
"""

import gzip
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, cast

import msgspec

from readings import Scalar
from readings.wire import UNREADABLE

LARGEST: Final = 32 * 1024 * 1024
"""Bytes after which a record in a folder goes on in a new file."""
LONGEST_LINE: Final = 1024 * 1024
"""Bytes; a value's text may have 4,096 characters."""
KEPT: Final = 8
"""Files of a record's folder that are kept, this one included."""


class NotARecord(ValueError):
    """The file is no record of what was sent, or is broken there. Give another one."""


class Sent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One value that left a simulator.

    `value` is canonical (what a store should hold), `wire` what stood on the wire. `time` is when it
    left, in nanoseconds since 1970-01-01 UTC; on MQTT only messages that the broker acknowledged are
    written down. `note` tells a camera event's messages apart: new, update, end.
    """

    time: int
    device: str
    point: str
    value: Scalar
    wire: Scalar
    event: str = ""
    note: str = ""


class Recorder(Protocol):
    """Who is told of every value that leaves a simulator, before it does."""

    def write(self, sent: Sent) -> None:
        """Take note of one value."""
        ...


class Record:
    """A file that grows by one line per value, or a folder of such files."""

    def __init__(self, path: Path) -> None:
        """Begin a new file at `path` (``….jsonl.gz``), or files of `LARGEST` bytes in the folder `path`.

        Of a folder's files the newest `KEPT` stay. Raises OSError.
        """
        self._folder = None if path.name.endswith(".gz") else path
        self._encode = msgspec.json.Encoder().encode
        self.written = 0
        self.path = self._begin(path)

    def _begin(self, path: Path) -> Path:
        if self._folder is not None:
            old = sorted(self._folder.glob("sent-*.jsonl.gz"))
            for file in old[: max(0, len(old) - KEPT + 1)]:
                file.unlink(missing_ok=True)
            path = self._folder / f"sent-{time.time_ns():020}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._flushed = time.monotonic()
        return path

    def write(self, sent: Sent) -> None:
        """Append one value."""
        self._file.write(self._gzip.compress(self._encode(sent) + b"\n"))
        self.written += 1
        if time.monotonic() - self._flushed > 1.0:
            self.flush()
            if self._folder is not None and self._file.tell() > LARGEST:
                self.close()
                self.path = self._begin(self._folder)

    def flush(self) -> None:
        """Make everything written so far readable."""
        self._file.write(self._gzip.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """End the file in good order."""
        if not self._file.closed:
            self._file.write(self._gzip.flush())
            self._file.close()


def read_record(path: Path) -> Iterator[Sent]:
    """The values in a record, also in one whose simulator was killed; raises `NotARecord`, OSError."""
    try:
        yield from _lines_of(path)
    except (*UNREADABLE, gzip.BadGzipFile, zlib.error) as error:
        raise NotARecord(f"{path}: {error}") from error


def _lines_of(path: Path) -> Iterator[Sent]:
    decode = msgspec.json.Decoder(Sent).decode
    rest = b""
    with gzip.open(path) as lines:
        reader = cast(Any, lines)
        while True:
            try:
                block = reader.read1(65_536)
            except EOFError:
                return
            if not block:
                return
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield decode(line)
            if len(rest) > LONGEST_LINE:
                raise NotARecord(f"{path}: a line of more than {LONGEST_LINE} bytes")
