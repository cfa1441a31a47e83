"""Clocks that jump while everything runs, as they do when somebody sets them."""

import asyncio
import itertools
from pathlib import Path

from chaos.parts import Unbroken
from chaos.stage import Stage
from chaos.world import Layout

_MOST = 12
_HOURS = 3 * 3600.0


async def jumps(stage: Stage) -> None:
    """The edges' clocks jump forwards and back by up to three hours; after each jump one is killed.

    No recovery is timed: what was taken under a wrong clock is not the newest of its series.
    """
    plan = [
        (stage.dice.between("seconds before", 0.5, 2.0), stage.dice.between("ahead by s", -_HOURS, _HOURS))
        for _ in range(max(4, min(stage.scale.blows, _MOST)))
    ]
    dial = stage.folder / "clock"
    _set(dial, 0.0)
    async with stage.world(Layout(edge_environment=_faked(dial))) as world:
        for name in world.layout.edges:
            await world.load(name, stage.scale.rate)
        for (before, ahead), edge in zip(plan, itertools.cycle(world.layout.edges), strict=False):
            await asyncio.sleep(before)
            stage.tell("the edges' clocks are {ahead:+.0f} s off", ahead=ahead)
            _set(dial, ahead)
            await asyncio.sleep(0.5)
            await world.parts[edge].kill()
            await world.parts[edge].start(wait=False)
        _set(dial, 0.0)
        await asyncio.sleep(2)


def _faked(dial: Path) -> dict[str, str]:
    """The environment of a process whose clock is off by what the file `dial` says; raises `Unbroken`."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        raise Unbroken("no libfaketime is installed (Debian package: faketime)")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(dial),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _set(dial: Path, ahead: float) -> None:
    beside = dial.with_suffix(".new")
    beside.write_text(f"{ahead:+.3f}\n", encoding="ascii")
    beside.replace(dial)
