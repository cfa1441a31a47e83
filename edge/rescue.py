"""A new outbox from a damaged one: what can be read is saved, what is lost is told.

The damaged file is set aside (``outbox.damaged/``, until the next rescue) and a new outbox of another life
(`readings.numbers`) is made beside it, then put in its place. Interrupted anywhere, it begins again.

What had a number may be in JetStream already. It keeps its number and its bytes, so it is dropped wherever
it has been done. What had none gets one of the new life. Where it cannot be known which of the two a row is
(the table of packs is gone), it is sent again: twice under different numbers is known by times and values,
not sent at all is lost.
"""

import base64
import logging
import os
import shutil
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge import outbox_rows
from edge.outbox_rows import Row
from edge.outbox_schema import connect
from edge.packing import cut
from edge.tidemark import Mark
from edge.wreck import Where, Wreck
from readings import Lane, Sample, wire
from readings.vocabulary import EDGE_CONNECTION, MALFORMED
from supervision.notify import notify

LOST_NOTE: Final = "lost"
"""Samples that outboxes of this edge have lost, as far as they could be counted."""
_UNFINISHED: Final = "unfinished"
_SIGN_OF_LIFE: Final = 1000
"""Rows after which the service manager hears that this goes on: an outbox may take minutes."""
_SOURCE: Final = f"{EDGE_CONNECTION}/self"

log = logging.getLogger("edge.rescue")


@dataclass
class Found:
    """What was saved of one lane."""

    samples: int = 0
    lost: int | None = None
    """Samples that were taken and are nowhere; None when the books cannot be read."""


@dataclass
class Rescued:
    """What came of a rescue."""

    damage: str
    aside: Path
    unreadable: int = 0
    """Rows that could not be read."""
    lanes: dict[Lane, Found] = field(default_factory=lambda: {lane: Found() for lane in Lane})

    @property
    def lost(self) -> int | None:
        """Samples lost, None when nobody can tell."""
        counts = [found.lost for found in self.lanes.values()]
        return None if None in counts else sum(count or 0 for count in counts)

    def __str__(self) -> str:
        saved = sum(found.samples for found in self.lanes.values())
        lost = "an unknown number" if self.lost is None else str(self.lost)
        return f"{self.damage}; {saved} samples saved, {lost} lost, {self.unreadable} rows unreadable"


def is_unfinished(path: Path) -> bool:
    """Whether a rescue of the outbox at `path` was interrupted."""
    return (_aside(path) / _UNFINISHED).exists()


