"""The proof that nothing was lost and nothing counted twice.

For every device behind every edge and lane:

    taken by the edge = waiting in its outbox + in the samples stream
                      + passed + quarantined + duplicates (normaliser)
    passed            = in the readings stream + stored + refused (each store)

It holds at any moment, also while everything runs, because batches are counted by identity and the
stages are read in the order the batches travel: outbox, samples stream, ledger, readings stream, stores.
A batch found in two places has moved meanwhile and counts where it got to; one that the edge made after
its outbox was read is cut off at every later stage. Each file is read in one transaction.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nats.js import errors
from nats.js.client import JetStreamContext

from ingest.audit_accounts import BookRow, LaneAccounts, Streamed
from ingest.audit_files import OutboxBooks, StageBooks, read_outbox, read_stage
from ingest.sequences import BatchId
from language import N_, Message
from readings import Lane, wire
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

    @property
    def balanced(self) -> bool:
        """Whether every account balances."""
        return all(row.difference == 0 for row in self.rows)

    @property
    def first_difference(self) -> Message | None:
        """What to look at first: the account that fails at the earliest stage."""
        failing = [row for row in self.rows if row.difference]
        if not failing:
            return None
        row = min(failing, key=lambda row: (row.stage != "normaliser", row.edge, row.lane, row.source))
        values = {
            "edge": row.edge, "lane": row.lane.value, "device": row.device or row.source,
            "stage": row.stage, "n": abs(row.difference),
        }  # fmt: skip
        if row.difference > 0:
            return Message(N_("{n} samples of {device} ({edge}, {lane}) are missing at: {stage}"), values)
        return Message(N_("{n} samples of {device} ({edge}, {lane}) too many at: {stage}"), values)


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
    return compare(outboxes, samples, ledger, readings, stores)


def balance(data: Path, edges: Path | None) -> Books:
    """Audit from the files alone: cheap, and without a connection to the bus.

    What is on its way between two stages is concluded: where batches are under way, the difference is
    taken to be theirs. Where none are, the account must balance. Raises
    `ingest.database.StoreUnavailable`.
    """
    outboxes = _read_outboxes(edges)
    ledger = read_stage(data / "ledger.db")
    return compare(outboxes, None, ledger, None, _read_stores(data))


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
    for edge, lane in sorted(lanes):
        rows += LaneAccounts(edge, lane, outboxes.get(edge), samples, ledger, readings, stores).rows()
    return Books(rows, proved=samples is not None and readings is not None)


def _read_outboxes(edges: Path | None) -> dict[str, OutboxBooks]:
    if edges is None:
        return {}
    return {path.parent.name: read_outbox(path) for path in sorted(edges.glob("*/outbox.db"))}


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
