"""How far the outbox had come, in a small file of its own: ``outbox.tide``.

SQLite drops the end of its log without a word when the disk lost it, and an outbox put back from a copy looks
like any other. Both would give out numbers a second time, and what is sent under them would be dropped
everywhere as repetition. So after each commit the last numbers are written here too, without waiting for the
disk: a mark that is behind says nothing, one that is ahead says that the outbox has lost something.
"""

import os
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from readings import Lane

_MARKS: Final = struct.Struct("<6q")
_CHECK: Final = struct.Struct("<4sI")
_MAGIC: Final = b"GWT1"


class Mark(NamedTuple):
    """One lane of an outbox."""

    base: int
    """Where it began to count: tells one outbox from another."""
    seq: int
    """The last number given out."""
    taken: int
    """Samples ever taken."""


class Tidemark:
    """The file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def read(self) -> dict[Lane, Mark]:
        """What was written last; nothing where there is none or it is spoilt."""
        try:
            found = self._path.read_bytes()
        except OSError:
            return {}
        if len(found) != _CHECK.size + _MARKS.size:
            return {}
        magic, checksum = _CHECK.unpack_from(found)
        body = found[_CHECK.size :]
        if magic != _MAGIC or checksum != zlib.crc32(body):
            return {}
        numbers = _MARKS.unpack(body)
        return {lane: Mark(*numbers[at * 3 : at * 3 + 3]) for at, lane in enumerate(Lane)}

    def write(self, marks: Mapping[Lane, Mark]) -> None:
        """Write `marks`; where the disk does not take them the outbox itself still has them."""
        body = _MARKS.pack(*(number for lane in Lane for number in marks[lane]))
        with suppress(OSError):
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.pwrite(self._file, _CHECK.pack(_MAGIC, zlib.crc32(body)) + body, 0)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