def rescue(
    path: Path, edge: str, damage: str, tide: Mapping[Lane, Mark], now: int, base: int | None = None
) -> Rescued:
    """Set the outbox at `path` aside and make a new one of what it still holds.

    `damage` says what is wrong, `tide` how far it had come, as far as that is known; the new one counts from
    `base` + 1 (`edge.outbox_schema.connect`). Raises OSError and
    `sqlite3.Error` when the disk does not take it; then it may be tried again.
    """
    aside = _aside(path)
    if not is_unfinished(path):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        (aside / _UNFINISHED).write_text(damage, encoding="utf-8")
    rescued = Rescued((aside / _UNFINISHED).read_text(encoding="utf-8") or damage, aside)
    wreck_path = aside / path.name
    new = path.with_suffix(".new")
    if not wreck_path.exists():
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}-wal").rename(aside / f"{path.name}-wal")
        path.rename(wreck_path)
    elif path.exists():  # the new one was in its place already
        (aside / _UNFINISHED).unlink()
        return rescued
    for leftover in ("", "-wal", "-shm"):
        new.with_name(f"{new.name}{leftover}").unlink(missing_ok=True)
    with closing(Wreck(wreck_path)) as wreck, closing(connect(new, edge, base)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _save(wreck, connection, edge, rescued, tide, now)
        connection.execute("COMMIT")
    new.rename(path)
    _sync(path.parent)
    (aside / _UNFINISHED).unlink()
    log.critical("the outbox was damaged: %s; the damaged file is kept in %s", rescued, aside)
    return rescued


def _save(
    wreck: Wreck,
    connection: sqlite3.Connection,
    edge: str,
    rescued: Rescued,
    tide: Mapping[Lane, Mark],
    now: int,
) -> None:
    places = wreck.places()
    packs = wreck.table("SELECT lane, first, last, seq, checksum FROM packs")
    for lane in Lane:  # alarms first
        found = rescued.lanes[lane]
        numbers = {first: pack for of, first, *pack in packs if of == lane}
        (place,) = connection.execute("SELECT base FROM lanes WHERE lane = ?", (lane,)).fetchone()
        numbered = place
        taken: Counter[str] = Counter()
        for row in _rows(wreck, edge, lane, places[lane], numbers):
            place += 1
            if place % _SIGN_OF_LIFE == 0:
                notify("WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000")
            outbox_rows.insert(connection, [row._replace(place=place)])
            found.samples += row.samples
            if row.seq is not None:
                numbered = place
            else:
                taken.update(sample.source for sample in wire.decode_samples(row.payload).samples)
        found.lost = _lost(wreck, lane, found.samples, tide)
        if lane is Lane.TELEMETRY:
            rescued.unreadable = wreck.unreadable
            for each in cut(edge, lane, [_letter(rescued, now)], None):
                place += 1
                row = Row(lane, place, None, each.samples, now, each.checksum, 0, each.payload)
                outbox_rows.insert(connection, [row])
                taken[_SOURCE] += each.samples
        # No number of the new life is given out yet, whatever numbers the rows bring.
        connection.execute("UPDATE lanes SET seq = base, numbered = ? WHERE lane = ?", (numbered, lane))
        connection.executemany(
            "INSERT INTO taken (lane, source, samples) VALUES (?, ?, ?)",
            [(lane, source, n) for source, n in taken.items()],
        )
    _save_the_rest(wreck, connection, rescued.lost or 0)


def _rows(
    wreck: Wreck, edge: str, lane: Lane, places: list[Where], packs: Mapping[int, Sequence[int]]
) -> Iterator[Row]:
    """What can be read: first what has a number, each pack as the batch that was sent; then the rest."""
    rest: list[Where] = []
    at = 0
    while at < len(places):
        where = places[at]
        at += 1
        if where.seq is not None:
            if (row := wreck.row(where)) is not None:
                yield row
            continue
        if where.place not in packs:
            rest.append(where)
            continue
        last, seq, checksum = packs[where.place]
        members = [where]
        while at < len(places) and places[at].place <= last:
            members.append(places[at])
            at += 1
        rows = [row for row in map(wreck.row, members) if row is not None]
        batch = outbox_rows.packed(edge, lane, seq, rows) if rows else None
        if batch is not None and zlib.crc32(batch.payload) == checksum:
            yield Row(lane, 0, seq, batch.samples, batch.created, checksum, 0, batch.payload)
        else:  # it cannot be made again as it was
            rest += [where for where in members if where.place in {row.place for row in rows}]
    for where in rest:
        if (row := wreck.row(where)) is not None:
            yield row


def _lost(wreck: Wreck, lane: Lane, saved: int, tide: Mapping[Lane, Mark]) -> int | None:
    """Samples of `lane` that were taken and are neither saved, nor sent, nor thinned."""
    books = wreck.table("SELECT sum(samples), sum(thinned) FROM taken WHERE lane = ?", lane)
    lanes = wreck.table("SELECT base, sent FROM lanes WHERE lane = ?", lane)
    if not books or not lanes:
        return None
    taken, thinned = (number or 0 for number in books[0])
    base, sent = lanes[0]
    mark = tide.get(lane)
    if mark is not None and mark.base == base:
        taken = max(taken, mark.taken)
    return max(0, int(taken - thinned - sent - saved))


def _letter(rescued: Rescued, now: int) -> Sample:
    """What ends in the gateway's quarantine."""
    told = base64.b64encode(str(rescued).encode()).decode("ascii")
    return Sample(_SOURCE, MALFORMED, told, now, event=f"the outbox was damaged: {rescued}"[:200])


def _save_the_rest(wreck: Wreck, connection: sqlite3.Connection, lost: int) -> None:
    """Delivery keys and notes: without them some messages and subscriptions are repeated."""
    for name, count, keys in wreck.table("SELECT connection, count, keys FROM deliveries"):
        connection.execute(
            "INSERT INTO deliveries (connection, count, keys) VALUES (?, ?, ?)", (name, count, keys)
        )
    notes = dict(wreck.table("SELECT key, value FROM notes"))
    with suppress(ValueError):
        lost += int(notes.get(LOST_NOTE, "0"))
    notes[LOST_NOTE] = str(lost)
    connection.executemany("INSERT OR IGNORE INTO notes VALUES (?, ?)", notes.items())


def _aside(path: Path) -> Path:
    return path.with_suffix(".damaged")


def _sync(folder: Path) -> None:
    """Make renames in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
