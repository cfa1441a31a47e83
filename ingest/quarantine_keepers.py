"""Who keeps a quarantine, and how each kind of entry is tried again.

The normaliser's entries are samples: they are normalised anew and go the way of all readings. A store's
entries are points that it refused: they are written to that store again (`ingest.stores.influx`).
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from ingest.books import Books
from ingest.bus import Bus
from ingest.clocks import ClockLimits
from ingest.ledger import Ledger, Outgoing
from ingest.patience import Gate, Pause
from ingest.progress import Progress
from ingest.quarantine import QuarantineRow
from ingest.quarantine_acts import Act, Outcome
from ingest.retry import Trial
from readings import Lane
from readings.numbers import LIFE_BITS, LIVES_BITS, ledger_base_of
from readings.subjects import message_id, readings_subject
from registry.site import Site

NORMALISER: Final = "normaliser"
_SLICE: Final = 0.004
"""Seconds of computing after which the event loop gets a turn."""

_Result = TypeVar("_Result")


class Keeper(Protocol):
    """A stage with a quarantine in its own file."""

    name: str
    path: Path

    async def in_books(self, work: Callable[[Books], _Result]) -> _Result:
        """Run `work` on the books in a transaction; raises `StoreUnavailable` and what `work` raises."""

    async def recover(self) -> None:
        """Bring to its end what a process before this one has committed; raises `StoreUnavailable`."""

    async def retry(self, rows: Sequence[QuarantineRow], act: Act, so_far: Outcome) -> Outcome:
        """Try rows again and commit what becomes of them together with how far the act is then.

        Raises `StoreUnavailable` and `ingest.books.EntriesGone`: then the rows are as they were.
        """


class LedgerKeeper:
    """The normaliser's quarantine."""

    name = NORMALISER

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        site: Callable[[], Site],
        *,
        clock: Callable[[], int] = time.time_ns,
        limits: ClockLimits | None = None,
        gates: Mapping[Lane, Gate] | None = None,
    ) -> None:
        """`site` gives the registry as it is now; `gates` stop a lane while there is no room on our disk."""
        self.path = ledger.path
        self._bus = bus
        self._ledger = ledger
        self._site = site
        self._clock = clock
        self._limits = limits
        self._gates = gates or {}
        self._trial: tuple[str, Trial] | None = None
        """The act that is under way, and what it remembers."""
        self._base = ledger_base_of(secrets.randbits(LIVES_BITS + LIFE_BITS - 1))
        self._numbers: dict[tuple[str, Lane], int] = {}

    async def in_books(self, work: Callable[[Books], _Result]) -> _Result:
        """See `Keeper`."""
        books = self._ledger.books

        def commit() -> _Result:
            with books.transaction():
                return work(books)

        return await self._ledger.perform(commit)

    async def retry(self, rows: Sequence[QuarantineRow], act: Act, so_far: Outcome) -> Outcome:
        """See `Keeper`. Returns when the stream has the readings."""
        if (gate := self._gates.get(rows[0].entry.lane)) is not None:
            await gate.passed(Progress())
        if self._trial is None or self._trial[0] != act.id:
            self._trial = (act.id, self._new_trial())
        trial = self._trial[1]
        until = time.perf_counter() + _SLICE
        for row in rows:
            trial.add(row)
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + _SLICE
        tried = trial.take()
        outcome = so_far.advanced(
            tried.rows, passed=tried.passed, duplicates=tried.duplicates, refused=tried.refused
        )
        now = self._clock()
        self._trial = None  # after a failure its memory would be ahead of what is committed
        outgoing = await self._ledger.perform(lambda: self._ledger.settle(tried, act, outcome, now))
        self._trial = (act.id, trial)
        await self._send(outgoing)
        return outcome

    async def recover(self) -> None:
        """Send what a process before this one had committed and perhaps not sent."""
        await self._send(await self._ledger.perform(self._ledger.outgoing))

    async def _send(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish however long it takes, then forget."""
        for lane in Lane:
            waiting = [(message_id(*one.batch), one.payload) for one in outgoing if one.batch.lane is lane]
            pause = Pause()
            while waiting:
                results = await self._bus.publish_in_order(readings_subject(lane), waiting)
                waiting = [
                    message for message, result in zip(waiting, results, strict=True) if result is not None
                ]
                trouble = next((result for result in results if result is not None), None)
                if trouble is not None:
                    await pause.wait("publishing readings from quarantine", trouble)
        if outgoing:
            upto = outgoing[-1].id
            await self._ledger.perform(lambda: self._ledger.sent(upto))

    def _new_trial(self) -> Trial:
        ledger = self._ledger
        return Trial(self._site(), ledger.marks, ledger.is_done, self._number, self._clock(), self._limits)

    def _number(self, edge: str, lane: Lane) -> int:
        """The next number of this process: no other, before or after it, draws the same life.

        A ledger that is put back from a backup therefore never uses a number again that stores have done.
        """
        number = self._numbers[edge, lane] = self._numbers.get((edge, lane), self._base) + 1
        return number
