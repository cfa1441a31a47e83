"""The InfluxDB writer: large requests, each point once in the books, single bad points set aside.

A batch counts as written when the server has taken (or finally refused) its points *and* that is
committed in this store's own books. A crash in between, or an answer that never came, writes the same points
again: same series, same time, same values, so they overwrite themselves. That holds while the tags are the
same; so what has begun with one registry is finished with it.
"""

import asyncio
import sqlite3
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import structlog

from ingest.books import Books
from ingest.database import open_writer, transaction
from ingest.normaliser import QUARANTINED, Count
from ingest.quarantine import Quarantined, QuarantineRow, Reason
from ingest.quarantine_acts import Act
from ingest.quarantine_acts import Outcome as ActOutcome
from ingest.sequences import BatchId
from ingest.stores import WriteLimits
from ingest.stores.embedded import STORED, let_go, stored_counts
from ingest.stores.influx_answers import Outcome, Refusal, Verdict
from ingest.stores.influx_appetite import Appetite
from ingest.stores.influx_client import DatabaseMissing, InfluxClient, InfluxSettings, Interrupted, NoAnswer
from ingest.stores.influx_rollup import LEVELS, Level, RollUp, Windows
from ingest.stores.influx_setup import make_database
from ingest.stores.influx_sift import EverythingRefused, Send, Sift
from ingest.stores.line_protocol import LineEncoder, readings_by_line
from language import N_, Message
from readings import Reading, ReadingBatch
from registry.site import Site

log = structlog.get_logger(__name__)

_LINES: Final = 5_000
"""Points of one request."""
_BEGUN: Final = 16
"""Writes that may be half done at the same time: more than the service ever has."""

_Result = TypeVar("_Result")


