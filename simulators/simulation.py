"""Wires that run together, and stories played on them."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from language import N_
from simulators.casting import Ensemble
from simulators.clock import Clock
from simulators.device import Change, NoSuchPoint, Occur, Release
from simulators.progress import Progress
from simulators.scenario import Scenario
from simulators.timeline import Action, Stage, timeline
from simulators.wires import Wire

Tell = Callable[[Progress], Awaitable[None]]


class Simulation:
    """A set of wires; `run` keeps them alive, `play` lets things happen on them."""

    def __init__(self, wires: Sequence[Wire], ensemble: Ensemble, *, clock: Clock) -> None:
        """`ensemble` are the devices that scenarios may choose from; those not on `wires` are left out."""
        self.wires = wires
        self._clock = clock
        self._wire_of: Mapping[str, Wire] = {device: wire for wire in wires for device in wire.devices}
        here = {name: device for name, device in ensemble.devices.items() if name in self._wire_of}
        self.ensemble = replace(ensemble, devices=here)

    async def run(self) -> None:
        """Keep every wire alive until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for wire in self.wires:
                tasks.create_task(wire.run(), name=f"wire {wire.name}")

    async def ready(self, limit: float) -> list[str]:
        """Wait until all wires can be used, `limit` seconds at most; the names of those that cannot yet."""
        waiting = [asyncio.ensure_future(wire.ready.wait()) for wire in self.wires]
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=limit)
        finally:
            for task in waiting:
                task.cancel()
        return [wire.name for wire in self.wires if not wire.ready.is_set()]

    async def play(
        self,
        scenario: Scenario,
        load: Callable[[str], Scenario],
        *,
        clock: Clock,
        tell: Tell,
        seed: int = 0,
        give_back: bool = True,
    ) -> None:
        """Let `scenario` happen at the pace of `clock`.

        When it is broken off, whoever it touched goes back to the quiet life, unless `give_back` is
        False: for an end of everything, where nobody has anything to say any more.

        Raises `NotPlayable` when devices are missing, and what `tell` raises.
        """
        stage = Stage(self.ensemble, load, random.Random(seed))
        actions = timeline(scenario, stage)
        touched: set[str] = set()
        try:
            # the first is taken at once: a scenario that cannot be played says so before anything happens
            first = next(actions, None)
            for action in itertools.chain([first] if first else [], actions):
                await clock.until(action.at)
                for problem in self._apply(action, clock, touched):
                    await tell(problem)
                if action.progress is not None:
                    await tell(action.progress)
        finally:
            for device in touched if give_back else ():
                self._wire_of[device].apply(device, Release())

    def _apply(self, action: Action, clock: Clock, touched: set[str]) -> Iterator[Progress]:
        change = action.change
        if change is None:
            return
        for device in action.devices:
            wire = self._wire_of.get(device)
            if wire is None:
                values = {"device": device}
                yield Progress(action.at, N_("{device} is not on a simulated wire"), {**values}, "problem")
                continue
            try:
                wire.apply(device, self._in_wire_time(change, clock))
            except NoSuchPoint as error:
                yield Progress(action.at, N_("not possible: {reason}"), {"reason": str(error)}, "problem")
                continue
            if isinstance(change, Release):
                touched.discard(device)
            else:
                touched.add(device)

    def _in_wire_time(self, change: Change, clock: Clock) -> Change:
        """A story faster than the wires' own clock: what lasts must last less."""
        if isinstance(change, Occur) and clock.speed != self._clock.speed:
            return replace(change, seconds=change.seconds / clock.speed * self._clock.speed)
        return change
