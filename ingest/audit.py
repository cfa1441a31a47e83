"""The proof that nothing was lost and nothing counted twice.

For every device behind every edge and lane:

    taken by the edge = waiting in its outbox + thinned there + in the samples stream
                      + passed + quarantined + dropped + duplicates (normaliser)
    passed            = on the way to the readings stream + in it
                      + stored + expired + refused + dropped (each store)

and, where the core was restored from a backup, + what is known to be lost with it (`ingest.restorations`).

It holds at any moment, also while everything runs, because batches are counted by identity and the
stages are read in the order the batches travel: outbox, samples stream, ledger, readings stream, stores.
A batch found in two places has moved meanwhile and counts where it got to; one that the edge made after
its outbox was read is cut off at every later stage. Each file is read in one transaction.

An outbox that has been put back from a copy gives out numbers a second time, and batches under them are
taken for done. It is known by the ledger having numbers of its life that it has not given out.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from nats.js import errors
from nats.js.client import JetStreamContext

from ingest.audit_accounts import BookRow, LaneAccounts, Streamed
from ingest.audit_files import OutboxBooks, StageBooks, read_highest, read_outbox, read_stage
from ingest.restorations import Loss
from ingest.sequences import BatchId
from language import N_, Message
from readings import Lane, wire
from readings.numbers import life_of
from readings.subjects import readings_stream, samples_stream

STORES: Final = {"embedded": "readings.db", "influx": "influx.db"}
"""Name of each store and the file with its books, the one that people are shown first."""

_READ_AHEAD: Final = 32


@dataclass(frozen=True)
class Books:
    """The result of an audit."""

    rows: list[BookRow]
    proved: bool
    """Whether the streams were read; else what is in them was concluded from the numbers of batches."""
    outdated: tuple[tuple[str, Lane], ...] = ()
    """Edges and lanes whose outbox is an older copy of itself."""
    losses: tuple[Loss, ...] = ()
    """What is known to have gone down with a core that was restored from a backup."""

    @property
    def balanced(self) -> bool:
        """Whether every account balances and every outbox is the one that sent."""
        return not self.outdated and all(row.difference == 0 for row in self.rows)

    @property
    def first_difference(self) -> Message | None:
        """What to look at first: an outdated outbox, else the account that fails at the earliest stage."""
        if self.outdated:
            edge, lane = self.outdated[0]
            return Message(
                N_(
                    "the outbox of {edge} ({lane}) is an older copy: what it takes is dropped as repetition."
                    " Stop the edge, delete its outbox.db and start it again"
                ),
                {"edge": edge, "lane": lane.value},
            )
        failing = [row for row in self.rows if row.difference]
        if not failing:
            return None
        row = min(failing, key=lambda row: (row.stage != "normaliser", row.edge, row.lane, row.source))
        values = {
            "edge": row.edge, "lane": row.lane.value, "device": row.device or row.source,
            "stage": row.stage, "n": abs(row.difference), "unread": row.unread,
        }  # fmt: skip
        if row.difference > 0 and row.unread:
            return Message(
                N_(
                    "{n} {n|sample|samples} of {device} ({edge}, {lane}) {n|is|are} missing at: {stage}."
                    " {unread} {unread|batch|batches} of this edge could not be read; the bytes are in"
                    " quarantine"
                ),
                values,
            )
        if row.difference > 0:
            return Message(
                N_("{n} {n|sample|samples} of {device} ({edge}, {lane}) {n|is|are} missing at: {stage}"),
                values,
            )
        return Message(N_("{n} {n|sample|samples} of {device} ({edge}, {lane}) too many at: {stage}"), values)


async def audit(jetstream: JetStreamContext, data: Path, edges: Path | None) -> Books:
    """Audit with the streams' contents: a proof.

    `data` is the gateway's folder, `edges` the one with a folder per edge; an edge that is not there
    (it runs elsewhere) is taken at the normaliser's word. Raises `ingest.database.StoreUnavailable` and
    `nats.errors.Error`.
    """
    outboxes = await asyncio.to_thread(_read_outboxes, edges)
    samples = await _read_streams(jetstream, [samples_stream(lane) for lane in Lane])
    ledger = await asyncio.to_thread(read_stage, data / "ledger.db")
    readings = await _read_streams(jetstream, [readings_stream(lane) for lane in Lane])
    stores = await asyncio.to_thread(_read_stores, data)
    books = compare(outboxes, samples, ledger, readings, stores)
    return replace(books, outdated=await asyncio.to_thread(_outdated, edges, ledger))


def balance(data: Path, edges: Path | None) -> Books:
    """Audit from the files alone: cheap, and without a connection to the bus.

    What is on its way between two stages is concluded: where batches are under way, the difference is
    taken to be theirs. Where none are, the account must balance. Raises
    `ingest.database.StoreUnavailable`.
    """
    outboxes = _read_outboxes(edges)
    ledger = read_stage(data / "ledger.db")
    books = compare(outboxes, None, ledger, None, _read_stores(data))
    return replace(books, outdated=_outdated(edges, ledger))


def compare(
    outboxes: Mapping[str, OutboxBooks],
    samples: Streamed | None,
    ledger: StageBooks,
    readings: Streamed | None,
    stores: Mapping[str, StageBooks],
) -> Books:
    """The accounts, from what was read of each stage in this order; None: that stream was not read."""
    lanes = ledger.lanes() | {(edge, lane) for edge, outbox in outboxes.items() for lane, _ in outbox.taken}
    rows: list[BookRow] = []
    losses: list[Loss] = []
    for edge, lane in sorted(lanes):
        accounts = LaneAccounts(edge, lane, outboxes.get(edge), samples, ledger, readings, stores)
        rows += accounts.rows()
        losses += accounts.losses
    proved = samples is not None and readings is not None
    return Books(rows, proved=proved, losses=tuple(losses))


def _read_outboxes(edges: Path | None) -> dict[str, OutboxBooks]:
    if edges is None:
        return {}
    return {path.parent.name: read_outbox(path) for path in sorted(edges.glob("*/outbox.db"))}


def _outdated(edges: Path | None, ledger: StageBooks) -> tuple[tuple[str, Lane], ...]:
    """Outboxes behind the ledger although they are read after it; raises `StoreUnavailable`."""
    found: list[tuple[str, Lane]] = []
    for path in sorted(edges.glob("*/outbox.db")) if edges is not None else ():
        for lane, highest in read_highest(path).items():
            done = ledger.done_in(path.parent.name, lane)
            if any(last > highest and life_of(last) == life_of(highest) for _, last in done):
                found.append((path.parent.name, lane))
    return tuple(found)


def _read_stores(data: Path) -> dict[str, StageBooks]:
    return {name: read_stage(data / file) for name, file in STORES.items() if (data / file).exists()}


async def _read_streams(jetstream: JetStreamContext, names: Iterable[str]) -> dict[BatchId, Counter[str]]:
    """Every batch that lies in the streams; one that goes while we read has been done with."""
    found: dict[BatchId, Counter[str]] = {}
    for name in names:
        state = (await jetstream.stream_info(name)).state
        if not state.messages:
            continue
        for start in range(state.first_seq, state.last_seq + 1, _READ_AHEAD):
            some = range(start, min(start + _READ_AHEAD, state.last_seq + 1))
            for payload in await asyncio.gather(*(_message(jetstream, name, seq) for seq in some)):
                counted = _count(payload) if payload is not None else None
                if counted is not None:
                    found.setdefault(*counted)
    return found


async def _message(jetstream: JetStreamContext, stream: str, seq: int) -> bytes | None:
    try:
        return (await jetstream.get_msg(stream, seq)).data
    except errors.NotFoundError:
        return None


def _count(payload: bytes) -> tuple[BatchId, Counter[str]] | None:
    try:
        samples = wire.decode_samples(payload)
    except wire.MalformedBatch:
        try:
            readings = wire.decode_readings(payload)
        except wire.MalformedBatch:
            return None  # no batch: the normaliser will put it into quarantine
        identity = BatchId(readings.edge, readings.lane, readings.seq)
        return identity, Counter(reading.device for reading in readings.readings)
    return BatchId(samples.edge, samples.lane, samples.seq), Counter(s.source for s in samples.samples)
