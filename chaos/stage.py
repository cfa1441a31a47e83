"""What a scenario is given: its dice, an installation, and the way to its verdict."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import nats.errors

from chaos.comparison import COUNTS
from chaos.dice import Blow, Dice
from chaos.evidence import Evidence, gather
from chaos.installation import installation
from chaos.journal import Mark
from chaos.outcome import Outcome
from chaos.parts import Unbroken
from chaos.world import Layout, World
from ingest.database import StoreUnavailable
from language import Message

Progress = Callable[[Message], None]
"""Is told what is being done just now."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How long and how often. The suite takes `QUICK`, ``gridwarden chaos`` `FULL`."""

    name: str
    blows: int
    """Kills of each kind."""
    rate: float
    """Messages a second and edge while something is broken."""
    silence: float
    """Seconds of the long silence."""
    in_flight: int
    """Messages that wait while the broker is restarted."""
    backlog: int
    """Samples that wait when the link comes back."""
    soak: float
    """Seconds of steady load."""
    patience: float
    """Seconds after a mend until what was acknowledged is stored, and at the end until all is at rest."""


QUICK: Final = Scale(
    "quick", blows=3, rate=150, silence=25, in_flight=10_000, backlog=100_000, soak=60, patience=60
)
FULL: Final = Scale(
    "full", blows=50, rate=150, silence=600, in_flight=10_000, backlog=1_000_000, soak=1800, patience=300
)


@dataclass
class Stage:
    """One run of one scenario."""

    folder: Path
    dice: Dice
    scale: Scale
    outcome: Outcome
    progress: Progress
    _waiting: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def world(
        self, layout: Layout | None = None, homes: Mapping[str, Path] | None = None
    ) -> AsyncIterator[World]:
        """An installation; when the block ends it is brought to rest and judged."""
        self.outcome.plan = self.dice.plan
        self.tell("starting an installation")
        async with installation(self.folder, layout, homes) as world:
            yield world
            await self._judge(world)

    async def blow(
        self, world: World, blow: Blow, strike: Callable[[], object], mend: Callable[[], object]
    ) -> None:
        """Wait, strike, wait, mend; from the mend on the recovery is timed."""
        await asyncio.sleep(blow.after)
        self.tell("{what}: {part}", what=blow.what, part=blow.part)
        await _do(strike)
        await asyncio.sleep(blow.lasts)
        await self.mend(world, mend)

    async def mend(self, world: World, mend: Callable[[], object]) -> None:
        """Mend something, and time how long it takes until what was acknowledged before is stored."""
        marks, began = await asyncio.to_thread(world.marks), time.monotonic()
        await _do(mend)
        self._waiting.append(asyncio.create_task(self._recover(world, marks, began), name="recovery"))

    async def recovered(self) -> None:
        """Wait until everything that was acknowledged before the last mend is stored."""
        await asyncio.gather(*self._waiting)
        self._waiting.clear()

    def tell(self, template: str, **values: object) -> None:
        """Say what is being done just now."""
        self.progress(Message(template, values))

    def fault(self, sentence: str) -> None:
        """Something that must not be."""
        self.outcome.faults.append(sentence)

    def note(self, sentence: str) -> None:
        """Something worth knowing."""
        self.outcome.notes.append(sentence)

    async def _recover(self, world: World, marks: Sequence[Mark], began: float) -> None:
        while not await asyncio.to_thread(world.stored, marks):
            if time.monotonic() - began > self.scale.patience:
                self.fault(
                    f"what was acknowledged before a mend is not stored {self.scale.patience:g} s after it"
                )
                return
            await asyncio.sleep(0.05)
        took = time.monotonic() - began
        self.outcome.recovery = max(took, self.outcome.recovery or 0.0)

    async def _judge(self, world: World) -> None:
        self.tell("waiting for rest")
        for part in world.lasting():
            if part.notice_fall():
                await part.start(wait=False)  # the rest of the verdict is worth having
            self.outcome.faults += part.falls
        await world.end_loads()
        await self.recovered()
        try:
            await world.quiet(self.scale.patience)
        except Unbroken as error:
            self.fault(str(error))
        self.tell("comparing")
        try:
            found = await gather(world)
        except (StoreUnavailable, nats.errors.Error, httpx.HTTPError, TimeoutError) as error:
            self.fault(f"what is stored cannot be compared: {error}")
            return
        self._record(found)

    def _record(self, found: Evidence) -> None:
        outcome, values = self.outcome, found.values
        for name in COUNTS:
            setattr(outcome, name, getattr(values, name))
        outcome.duplicates = found.duplicates
        if not values.clean:
            self.fault(f"{values.lost} values lost, {values.twice} twice, {values.invented} that nobody said")
            outcome.faults += values.examples
        if not values.sent:
            self.fault("nothing was sent: the scenario proves nothing")
        if not found.books.balanced:
            self.fault(f"the books do not balance: {found.books.first_difference}")
        outcome.faults += found.unruled + found.misjudged


async def _do(action: Callable[[], object]) -> None:
    done = action()
    if asyncio.iscoroutine(done):
        await done
