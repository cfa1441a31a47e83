"""Makes room in an outbox that is nearly full: the oldest telemetry is thinned first (`edge.thinning`).

The alarm lane is never touched, and nothing that has a number: it may have been sent. A piece is read and
thinned beside the agent's work, on a connection of its own, and put back in one transaction together with
the count of what was left out, so the books balance at any moment.
"""

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.outbox import Outbox, OutboxUnavailable
from edge.outbox_rows import Row
from edge.packing import cut
from edge.thinning import SPANS, Thinning
from readings import Lane, Sample, wire

BEGIN: Final = 0.8
"""Thinning begins when so much of telemetry's part is used …"""
END: Final = 0.65
"""… and ends when no more than this is."""
_INTERVAL: Final = 1.0
_WORTH: Final = 0.9
"""A piece of which more than this would stay is left as it is."""

log = logging.getLogger("edge.thinner")


@dataclass(frozen=True)
class Piece:
    """Rows that belong to one span of time, and what becomes of them."""

    lane: Lane
    places: tuple[int, int]
    rows: tuple[Row, ...]
    """What takes their place; empty: they stay as they are."""
    left_out: Counter[str]
    """Samples that do not stay, by source."""


class Thinner:
    """Watches one outbox."""

    def __init__(self, outbox: Outbox, worker: Executor, clock: Callable[[], int]) -> None:
        self.active = False
        """Whether telemetry is being thinned now."""
        self._outbox = outbox
        self._worker = worker
        self._clock = clock

    async def run(self) -> None:
        """Watch and thin, until cancelled."""
        before = 0.0
        while True:
            await asyncio.sleep(_INTERVAL)
            now = self._outbox.fullness
            if now > BEGIN and now >= before:  # not while the uplink empties it
                await self.make_room()
            before = self._outbox.fullness

    async def make_room(self) -> None:
        """Thin until there is room again or nothing is left to thin."""
        outbox, before = self._outbox, self._outbox.depth[Lane.TELEMETRY].thinned
        if not self.active:
            log.warning(
                "the outbox uses %d %% of what telemetry may use: it is thinned, oldest first",
                outbox.fullness * 100,
            )
        self.active = True
        while outbox.fullness > END and await self._thin_once():
            pass
        thinned = outbox.depth[Lane.TELEMETRY].thinned - before
        if outbox.fullness <= END:
            self.active = False
        if thinned:
            log.info("%d samples were left out; the outbox is %d %% full", thinned, outbox.fullness * 100)

    async def _thin_once(self) -> bool:
        """Thin the oldest piece; False when there is none or the outbox cannot be written."""
        outbox, lane = self._outbox, Lane.TELEMETRY
        try:
            piece = await asyncio.to_thread(
                oldest_piece, outbox.path, outbox.edge, lane, outbox.depth[lane].numbered, self._clock()
            )
            if piece is None:
                return False
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(
                self._worker, outbox.replace, lane, piece.places, piece.rows, piece.left_out
            )
        except (OutboxUnavailable, sqlite3.Error) as error:
            log.debug("not thinned: %s", error)
            return False
        return True


def oldest_piece(path: Path, edge: str, lane: Lane, numbered: int, now: int) -> Piece | None:
    """The oldest rows after the place `numbered` that can be thinned; None when there are none.

    Rows of the span that lasts at `now` (ns) are left alone: more may come. Raises `sqlite3.Error`.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")  # one state of the file for all that is read
        for level, span in enumerate(SPANS):
            places = _places(connection, lane, numbered, level, span, now)
            if places:
                return _thinned(connection, edge, lane, places, level, span)
    return None


def _places(
    connection: sqlite3.Connection, lane: Lane, numbered: int, level: int, span: int, now: int
) -> list[int]:
    """Places of the oldest rows of this level that lie in one past span and follow each other."""
    rows = connection.execute(
        "SELECT place, created, level, boot FROM batches WHERE lane = ?1 AND place >="
        " (SELECT min(place) FROM batches WHERE lane = ?1 AND place > ?2 AND level = ?3) ORDER BY place",
        (lane, numbered, level),
    )
    places: list[int] = []
    number = None
    for place, created, found, boot in rows:
        here = (created // span, boot)  # uptimes of different boots have no span in common
        number = here if number is None else number
        if found != level or here != number or here[0] == now // span:
            break
        places.append(place)
    return places


def _thinned(
    connection: sqlite3.Connection, edge: str, lane: Lane, places: list[int], level: int, span: int
) -> Piece:
    """Twice through the rows: a minute of a large site is more than a small box wants in memory."""
    first, last = places[0], places[-1]
    thinning = Thinning(span)
    for samples in _samples(connection, lane, first, last):
        thinning.look(samples)
    stay = thinning.staying()
    if len(stay) > _WORTH * thinning.seen:
        return Piece(lane, (first, last), (), Counter())
    kept: list[Sample] = []
    left_out: Counter[str] = Counter()
    position = 0
    for samples in _samples(connection, lane, first, last):
        for sample in samples:
            if position in stay:
                kept.append(sample)
            else:
                left_out[sample.source] += 1
            position += 1
    batches = [*cut(edge, lane, kept, None)]
    if len(batches) > len(places):
        return Piece(lane, (first, last), (), Counter())
    created, boot = connection.execute(
        "SELECT created, boot FROM batches WHERE lane = ? AND place = ?", (lane, first)
    ).fetchone()
    # The last places are kept: the end of the lane's order stays where it is.
    rows = [
        Row(lane, place, None, each.samples, created, each.checksum, level + 1, each.payload, boot)
        for place, each in zip(places[-len(batches) :], batches, strict=True)
    ]
    return Piece(lane, (first, last), tuple(rows), left_out)


def _samples(
    connection: sqlite3.Connection, lane: Lane, first: int, last: int
) -> Iterator[tuple[Sample, ...]]:
    for (payload,) in connection.execute(
        "SELECT payload FROM batches WHERE lane = ? AND place BETWEEN ? AND ? ORDER BY place",
        (lane, first, last),
    ):
        yield wire.decode_samples(payload).samples
