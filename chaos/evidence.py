"""Reading what is compared: journals, the store, the quarantine, and the books of every stage."""

import asyncio
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chaos.comparison import Comparison, Kept, Told, compare
from chaos.fire import misjudged
from chaos.journal import Series
from chaos.world import World
from edge.rescue import LOST_NOTE
from ingest.audit import Books, audit
from ingest.stores.embedded_reader import EmbeddedHistory
from readings import Lane, wire

_FOR_EVER: Final = 1 << 62


@dataclass
class Evidence:
    """What a scenario is judged by."""

    values: Comparison
    books: Books
    duplicates: int
    """Samples that the normaliser dropped as repetitions, by its books."""
    unruled: list[str] = field(default_factory=list)
    """Batches that are stored and never reached the rules, or the other way round."""
    misjudged: list[str] = field(default_factory=list)
    """Fires that are no alarm and case, or that nobody lit."""


async def gather(world: World) -> Evidence:
    """Compare everything; the installation is at rest and the bus runs."""
    values = Comparison()
    quarantined = await asyncio.to_thread(_quarantined, world.core_data / "ledger.db")
    history = EmbeddedHistory(world.core_data / "readings.db", threads=1)
    try:
        given_up = await asyncio.to_thread(_GivenUp.of, world)
        for series, told in await asyncio.to_thread(_journals, [*world.journals, *world.line_journals]):
            stored = await history.series(series.device, series.point, 0, _FOR_EVER, limit=_FOR_EVER)
            kept = [Kept(row.time, row.value) for row in stored.rows]
            aside = quarantined.get((series.edge, series.source, series.native), ())
            name = f"{series.device} {series.point}"
            # in a thread: the links of the installation are in this process, and millions of values take long
            found = await asyncio.to_thread(compare, name, told, kept, aside, *given_up.of_series(series))
            given_up.account_for(series, found)
            values.add(found)
    finally:
        await history.close()
    bus = await world.bus()
    async with bus:
        books = await audit(bus.jetstream, world.core_data, world.edge_data)
    unruled = await _until_ruled(world.core_data)
    return Evidence(values, books, sum(row.duplicates for row in books.rows), unruled, await misjudged(world))


@dataclass
class _GivenUp:
    """What edges say that they had to give up, as far as nobody has been found to lack it yet."""

    thinned: Counter[tuple[str, str, Lane]] = field(default_factory=Counter)
    """By edge, source and lane."""
    lost: Counter[str] = field(default_factory=Counter)
    """By edge, with outboxes that were damaged."""

    @classmethod
    def of(cls, world: World) -> "_GivenUp":
        found = cls()
        for edge in world.layout.edges:
            with closing(sqlite3.connect(f"file:{world.outbox(edge)}?mode=ro", uri=True)) as outbox:
                for source, lane, thinned in outbox.execute("SELECT source, lane, thinned FROM taken"):
                    found.thinned[edge, source, Lane(lane)] = thinned
                for (lost,) in outbox.execute("SELECT value FROM notes WHERE key = ?", (LOST_NOTE,)):
                    found.lost[edge] = int(lost)
        return found

    def of_series(self, series: Series) -> tuple[int, int]:
        """How many values of `series` may be missing as thinned, and as lost and told."""
        return self.thinned[series.edge, series.source, series.lane], self.lost[series.edge]

    def account_for(self, series: Series, found: Comparison) -> None:
        """So many are missing in `series`; no other may be missing for the same reason."""
        self.thinned[series.edge, series.source, series.lane] -= found.thinned
        self.lost[series.edge] -= found.reported


async def _until_ruled(core: Path) -> list[str]:
    """`_unruled` once it is empty, or after 10 s: a batch of the edges' own health may just be coming."""
    for _ in range(50):
        if not (found := await asyncio.to_thread(_unruled, core)):
            break
        await asyncio.sleep(0.2)
    return found


def _journals(paths: Sequence[Path]) -> list[tuple[Series, list[Told]]]:
    """Every series that anybody spoke for, with all that was said."""
    found: dict[Series, list[Told]] = defaultdict(list)
    for path in paths:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
            again = Counter(number for (number,) in journal.execute("SELECT message FROM again"))
            series = {
                number: Series(edge, source, native, device, point, Lane(lane))
                for number, edge, source, native, device, point, lane in journal.execute(
                    "SELECT * FROM series"
                )
            }
            for number, time, value, message, heard in journal.execute(
                "SELECT series, time, value, said.message, heard.message IS NOT NULL"
                " FROM said LEFT JOIN heard ON heard.message = said.message"
            ):
                found[series[number]].append(Told(time, value, bool(heard), 1 + again[message]))
    return [*found.items()]


def _quarantined(path: Path) -> Mapping[tuple[str, str, str], list[Kept]]:
    """The values in quarantine by edge, source and native point, from their raw bytes."""
    found: dict[tuple[str, str, str], list[Kept]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        for (raw,) in ledger.execute("SELECT raw FROM quarantine"):
            try:
                batch = wire.decode_samples(raw)
            except wire.MalformedBatch:
                continue  # nobody can say what was in it
            for sample in batch.samples:
                key = (batch.edge, sample.source, sample.point)
                found[key].append(Kept(sample.time, sample.value))
    return found


def _unruled(core: Path) -> list[str]:
    """Where the rules and the store have done different batches."""
    stored = dict(_done_by_store(core / "readings.db"))
    ruled = dict(_done_by_rules(core / "operations.db"))
    return [
        f"{edge} {lane}: stored {stored.get((edge, lane))}, ruled {ruled.get((edge, lane))}"
        for edge, lane in sorted(stored.keys() | ruled.keys())
        if stored.get((edge, lane)) != ruled.get((edge, lane))
    ]


def _done_by_store(path: Path) -> Iterator[tuple[tuple[str, str], list[tuple[int, int]]]]:
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        for edge, lane, first, last in store.execute(
            "SELECT edge, lane, first, last FROM done ORDER BY edge, lane, first"
        ):
            found[edge, lane].append((first, last))
    yield from found.items()


def _done_by_rules(path: Path) -> Iterator[tuple[tuple[str, str], list[tuple[int, int]]]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as operations:
        for edge, lane, ranges in operations.execute("SELECT edge, lane, ranges FROM engine_done"):
            yield (edge, lane), sorted((first, last) for first, last in json.loads(ranges))
