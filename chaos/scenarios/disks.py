"""Disks that are full, files that are spoilt, and a fire meanwhile."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chaos.files import spoil
from chaos.fire import Fire
from chaos.outcome import Outcome
from chaos.site import EDGES
from chaos.small_disk import MEGABYTE, SmallDisk, small_disk
from chaos.stage import Stage
from chaos.world import Layout, World
from ingest.nats_server import ROOM_BYTES
from supervision.ending import end

_SPOILT = 3
"""Pages of an outbox that are written over."""
_MUCH, _LONG = 100.0, 150.0
"""Messages of 24 values a second and seconds: more than an outbox of 4 MB holds, over some whole minutes."""
_SMALL_RESERVE = Layout(lines=False, edge_options=("--disk-reserve", str(4 * MEGABYTE), "--disk-spare", "0"))
"""Edges whose reserve fits a small disk, and that use the disk to its end."""
_ILL = 3.0
"""Seconds after which a bus that says that it is ill is started again."""


async def full_core(stage: Stage) -> None:
    """The core's disk is nearly full, then full to the last byte: telemetry waits, a fire does not."""
    async with _nearly_full_core(stage) as (_, disk, fires):
        await _burn(stage.outcome, fires[0], "nearly full: smoke to case, s")
        disk.fill()
        await _burn(stage.outcome, fires[1], "full: smoke to case, s")


async def ill_bus(stage: Stage) -> None:
    """The disk fills faster than anybody can make room: the bus meets it, falls ill and is started again."""
    async with _nearly_full_core(stage) as (world, disk, fires):
        await asyncio.sleep(1)
        world.parts["ingest"].freeze()  # it is the one that makes room
        disk.fill()
        await fires[0].light()
        await asyncio.sleep(3)
        world.parts["ingest"].thaw()
        stage.outcome.figures["ill: smoke to case, s"] = await fires[0].is_a_case()
        await _burn(stage.outcome, fires[1], "full: smoke to case, s")
    if not stage.outcome.notes:
        stage.fault("the bus did not fall ill: the scenario proves nothing")


@asynccontextmanager
async def _nearly_full_core(stage: Stage) -> AsyncIterator[tuple[World, SmallDisk, list[Fire]]]:
    """A loaded installation whose core has a disk with 10 MB left; afterwards there is room again."""
    before = stage.dice.between("seconds before", 1.0, 3.0)
    with small_disk(stage.folder / "disk", 200 * MEGABYTE) as disk:
        homes = {"core": disk.folder / "core", "bus": disk.folder / "nats"}
        async with stage.world(homes=homes) as world, _service_manager(stage, world, disk):
            fires = [Fire(world, edge) for edge in EDGES]
            await _loads(stage, world, fires)
            await asyncio.sleep(before)
            stage.tell("filling the core's disk")
            disk.fill(leave=10 * MEGABYTE)
            yield world, disk, fires
            await asyncio.sleep(3)
            await stage.mend(world, disk.clear)
            await asyncio.sleep(2 * _ILL)  # time to be started again, should it be ill


async def full_edge(stage: Stage) -> None:
    """An edge without link and without disk, killed while a fire is in its outbox."""
    edge = EDGES[stage.dice.index("which edge", 2)]
    before = stage.dice.between("seconds before", 1.0, 3.0)
    with small_disk(stage.folder / "disk", 64 * MEGABYTE) as disk:
        async with stage.world(_SMALL_RESERVE, {"edges": disk.folder / "edges"}) as world:
            fire = Fire(world, edge)
            await _loads(stage, world, [fire])
            await asyncio.sleep(before)
            stage.tell("cutting the link of {edge} and filling the edges' disk", edge=edge)
            await world.links[f"bus {edge}"].cut()
            disk.fill()
            await asyncio.sleep(3)
            await fire.light()
            await fire.kept(world.outbox(edge))
            await world.parts[edge].kill()
            disk.fill()
            await world.parts[edge].start(wait=False)
            await stage.mend(world, world.links[f"bus {edge}"].mend)
            stage.outcome.figures["link back, disk still full: smoke to case, s"] = await fire.is_a_case()
            await stage.mend(world, disk.clear)
            await asyncio.sleep(3)


