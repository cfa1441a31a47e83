"""Retries and drops, one act after the other, in steps that leave room for what is live.

Who asks gets the act at once and can follow it in the files (`ingest.quarantine_report`): every step commits
its effects, the books and the progress together. An act ends early when a store cannot be used, or with the
process; what it had done stays done, the rest is in quarantine as before. It is not taken up again by itself:
an act that ends a process must not end the next one too.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import msgspec
import structlog
from msgspec.structs import replace

from ingest import quarantine_acts, quarantine_table
from ingest.books import Books, EntriesGone
from ingest.clocks import DAY
from ingest.database import StoreUnavailable, reading
from ingest.patience import until_done
from ingest.progress import Progress
from ingest.quarantine import QuarantineRow, Selection
from ingest.quarantine_acts import Act, ActKind, Outcome
from ingest.quarantine_keepers import Keeper
from ingest.status import CommandRefused
from readings import Lane

log = structlog.get_logger(__name__)

_STEP_ROWS: Final = 1_000
_STEP_BYTES: Final = 512 * 1024
"""Raw bytes of a step: with them go its memory and how long a commit takes."""
_WAITING_ACTS: Final = 20
_TIDY_EVERY: Final = 5.0
_TIDY_SHARE: Final = 20
"""Between two looks at the limits passes at least so many times what a look takes."""


@dataclass(frozen=True)
class QuarantineLimits:
    """What each stage keeps in quarantine; what is older or more is dropped, oldest first, and recorded."""

    keep_for: int = 90 * DAY
    keep_bytes: int = 256 * 1024**2
    """Raw bytes."""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the process that owns the quarantine is asked for, as a command on the bus."""

    kind: Literal["retry", "drop"]
    selection: Selection
    actor: str
    note: str = ""


COMMAND: Final = "quarantine"
"""The command's name; its answer is ``{"act": id}``."""


class TooBusy(Exception):
    """So many acts are waiting that no more are taken. Ask again later."""


