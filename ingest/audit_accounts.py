"""The accounts of one edge and lane: what every stage has, compared device by device.

An edge's own books begin with its outbox. They are compared with the batches of that outbox's life
(`readings.numbers`); what earlier outboxes took is known from the normaliser, and from what was saved of one
that was damaged, and taken at their word.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingest.audit_files import Account, OutboxBooks, StageBooks
from ingest.normaliser import DROPPED, DUPLICATE, EXPIRED, PASSED, QUARANTINED, UNREAD
from ingest.restorations import Loss
from ingest.sequences import BatchId, Sequences
from ingest.stores.embedded import STORED
from readings import Lane
from readings.numbers import life_of

Streamed = Mapping[BatchId, Counter[str]]
"""Batches found in a stream: samples by source, or readings by device."""


@dataclass
class BookRow:
    """The account of one device of one edge and lane.

    `device` is empty for a source nobody registered. `stored` is what the first store of `STORES` has
    that exists here; `stores` names all. `difference` is what is missing (or, negative, too much) at the
    first stage that does not balance, and `stage` is that stage.
    """

    edge: str
    lane: Lane
    source: str
    device: str
    taken: int = 0
    waiting: int = 0
    in_stream: int = 0
    stored: int = 0
    """What is there now: without what has expired since it was stored."""
    expired: int = 0
    """Let go by age or for room, after it was stored or before."""
    quarantined: int = 0
    duplicates: int = 0
    dropped: int = 0
    """Was in quarantine until somebody dropped it."""
    thinned: int = 0
    lost: int = 0
    """Known to have gone down with a core that was restored from a backup (`ingest.restorations`)."""
    difference: int = 0
    stage: str = ""
    unread: int = 0
    """Batches of this edge and lane in quarantine that nobody could read: they explain a difference."""
    stores: dict[str, int] = field(default_factory=dict)


@dataclass
class _StoreNumbers:
    """One store, restricted to the batches that the ledger had."""

    stored: Counter[str]
    expired: Counter[str]
    """Of those that were stored."""
    shed: Counter[str]
    """Let go unstored, because there was no room to keep them until the store takes them."""
    refused: Counter[str]
    dropped: Counter[str]
    coming: Counter[str]
    """Readings by device in the stream that the store has not done."""
    behind: bool
    """Whether batches are on their way to it (for when the stream was not read)."""


class _Cut:
    """The last batch of the outbox's life that was there when the outbox was read."""

    def __init__(self, highest: int | None) -> None:
        """`highest` is None for an edge whose outbox cannot be read here: then everything is taken."""
        self._highest = highest
        self.life = life_of(highest) if highest is not None else None

    def takes(self, seq: int) -> bool:
        """Whether the batch belongs into this audit: earlier lives do as a whole."""
        return self._highest is None or seq <= self._highest or life_of(seq) != self.life

    def complete(self, done: Sequences, waiting: Iterable[int], base: int) -> bool:
        """Whether every batch after `base` is either done or waiting, so that none can be between."""
        if self._highest is None or self._highest == base:
            return True
        known = done.copy()
        for seq in waiting:
            known.add(seq)
        return any(first <= base + 1 and self._highest <= last for first, last in known)

    def covers(self, has: Sequences, done: Sequences) -> bool:
        """Whether the store has every batch of this audit that the ledger has."""
        return all(
            any(low <= first <= high and (last <= high or not self.takes(high + 1)) for low, high in has)
            for first, last in done
            if self.takes(first)
        )