async def greedy(stage: Stage) -> None:
    """Another program takes every byte that gets free on the edges' disk: all goes straight to the core."""
    before = stage.dice.between("seconds before", 1.0, 3.0)
    with small_disk(stage.folder / "disk", 64 * MEGABYTE) as disk:
        async with stage.world(_SMALL_RESERVE, {"edges": disk.folder / "edges"}) as world:
            fire = Fire(world, EDGES[0])
            await _loads(stage, world, [fire])
            await asyncio.sleep(before)
            stage.tell("filling the edges' disk, for ever")
            disk.keep_filling()
            await asyncio.sleep(3)
            await _burn(stage.outcome, fire, "no disk at all: smoke to case, s")
            await asyncio.sleep(3)
            await stage.mend(world, disk.clear)
            await asyncio.sleep(3)


async def thinned(stage: Stage) -> None:
    """An outbox that is too small for the outage: telemetry is thinned and counted, the fire is kept."""
    edge = EDGES[stage.dice.index("which edge", 2)]
    async with stage.world(Layout(lines=False, edge_options=("--outbox-limit", str(4 * MEGABYTE)))) as world:
        fire = Fire(world, edge)
        await world.links[f"bus {edge}"].cut()
        await fire.light()
        await world.load(edge, _MUCH, classes=("meter",))
        stage.tell("{seconds:g} s without a link", seconds=_LONG)
        await asyncio.sleep(_LONG)
        await stage.mend(world, world.links[f"bus {edge}"].mend)
        stage.outcome.figures["smoke to case from the mend, s"] = await fire.is_a_case()
    if not stage.outcome.thinned:
        stage.fault("nothing was thinned: the scenario proves nothing")


async def spoilt(stage: Stage) -> None:
    """Pages in the middle of an outbox full of what waits are written over while the edge is down."""
    edge = EDGES[stage.dice.index("which edge", 2)]
    async with stage.world() as world:
        fire = Fire(world, edge)
        await world.links[f"bus {edge}"].cut()
        load = await world.load(edge, 0, messages=3_000, spare=fire.devices)
        await load.finished(120)
        await fire.light()
        await fire.kept(world.outbox(edge))
        await world.parts[edge].kill()
        for page in await asyncio.to_thread(spoil, world.outbox(edge), _SPOILT, stage.dice.chance):
            stage.note(f"page {page} of the outbox was written over")
        await world.parts[edge].start(wait=False)
        await stage.mend(world, world.links[f"bus {edge}"].mend)
        await fire.is_a_case()
    if not stage.outcome.reported:
        stage.fault("the edge reported no loss: the spoilt pages held nothing, or it has not noticed")


@asynccontextmanager
async def _service_manager(stage: Stage, world: World, disk: SmallDisk) -> AsyncIterator[None]:
    """Meanwhile start the bus again when it says that it is ill and its disk has room for it.

    A stream that met a full disk fails until then (docs/decisions/0011); the units in ``deploy/`` and
    ``gridwarden up`` do the same.
    """

    async def mind() -> None:
        bus = world.parts["nats"]
        ill_since = math.inf
        while True:
            await asyncio.sleep(0.5)
            if await bus.ready(bus) or disk.free < ROOM_BYTES:
                ill_since = math.inf
                continue
            ill_since = min(ill_since, time.monotonic())
            if time.monotonic() - ill_since >= _ILL:
                stage.note("the bus fell ill of the full disk and was started again")
                await bus.stop()
                await bus.start()
                ill_since = math.inf

    minding = asyncio.create_task(mind())
    try:
        yield
    finally:
        await end([minding])
        if not minding.cancelled():
            minding.result()


async def _loads(stage: Stage, world: World, fires: list[Fire]) -> None:
    spare = {device for fire in fires for device in fire.devices}
    for name in world.layout.edges:
        # no other detector: what they say, at this rate, would fill the room that is kept for alarms
        await world.load(name, stage.scale.rate, spare=spare, classes=("environment", "meter"))


async def _burn(outcome: Outcome, fire: Fire, figure: str) -> None:
    await fire.light()
    outcome.figures[figure] = await fire.is_a_case()