class QuarantineService:
    """Carries out acts on the quarantine of all stages."""

    def __init__(
        self,
        keepers: Sequence[Keeper],
        *,
        limits: QuarantineLimits | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._keepers = keepers
        self._limits = limits or QuarantineLimits()
        self._clock = clock
        self._asked: asyncio.Queue[Act] = asyncio.Queue(_WAITING_ACTS)
        self._last_id = 0

    async def begin(self, kind: ActKind, selection: Selection, actor: str, note: str) -> Act:
        """Have something done; the act as it will be found in the files, waiting for its turn.

        It is about what is in quarantine now, not about what comes while it waits. Raises `TooBusy` and
        `StoreUnavailable`.
        """
        if self._asked.full():
            raise TooBusy(f"{_WAITING_ACTS} acts are waiting")
        act = self._new_act(kind, selection, actor, note)
        for keeper in self._keepers:
            await keeper.in_books(partial(_open, keeper, act, first=keeper is self._keepers[0]))
        self._asked.put_nowait(act)
        return act

    async def command(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """An `Order` that came over the bus; raises `ingest.status.CommandRefused`."""
        try:
            order = msgspec.convert(arguments, Order)
            act = await self.begin(order.kind, order.selection, order.actor, order.note)
        except (msgspec.ValidationError, TooBusy, StoreUnavailable) as error:
            raise CommandRefused(str(error)) from error
        return {"act": act.id}

    async def run(self) -> None:
        """Work until cancelled."""
        for keeper in self._keepers:
            await until_done(keeper.recover, Progress(), "bringing retries to their end")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._work(), name="quarantine acts")
            tasks.create_task(self._tidy(), name="quarantine limits")

    async def _work(self) -> None:
        while True:
            act = await self._asked.get()
            for keeper in self._keepers:
                await self._carry_out(act, keeper)

    async def _carry_out(self, act: Act, keeper: Keeper) -> None:
        """One act at one keeper; whatever stops it is noted."""
        outcome = Outcome()
        try:
            opened = await asyncio.to_thread(_opened, keeper, act)
            if opened is None:
                return
            outcome = replace(opened, state="running")
            for lane in Lane:  # alarms first
                outcome = await self._step_through(act, keeper, lane, outcome)
            outcome = replace(outcome, state="done", ended=self._clock())
        except StoreUnavailable as error:
            log.warning("act on the quarantine stopped", act=act.id, kind=act.kind, error=str(error))
            outcome = replace(outcome, state="stopped", ended=self._clock(), problem=str(error))
        try:
            await keeper.in_books(partial(Books.write_act, act=act, outcome=outcome))
        except StoreUnavailable as error:
            log.warning("end of an act not noted", act=act.id, error=str(error))

    async def _step_through(self, act: Act, keeper: Keeper, lane: Lane, outcome: Outcome) -> Outcome:
        retry = act.kind == "retry"
        step = keeper.retry if retry else partial(_drop, keeper)
        after = 0
        while True:
            begun = time.perf_counter()
            rows = await asyncio.to_thread(
                _read, keeper, act.selection, after=after, upto=outcome.upto, lane=lane, hopeless=not retry
            )
            if not rows:
                return outcome
            try:
                outcome = await step(rows, act, outcome)
            except EntriesGone:
                continue  # somebody was faster: look again
            after = rows[-1].id
            await asyncio.sleep(time.perf_counter() - begun)  # at most half of the time is ours

    async def _tidy(self) -> None:
        while True:
            begun = time.perf_counter()
            for keeper in self._keepers:
                try:
                    await self._expire(keeper)
                except StoreUnavailable as error:
                    log.warning("quarantine not tidied", keeper=keeper.name, error=str(error))
            await asyncio.sleep(max(_TIDY_EVERY, _TIDY_SHARE * (time.perf_counter() - begun)))

    async def _expire(self, keeper: Keeper) -> None:
        """Drop what is too old or too much; then an eighth more, or every look would find a little."""
        limits = self._limits
        act: Act | None = None
        outcome = Outcome(state="running")
        while rows := await asyncio.to_thread(_expired, keeper, limits, self._clock()):
            limits = QuarantineLimits(limits.keep_for, self._limits.keep_bytes * 7 // 8)
            act = act or self._new_act("expire", Selection(stage=keeper.name), "", "")
            try:
                outcome = await _drop(keeper, rows, act, outcome)
            except EntriesGone:
                continue
        if act is not None:
            log.warning("quarantine over its limits", keeper=keeper.name, entries=outcome.done)
            ended = replace(outcome, state="done", entries=outcome.done, ended=self._clock())
            await keeper.in_books(partial(Books.write_act, act=act, outcome=ended))

    def _new_act(self, kind: ActKind, selection: Selection, actor: str, note: str) -> Act:
        now = self._clock()
        self._last_id = max(self._last_id + 1, now)
        return Act(f"{self._last_id:016x}", kind, now, actor, note, selection)


def _open(keeper: Keeper, act: Act, books: Books, *, first: bool) -> None:
    """Note the act where it has something to do; at the first keeper in any case."""
    every = books.selected(keeper.name, act.selection)
    if not every.entries and not first:
        return
    outcome = Outcome(entries=every.entries, upto=every.last)
    if act.kind == "retry":
        tried = books.selected(keeper.name, act.selection, hopeless=False)
        outcome = replace(outcome, entries=tried.entries, left=every.entries - tried.entries)
    books.write_act(act, outcome)


async def _drop(keeper: Keeper, rows: Sequence[QuarantineRow], act: Act, so_far: Outcome) -> Outcome:
    def commit(books: Books) -> Outcome:
        outcome = so_far.advanced(len(rows), dropped=books.drop(rows))
        books.write_act(act, outcome)
        return outcome

    return await keeper.in_books(commit)


def _opened(keeper: Keeper, act: Act) -> Outcome | None:
    with reading(keeper.path) as connection:
        return next((outcome for _, outcome in quarantine_acts.read(connection, one=act.id)), None)


def _read(keeper: Keeper, selection: Selection, **limits: Any) -> list[QuarantineRow]:
    with reading(keeper.path) as connection:
        return quarantine_table.read(
            connection, keeper.name, selection, limit=_STEP_ROWS, max_bytes=_STEP_BYTES, **limits
        )


def _expired(keeper: Keeper, limits: QuarantineLimits, now: int) -> list[QuarantineRow]:
    with reading(keeper.path) as connection:
        return quarantine_table.expired(
            connection,
            before=now - limits.keep_for,
            max_bytes=limits.keep_bytes,
            limit=_STEP_ROWS,
            at_once=_STEP_BYTES,
        )
