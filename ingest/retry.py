"""What becomes of quarantined samples when they are tried again. Pure: no clock, file or socket.

A `Trial` takes rows of the quarantine and says what a ledger has to commit in one transaction: readings to
send, rows that go, rows that stay with a new reason, and how the books change. Readings keep the time that
they would have had at first; the batches that carry them say `replayed`, and have numbers that no outbox
gives out (`readings.numbers`), so that every later stage does them once, like any batch
(docs/decisions/0008).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ingest.books import Move
from ingest.clocks import ClockLimits
from ingest.normaliser import DUPLICATE, PASSED, QUARANTINED, UNREAD, Count, Normalised, Normaliser, Registry
from ingest.quarantine import Quarantined, QuarantineRow, Reason
from ingest.sequences import BatchId
from ingest.series_marks import BorrowedMarks, Marks
from language import N_, Message
from readings import Lane, Reading, ReadingBatch, SampleBatch, wire
from readings.numbers import OUTBOX_NUMBERS, life_of

BATCH_READINGS: Final = 500
"""As an edge's batches; a row that has more goes out whole."""

Number = Callable[[str, Lane], int]
"""Gives out a batch number that was never used on this edge and lane."""


@dataclass
class Tried:
    """What a trial found, to be committed as a whole."""

    rows: int = 0
    batches: list[ReadingBatch] = field(default_factory=list)
    """Readings to send."""
    fresh: list[tuple[BatchId, Sequence[Count]]] = field(default_factory=list)
    """Of `batches` those that the books do not have yet, with what is to be recorded of them."""
    amended: list[tuple[BatchId, Sequence[Count]]] = field(default_factory=list)
    """Batches that the books have, and what is to be added to their numbers."""
    moves: list[Move] = field(default_factory=list)
    out: list[int] = field(default_factory=list)
    """Rows that go, wholly or to come back as parts."""
    parts: list[QuarantineRow] = field(default_factory=list)
    """What stays of rows that go."""
    refused_again: list[tuple[int, Reason, Message]] = field(default_factory=list)
    """Rows that stay as they are, with the reason that they have now."""
    passed: int = 0
    duplicates: int = 0
    refused: int = 0