class InfluxStore:
    """The writing side; the reading side is `ingest.stores.influx_reader.InfluxHistory`."""

    name = "influx"

    def __init__(self, settings: InfluxSettings, site: Site, books: Path) -> None:
        """`books` is this writer's own SQLite file; raises `StoreUnavailable` when it cannot be opened."""
        self.limits = WriteLimits(readings=5_000, linger=1.0, in_flight=3, remote=True)
        self.path = books
        self._client = InfluxClient(settings)
        self._appetite = Appetite(settings.timeout)
        self._encoder = LineEncoder(site)
        self._accepted = 0
        self._begun: dict[tuple[BatchId, ...], _Write] = {}
        self._connection: sqlite3.Connection = open_writer(books)
        with transaction(self._connection):
            self.books = Books(self._connection)
            self._windows = Windows(self._connection)
        self._rollup = RollUp(self._client, site)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="influx-books")

    def set_site(self, site: Site) -> None:
        """Use the tags of `site` for what comes from now on."""
        self._encoder = LineEncoder(site)
        self._rollup.set_site(site)

    async def write(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """See `ingest.stores.Store.write`. What failed half way goes on where it was."""
        fresh: dict[BatchId, ReadingBatch] = {}
        for batch in batches:
            if not self.books.is_done(batch.edge, batch.lane, batch.seq):
                fresh.setdefault(BatchId(batch.edge, batch.lane, batch.seq), batch)
        key = (*fresh,)
        write = self._begun.get(key)
        if write is None:
            write = _Write([*fresh.values()], self._encoder, lambda: self._accepted)
            self._begun[key] = write
            while len(self._begun) > _BEGUN:
                del self._begun[next(iter(self._begun))]
        try:
            await write.run(self._send)
        except EverythingRefused as error:
            raise self._client.refuses_everything(error.reason) from error
        refused = write.refused()
        counts = [(identity, _counts(identity, batch, refused)) for identity, batch in fresh.items()]
        loop = asyncio.get_running_loop()
        times = (reading.time for batch in fresh.values() for reading in batch.readings)
        await loop.run_in_executor(self._thread, self._commit, counts, refused, times, now)
        self._begun.pop(key, None)

    async def let_go(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """See `ingest.stores.Store.let_go`. What was begun may be written all the same, half of it."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, let_go, self.books, batches, now)
        self._begun.pop((*(BatchId(batch.edge, batch.lane, batch.seq) for batch in batches),), None)

    async def in_books(self, work: Callable[[Books], _Result]) -> _Result:
        """See `ingest.quarantine_keepers.Keeper`."""

        def commit() -> _Result:
            with self.books.transaction():
                return work(self.books)

        return await asyncio.get_running_loop().run_in_executor(self._thread, commit)

    async def recover(self) -> None:
        """Nothing is left half done: see `retry`."""

    async def retry(self, rows: Sequence[QuarantineRow], act: Act, so_far: ActOutcome) -> ActOutcome:
        """Write points again that were refused; see `ingest.quarantine_keepers.Keeper`.

        They are written as they were refused: what mends them is done at the server. A crash before the
        commit only means that they are written once more onto themselves.
        """
        sift = Sift([row.entry.raw for row in rows], lambda: self._accepted, _LINES)
        try:
            await sift.run(self._send)
        except EverythingRefused as error:
            raise self._client.refuses_everything(error.reason) from error
        taken = [row for at, row in enumerate(rows) if at not in sift.refused]
        again = [(rows[at].id, Reason.REFUSED_BY_STORE, _refused(why)) for at, why in sift.refused.items()]
        passed = sum(row.entry.samples for row in taken)
        refused = sum(row.entry.samples for row in rows) - passed
        outcome = so_far.advanced(len(rows), passed=passed, refused=refused)
        now = time.time_ns()

        def commit(books: Books) -> None:
            books.take_out([row.id for row in taken])
            books.refuse(again, now)
            books.move_out((row.entry for row in taken), STORED)
            books.write_act(act, outcome)
            self._windows.note((row.entry.first for row in taken), now)

        await self.in_books(commit)
        return outcome

    async def tidy(self, now: int) -> bool:
        """Roll up one run of windows (`ingest.stores.influx_rollup`); True when more are waiting."""
        for level in LEVELS:
            if await self._roll_up(level, now):
                return True
        return False

    async def _roll_up(self, level: Level, now: int) -> bool:
        found = await self.in_books(lambda _: self._windows.ready(level, now))
        if found is None:
            return False
        span, until = found
        await self._rollup.make(level, span)
        await self.in_books(lambda _: self._windows.done(level, span, until))
        return True

    async def close(self) -> None:
        """Close the connections and the books."""
        await self._client.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()

    async def _send(self, lines: Sequence[bytes]) -> Outcome:
        """Write the lines in one request, unless that is more than the server takes."""
        body, appetite = b"\n".join(lines), self._appetite
        if len(body) > appetite.bytes and len(lines) > 1:
            return Outcome(Verdict.TOO_LARGE, Refusal("larger than what the server took before"))
        begun = time.monotonic()
        try:
            outcome = await self._write(body)
        except NoAnswer:
            appetite.kept_waiting(len(body))
            raise
        except Interrupted:
            appetite.choked(len(body))
            raise
        if outcome.verdict is Verdict.TOO_LARGE:
            appetite.choked(len(body))
        else:
            appetite.ate(len(body), time.monotonic() - begun)
        self._accepted += outcome.verdict is Verdict.WRITTEN
        return outcome

    async def _write(self, body: bytes) -> Outcome:
        try:
            return await self._client.write(body, self._appetite.patience)
        except DatabaseMissing:
            await make_database(self._client)
            log.warning("database made", database=self._client.settings.database)
            return await self._client.write(body, self._appetite.patience)

    def _commit(
        self,
        counts: Sequence[tuple[BatchId, list[Count]]],
        refused: Sequence[Quarantined],
        times: Iterable[int],
        now: int,
    ) -> None:
        with self.books.transaction():
            self._windows.note(times, now)
            # Two writes may be under way with the same batch after a redelivery: the first one counts.
            new = [(identity, count) for identity, count in counts if not self.books.is_done(*identity)]
            known = {identity for identity, _ in new}
            self.books.record(new, now)
            self.books.quarantine(
                (entry for entry in refused if BatchId(entry.edge, entry.lane, entry.seq) in known), now
            )


class _Write:
    """Batches on their way: first line by line, then what was refused reading by reading.

    A line holds all readings of a device at a time, and the server refuses it as a whole for one of them.
    """

    def __init__(
        self, batches: Sequence[ReadingBatch], encoder: LineEncoder, accepted: Callable[[], int]
    ) -> None:
        """`accepted`: see `Sift`."""
        self._batches = batches
        self._encoder = encoder
        self._accepted = accepted
        self._begins: list[int] = []
        """The first line of each batch."""
        self._groups: dict[int, list[list[Reading]]] = {}
        self._lines: Sift | None = None
        self._singles: Sift | None = None
        self._owners: list[tuple[ReadingBatch, Reading]] = []
        """Whose each of the single readings is."""

    async def run(self, send: Send) -> None:
        """Write everything that the server takes; see `Sift.run`."""
        if self._lines is None:
            self._lines = Sift(await self._encode(), self._accepted, _LINES)
        await self._lines.run(send)
        if self._singles is None:
            for batch, readings, _, _ in self._refused_lines():
                if len(readings) > 1:
                    self._owners += [(batch, reading) for reading in readings]
            lines = [line for _, reading in self._owners for line in self._encoder.lines([reading])]
            self._singles = Sift(lines, self._accepted, _LINES)
        await self._singles.run(send)

    def refused(self) -> list[Quarantined]:
        """What the server will never take, as it is to be kept."""
        alone = [
            _entry(batch, readings[0], line, why)
            for batch, readings, line, why in self._refused_lines()
            if len(readings) == 1
        ]
        singles = self._singles
        if singles is None:
            return alone
        return alone + [
            _entry(*self._owners[at], singles.lines[at], why) for at, why in singles.refused.items()
        ]

    async def _encode(self) -> list[bytes]:
        """All lines, giving way to others after each batch."""
        lines: list[bytes] = []
        for batch in self._batches:
            self._begins.append(len(lines))
            lines += self._encoder.lines(batch.readings)
            await asyncio.sleep(0)
        return lines

    def _refused_lines(self) -> Iterator[tuple[ReadingBatch, list[Reading], bytes, str]]:
        """Batch, readings, line and reason of every refused line."""
        if self._lines is None:
            return
        for at, why in self._lines.refused.items():
            number = bisect_right(self._begins, at) - 1
            batch = self._batches[number]
            groups = self._groups.get(number)
            if groups is None:
                groups = self._groups[number] = readings_by_line(batch.readings)
            yield batch, groups[at - self._begins[number]], self._lines.lines[at], why


def _entry(batch: ReadingBatch, reading: Reading, line: bytes, why: str) -> Quarantined:
    return Quarantined(
        edge=batch.edge,
        lane=batch.lane,
        seq=batch.seq,
        source=reading.device,
        point=reading.point,
        reason=Reason.REFUSED_BY_STORE,
        detail=_refused(why),
        raw=line,
        samples=1,
        first=reading.time,
        last=reading.time,
        received=reading.received,
    )


def _refused(why: str) -> Message:
    return Message(N_("InfluxDB refuses it: {why}"), {"why": why})


def _counts(identity: BatchId, batch: ReadingBatch, refused: Iterable[Quarantined]) -> list[Count]:
    bad: Counter[str] = Counter()
    for entry in refused:
        if (entry.edge, entry.lane, entry.seq) == identity:
            bad[entry.source] += entry.samples
    if not bad:
        return stored_counts(batch)
    stored = Counter(reading.device for reading in batch.readings) - bad
    return [Count("", device, STORED, n) for device, n in stored.items()] + [
        Count("", device, QUARANTINED, n) for device, n in bad.items()
    ]
