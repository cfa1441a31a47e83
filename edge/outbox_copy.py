"""What waits in an outbox, as batches, from a copy of it that will never send anything.

A core that is put back from a backup can take these in the outbox's place. Batches that have a number keep
it; what has none yet gets numbers of another life (`readings.numbers`), which no outbox uses.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from edge import outbox_rows
from edge.box_clock import BOOTS_NOTE, starts_in
from edge.dating import Starts
from edge.outbox_schema import OutboxUnavailable, connect, new_base
from edge.recent import Stored
from readings import Lane

_AT_ONCE: Final = 64


def waiting_batches(copy: Path, edge: str) -> Iterator[Stored]:
    """Every batch that waits in `copy`, the copy of the outbox of `edge`, in the order of its lanes.

    The copy is changed. Raises `OutboxUnavailable`.
    """
    try:
        with closing(connect(copy, edge)) as connection:
            found = connection.execute("SELECT value FROM notes WHERE key = ?", (BOOTS_NOTE,)).fetchone()
            starts = starts_in(found[0] if found else "")
            for lane in Lane:
                yield from _waiting(connection, edge, lane, starts)
    except sqlite3.Error as error:
        raise OutboxUnavailable(f"{copy}: {error}") from error


def _waiting(connection: sqlite3.Connection, edge: str, lane: Lane, starts: Starts) -> Iterator[Stored]:
    depth = outbox_rows.recall(connection, lane)
    at = depth.stored
    while batches := outbox_rows.numbered(connection, edge, lane, at, depth.numbered, _AT_ONCE):
        yield from batches
        at = batches[-1].place
    depth.seq = new_base()
    while depth.numbered < depth.place:
        connection.execute("BEGIN IMMEDIATE")
        batches = outbox_rows.pack(connection, edge, lane, depth, _AT_ONCE, starts).batches
        connection.execute("COMMIT")
        yield from batches
        depth.seq, depth.numbered = batches[-1].seq, batches[-1].place