class Trial:
    """Tries one row after the other, with the registry as it is now and the marks as they are."""

    def __init__(
        self,
        site: Registry,
        marks: Mapping[Lane, Marks],
        done: Callable[[BatchId], bool],
        number: Number,
        now: int,
        limits: ClockLimits | None = None,
    ) -> None:
        """`marks` are only looked at; `done` says which batches the ledger has."""
        borrowed = {lane: BorrowedMarks(lender) for lane, lender in marks.items()}
        self._normaliser = Normaliser(site, borrowed, limits)
        self._done = done
        self._number = number
        self._now = now
        self._found = Tried()
        self._readings: dict[tuple[str, Lane], list[Reading]] = {}

    def add(self, row: QuarantineRow) -> None:
        """Try `row`."""
        self._found.rows += 1
        match row.entry.reason:
            case Reason.MALFORMED_BATCH:
                self._read_batch(row)
            case Reason.NUMBER_USED_BEFORE:
                self._renumber(row)
            case Reason.MALFORMED | Reason.REFUSED_BY_STORE:
                self._refuse(row, row.entry.reason, row.entry.detail)
            case _:
                self._try_samples(row)

    def take(self) -> Tried:
        """What the rows added since the last call have become."""
        for edge, lane in [*self._readings]:
            self._send(edge, lane)
        found, self._found = self._found, Tried()
        return found

    def _try_samples(self, row: QuarantineRow) -> None:
        entry = row.entry
        try:
            batch = wire.decode_samples(entry.raw)
        except wire.MalformedBatch as error:
            self._refuse(
                row, entry.reason, Message(N_("cannot be read any more: {why}"), {"why": str(error)})
            )
            return
        done = self._normaliser.normalise(batch, entry.received, replayed=True)
        # What is refused again stays in the account that it is in, whatever its source is called by now.
        self._stay(row, done, [replace(part, device=entry.device) for part in done.quarantined])
        if done.batch.readings:
            waiting = self._readings.setdefault((entry.edge, entry.lane), [])
            if waiting and len(waiting) + len(done.batch.readings) > BATCH_READINGS:
                self._send(entry.edge, entry.lane)
            self._readings.setdefault((entry.edge, entry.lane), []).extend(done.batch.readings)
        place = (entry.edge, entry.lane.value, life_of(entry.seq))
        settled = [count for count in done.counts if count.outcome in (PASSED, DUPLICATE)]
        if settled:
            n = sum(count.n for count in settled)
            self._found.moves.append(Move(*place, Count(*entry.account, QUARANTINED, -n)))
            self._found.moves += (Move(*place, count) for count in settled)

    def _read_batch(self, row: QuarantineRow) -> None:
        """Bytes that were no batch: perhaps this version can read them. Then it has its own number."""
        entry = row.entry
        try:
            batch = wire.decode_samples(entry.raw)
            self._check_origin(batch, row)
        except wire.MalformedBatch as error:
            self._refuse(row, entry.reason, Message(N_("not a batch of samples: {why}"), {"why": str(error)}))
            return
        done = self._normaliser.normalise(batch, entry.received, replayed=True)
        self._found.batches.append(done.batch)
        identity = BatchId(batch.edge, batch.lane, batch.seq)
        if entry.seq:
            self._found.amended.append((identity, [*done.counts, Count("", "", UNREAD, -1)]))
        else:
            self._found.fresh.append((identity, done.counts))
        self._stay(row, done, done.quarantined)

    def _check_origin(self, batch: SampleBatch, row: QuarantineRow) -> None:
        entry = row.entry
        if (batch.edge, batch.lane) != (entry.edge, entry.lane):
            raise wire.MalformedBatch(
                f"came as {entry.edge}/{entry.lane} but says {batch.edge}/{batch.lane}, number {batch.seq}"
            )
        if not 0 < batch.seq < OUTBOX_NUMBERS:
            raise wire.MalformedBatch(f"{batch.seq} is no number of a batch")
        if entry.seq and batch.seq != entry.seq:
            raise wire.MalformedBatch(f"came as number {entry.seq} but says {batch.seq}")
        identity = BatchId(batch.edge, batch.lane, batch.seq)
        taken = any(identity == known for known, _ in self._found.fresh)
        if not entry.seq and (taken or self._done(identity)):
            raise wire.MalformedBatch(f"number {batch.seq} is done")

    def _renumber(self, row: QuarantineRow) -> None:
        """A batch whose number is another's: it gets one of ours."""
        batch = wire.decode_samples(row.entry.raw)  # it has been a batch before
        batch = SampleBatch(batch.edge, batch.lane, self._number(batch.edge, batch.lane), batch.samples)
        done = self._normaliser.normalise(batch, row.entry.received, replayed=True)
        self._found.batches.append(done.batch)
        self._found.fresh.append((BatchId(batch.edge, batch.lane, batch.seq), done.counts))
        self._stay(row, done, done.quarantined)

    def _stay(self, row: QuarantineRow, done: Normalised, parts: Sequence[Quarantined]) -> None:
        """Count what came of `row`, and keep `parts` of it, which are still refused."""
        found = self._found
        for count in done.counts:
            found.passed += count.n if count.outcome == PASSED else 0
            found.duplicates += count.n if count.outcome == DUPLICATE else 0
            found.refused += count.n if count.outcome == QUARANTINED else 0
        if len(parts) == 1 and (parts[0].samples, parts[0].seq) == (row.entry.samples, row.entry.seq):
            found.refused_again.append((row.id, parts[0].reason, parts[0].detail))
            return
        found.out.append(row.id)
        for number, part in enumerate(parts):
            # The first part takes the row's place, so that samples stay in the order in which they came.
            found.parts.append(QuarantineRow(0 if number else row.id, part, row.at, row.tries + 1, self._now))

    def _refuse(self, row: QuarantineRow, reason: Reason, detail: Message) -> None:
        self._found.refused += max(row.entry.samples, 1)
        self._found.refused_again.append((row.id, reason, detail))

    def _send(self, edge: str, lane: Lane) -> None:
        readings = tuple(self._readings.pop((edge, lane)))
        batch = ReadingBatch(edge, lane, self._number(edge, lane), readings, replayed=True)
        self._found.batches.append(batch)
        self._found.fresh.append((BatchId(edge, lane, batch.seq), ()))
