"""The InfluxDB writer: large requests, each point once in the books, single bad points set aside.

A batch counts as written when the server has taken (or finally refused) its points *and* that is
committed in this store's own books. A crash in between writes the same points again, which overwrites
them with themselves.
"""

import asyncio
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from ingest.books import Books
from ingest.database import StoreUnavailable, open_writer, transaction
from ingest.normaliser import QUARANTINED, Count
from ingest.quarantine import Quarantined, Reason
from ingest.sequences import BatchId
from ingest.stores import WriteLimits
from ingest.stores.embedded import STORED, stored_counts
from ingest.stores.influx_client import InfluxClient, InfluxSettings, Verdict
from ingest.stores.line_protocol import LineEncoder, readings_by_line
from language import N_, Message
from readings import ReadingBatch
from registry.site import Site

_LINES: Final = 5_000
"""Points of one request."""


class _Refusal(NamedTuple):
    at: int
    reason: str


class InfluxStore:
    """The writing side; the reading side is `ingest.stores.influx_reader.InfluxHistory`."""

    name = "influx"

    def __init__(self, settings: InfluxSettings, site: Site, books: Path) -> None:
        """`books` is this writer's own SQLite file; raises `StoreUnavailable` when it cannot be opened."""
        self.limits = WriteLimits(readings=5_000, linger=1.0, in_flight=2)
        self._client = InfluxClient(settings)
        self._encoder = LineEncoder(site)
        self._connection: sqlite3.Connection = open_writer(books)
        with transaction(self._connection):
            self.books = Books(self._connection)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="influx-books")

    def set_site(self, site: Site) -> None:
        """Use the tags of `site` from the next write on."""
        self._encoder.set_site(site)

    async def write(self, batches: Sequence[ReadingBatch], now: int) -> None:
        """See `ingest.stores.Store.write`."""
        fresh: dict[BatchId, ReadingBatch] = {}
        for batch in batches:
            if not self.books.is_done(batch.edge, batch.lane, batch.seq):
                fresh.setdefault(BatchId(batch.edge, batch.lane, batch.seq), batch)
        lines: list[str] = []
        begins: list[int] = []
        """Where in `lines` each batch begins."""
        for batch in fresh.values():
            begins.append(len(lines))
            lines += self._encoder.lines(batch.readings)
            await asyncio.sleep(0)
        refusals: list[_Refusal] = []
        for start in range(0, len(lines), _LINES):
            refusals += await self._send(lines, start, min(start + _LINES, len(lines)))
        batches = [*fresh.values()]
        refused = [_entry(batches, begins, lines, refusal) for refusal in refusals]
        counts = [(identity, _counts(identity, batch, refused)) for identity, batch in fresh.items()]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._commit, counts, refused, now)

    async def tidy(self, now: int) -> bool:
        """Nothing to do: the server has its own retention."""
        return False

    async def close(self) -> None:
        """Close the connections and the books."""
        await self._client.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()

    async def _send(self, lines: Sequence[str], start: int, end: int) -> list[_Refusal]:
        """Write ``lines[start:end]``; the points that the server will never take, with its reasons.

        A request that is refused for its content is halved until the bad points stand alone. Writing the
        good ones twice on the way does no harm.
        """
        body = "\n".join(lines[start:end]).encode()
        try:
            outcome = await self._client.write(body)
        except StoreUnavailable as error:
            if "database not found" not in str(error).lower():
                raise
            await self._client.create_database()
            outcome = await self._client.write(body)
        if outcome.verdict is Verdict.WRITTEN:
            return []
        if end - start == 1:
            return [_Refusal(start, outcome.reason)]
        middle = (start + end) // 2
        return [*await self._send(lines, start, middle), *await self._send(lines, middle, end)]

    def _commit(
        self, counts: Sequence[tuple[BatchId, list[Count]]], refused: Sequence[Quarantined], now: int
    ) -> None:
        with self.books.transaction():
            # Two writes may be under way with the same batch after a redelivery: the first one counts.
            new = [(identity, count) for identity, count in counts if not self.books.is_done(*identity)]
            known = {identity for identity, _ in new}
            self.books.record(new, now)
            self.books.quarantine(
                (entry for entry in refused if BatchId(entry.edge, entry.lane, entry.seq) in known), now
            )


def _entry(
    batches: Sequence[ReadingBatch], begins: Sequence[int], lines: Sequence[str], refusal: _Refusal
) -> Quarantined:
    number = bisect_right(begins, refusal.at) - 1
    batch, line = batches[number], lines[refusal.at]
    device, readings = readings_by_line(batch.readings)[refusal.at - begins[number]]
    time = int(line.rpartition(" ")[2])
    return Quarantined(
        edge=batch.edge,
        lane=batch.lane,
        seq=batch.seq,
        source=device,
        point="",
        reason=Reason.REFUSED_BY_STORE,
        detail=Message(N_("InfluxDB refuses it: {why}"), {"why": refusal.reason}),
        raw=line.encode(),
        samples=readings,
        first=time,
        last=time,
    )


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
