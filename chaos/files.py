"""What accidents do to files: pages that are written over, and writes that a power cut left half done."""

import random
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Final

_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24


def spoil(database: Path, pages: int, chance: random.Random) -> list[int]:
    """Write over `pages` pages in the middle third of a database that nobody has open; which (from 1)."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (count,) = connection.execute("PRAGMA page_count").fetchone()
    chosen = sorted(chance.sample(range(count // 3, 2 * count // 3), pages))
    with database.open("r+b") as file:
        for page in chosen:
            file.seek((page - 1) * size)
            file.write(chance.randbytes(size))
    return chosen


def tear(wal: Path, chance: random.Random) -> int:
    """Leave half a frame behind the last commit of a SQLite log, as a power cut during a write does.

    What was never committed is gone. Returns the bytes that are left of the write under way; 0 where there is
    no log. (The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.)
    """
    content = wal.read_bytes()
    if len(content) < _WAL_HEADER:
        return 0
    (page,) = struct.unpack_from(">I", content, 8)
    salts, end, at = content[16:24], _WAL_HEADER, _WAL_HEADER
    while at + _FRAME_HEADER + page <= len(content) and content[at + 8 : at + 16] == salts:
        at += _FRAME_HEADER + page
        (committed,) = struct.unpack_from(">I", content, at - _FRAME_HEADER - page + 4)
        if committed:
            end = at
    torn = chance.randrange(1, _FRAME_HEADER + page)
    with wal.open("r+b") as file:
        file.truncate(end)
        file.seek(end)
        # the header of a next frame that looks right, and a page that came only in part
        file.write((struct.pack(">II", 1, 1) + salts + chance.randbytes(8 + page))[:torn])
    return torn


def tear_stream(block: Path, chance: random.Random) -> int:
    """Leave half a record at the end of a JetStream block file; the bytes of it."""
    torn = chance.randrange(1, 400)
    with block.open("ab") as file:
        # length, sequence, time and subject length of a record that is longer than what follows
        file.write((struct.pack("<IQqH", 1_000, 1 << 40, 0, 20) + chance.randbytes(400))[:torn])
    return torn
