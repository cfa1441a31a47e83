"""Processes that are killed with SIGKILL, at moments nobody could choose worse."""

import asyncio
from collections.abc import Sequence

from chaos.dice import Blow
from chaos.stage import Stage
from chaos.world import CORE, World

_AFTER = (0.3, 2.0)
_LASTS = (0.05, 1.0)


async def calm(stage: Stage) -> None:
    """Nothing is broken."""
    async with stage.world() as world:
        await _loads(stage, world)
        await asyncio.sleep(5)
        await stage.mend(world, lambda: None)


async def edge(stage: Stage) -> None:
    """Edge agents: what they acknowledged is in their outbox, or was sent."""
    layout_edges = ("binhu-east", "binhu-west")
    await _kill(stage, layout_edges)


async def bus(stage: Stage) -> None:
    """The message bus: what it acknowledged is on its disk."""
    await _kill(stage, ("nats",))


async def core(stage: Stage) -> None:
    """The core's processes: state and position commit together."""
    await _kill(stage, CORE)


async def sender(stage: Stage) -> None:
    """The devices' side: it says again what it did not hear about."""
    await _kill(stage, ("sender binhu-east 0", "sender binhu-west 1"))


async def everything(stage: Stage) -> None:
    """Any process, up to three of them dead at the same time."""
    parts = ("binhu-east", "binhu-west", "nats", *CORE, "sender binhu-east 0", "sender binhu-west 1")
    lanes = [
        stage.dice.blows("kill", parts[n::3], stage.scale.blows, after=_AFTER, lasts=_LASTS) for n in range(3)
    ]
    async with stage.world() as world:
        await _loads(stage, world)
        async with asyncio.TaskGroup() as tasks:
            for blows in lanes:
                tasks.create_task(_strike(stage, world, blows))


async def _kill(stage: Stage, parts: Sequence[str]) -> None:
    blows = stage.dice.blows("kill", parts, stage.scale.blows, after=_AFTER, lasts=_LASTS)
    async with stage.world() as world:
        await _loads(stage, world)
        await _strike(stage, world, blows)


async def _strike(stage: Stage, world: World, blows: Sequence[Blow]) -> None:
    for blow in blows:
        part = world.parts[blow.part]
        # it need not be ready when the next blow falls: a process that dies while it starts is a case too
        await stage.blow(world, blow, part.kill, lambda part=part: part.start(wait=False))  # type: ignore[misc]


async def _loads(stage: Stage, world: World) -> None:
    for name in world.layout.edges:
        await world.load(name, stage.scale.rate)