class LaneAccounts:
    """Everything about one edge and lane. Samples count by batch, in the last stage that has it."""

    def __init__(
        self,
        edge: str,
        lane: Lane,
        outbox: OutboxBooks | None,
        samples: Streamed | None,
        ledger: StageBooks,
        readings: Streamed | None,
        stores: Mapping[str, StageBooks],
    ) -> None:
        self._edge, self._lane = edge, lane
        self._outbox = outbox
        done = ledger.done_in(edge, lane)
        cut = self._cut = _Cut(outbox.highest.get(lane)) if outbox is not None else _Cut(None)
        self._normalised = ledger.totals(edge, lane, cut.takes)
        unread = [account for account in self._normalised if account[3] == UNREAD]
        self._unread = sum(self._normalised.pop(account) for account in unread)
        in_samples = {
            seq: counts for seq, counts in self._mine(samples).items() if cut.takes(seq) and seq not in done
        }
        waiting = outbox.waiting.get(lane, {}) if outbox is not None else {}
        self._in_samples = _sum(in_samples.values())
        self._in_samples_of_life = _sum(n for seq, n in in_samples.items() if life_of(seq) == cut.life)
        waits = {seq: n for seq, n in waiting.items() if seq not in done and seq not in in_samples}
        self._waiting = _sum(waits.values())
        self._waiting_of_life = _sum(n for seq, n in waits.items() if life_of(seq) == cut.life)
        if outbox is not None:
            for each in (self._waiting, self._waiting_of_life):
                each.update(outbox.unnumbered.get(lane, {}))
        base = outbox.base.get(lane, 0) if outbox is not None else 0
        self.losses = _losses(edge, lane, ledger, (*waiting, *in_samples))
        gone = [(loss.first, loss.first + loss.batches - 1) for loss in self.losses]
        self._gone_of_life = any(life_of(first) == cut.life for first, _ in gone)
        settled = Sequences.joined([*done, *gone])
        self._under_way = samples is None and not cut.complete(settled, waiting, base)
        sent = {**self._mine(ledger.outgoing), **self._mine(readings)}
        self._stores: dict[str, _StoreNumbers] = {}
        for name, books in stores.items():
            has = books.done_in(edge, lane)
            totals = books.totals(edge, lane, lambda seq: seq in done and cut.takes(seq))
            coming = [
                counts for seq, counts in sent.items() if seq in done and cut.takes(seq) and seq not in has
            ]
            self._stores[name] = _StoreNumbers(
                stored=_by_device(totals, STORED),
                expired=books.expired(edge, lane),
                shed=_by_device(totals, EXPIRED),
                refused=_by_device(totals, QUARANTINED),
                dropped=_by_device(totals, DROPPED),
                coming=_sum(coming),
                behind=readings is None and not cut.covers(has, done),
            )

    def rows(self) -> list[BookRow]:
        """The accounts, by device and source."""
        rows = [self._row(sources, devices) for sources, devices in self._groups()]
        return sorted(rows, key=lambda row: (row.device, row.source))

    def _row(self, sources: set[str], devices: set[str]) -> BookRow:
        row = BookRow(self._edge, self._lane, ", ".join(sorted(sources)), ", ".join(sorted(devices)))
        outcomes: Counter[str] = Counter()
        of_life = sum(self._in_samples_of_life[source] + self._waiting_of_life[source] for source in sources)
        for (life, source, _, outcome), n in self._normalised.items():
            if source in sources:
                outcomes[outcome] += n
                of_life += n if life == self._cut.life else 0
        row.quarantined, row.duplicates = outcomes[QUARANTINED], outcomes[DUPLICATE]
        row.dropped = outcomes[DROPPED]
        row.waiting = sum(self._waiting[source] for source in sources)
        row.in_stream = sum(self._in_samples[source] for source in sources)
        row.taken = row.waiting + row.in_stream + outcomes.total()
        if self._outbox is not None and self._cut.life is not None:
            taken = sum(self._outbox.taken.get((self._lane, source), 0) for source in sources)
            row.thinned = sum(self._outbox.thinned.get((self._lane, source), 0) for source in sources)
            missing = taken - of_life - row.thinned
            row.taken += row.thinned + missing
            if self._gone_of_life and missing > 0:
                row.lost = missing
            elif self._under_way and missing > 0:
                row.in_stream += missing
            elif missing:
                row.difference, row.stage, row.unread = missing, "normaliser", self._unread
        self._add_stores(row, devices, outcomes[PASSED])
        return row

    def _add_stores(self, row: BookRow, devices: set[str], passed: int) -> None:
        if not self._stores:
            row.in_stream += passed
        for name, numbers in self._stores.items():
            stored, gone, shed, refused, dropped, coming = (
                sum(counter[device] for device in devices)
                for counter in (
                    numbers.stored, numbers.expired, numbers.shed, numbers.refused, numbers.dropped,
                    numbers.coming,
                )
            )  # fmt: skip
            missing = passed - stored - shed - refused - dropped - coming
            if numbers.behind and missing > 0:
                coming, missing = coming + missing, 0
            if not row.stores:
                row.stored, row.expired = stored - gone, gone + shed
                row.in_stream += coming
                row.quarantined += refused
                row.dropped += dropped
            row.stores[name] = stored - gone
            if missing and not row.difference:
                row.difference, row.stage = missing, f"store {name}"

    def _groups(self) -> list[tuple[set[str], set[str]]]:
        """Sources and devices that belong together: a device may have moved to another address, and a
        source may have been unknown before it was registered."""
        devices_of: dict[str, set[str]] = {source: set() for source in [*self._waiting, *self._in_samples]}
        if self._outbox is not None:
            devices_of |= {source: set() for lane, source in self._outbox.taken if lane == self._lane}
        for _, source, device, _ in self._normalised:
            devices_of.setdefault(source, set()).update({device} - {""})
        groups: list[tuple[set[str], set[str]]] = []
        group_of: dict[str, tuple[set[str], set[str]]] = {}
        for source, devices in devices_of.items():
            group: tuple[set[str], set[str]] = ({source}, devices)
            for device in [*devices]:
                if (other := group_of.get(device)) is not None and other is not group:
                    groups.remove(other)
                    group = (group[0] | other[0], group[1] | other[1])
                    group_of.update(dict.fromkeys(group[1], group))
            group_of.update(dict.fromkeys(group[1], group))
            groups.append(group)
        return groups

    def _mine(self, streamed: Streamed | None) -> dict[int, Counter[str]]:
        return {
            batch.seq: counts
            for batch, counts in (streamed or {}).items()
            if batch.edge == self._edge and batch.lane == self._lane
        }


def _losses(edge: str, lane: Lane, ledger: StageBooks, coming: Iterable[int]) -> list[Loss]:
    """What was lost with a restored core: by the ledger, and by the batches that have yet to come to it."""
    restored = ledger.restored(edge, lane)
    if not restored:
        return []
    known = ledger.done_in(edge, lane).copy()
    for seq in coming:
        known.add(seq)
    found = {one.last: (one, numbers) for one in restored if (numbers := one.lost(known))}
    return [
        Loss(edge, lane, numbers[0], len(numbers), one.backup, one.restored)
        for one, numbers in found.values()
    ]


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _by_device(totals: Mapping[Account, int], wanted: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, _, device, outcome), n in totals.items():
        if outcome == wanted:
            found[device] += n
    return found
