"""Links that are cut, go silent, are slow or forget their connections."""

import asyncio
from functools import partial

from chaos.fire import Fire
from chaos.site import EDGES
from chaos.stage import Stage
from chaos.world import Layout, World

_LINKS = ("bus binhu-east", "bus binhu-west", "bus core", "mqtt binhu-east", "mqtt binhu-west")

_SPOILT = 0.05
"""Part of the chunks in which a bit turns over, during a blow."""


async def cut(stage: Stage) -> None:
    """Reset every connection of a link and refuse new ones for a while."""
    blows = stage.dice.blows(
        "cut", _LINKS, max(len(_LINKS), stage.scale.blows), after=(0.2, 1.0), lasts=(0.1, 3.0)
    )
    async with stage.world() as world:
        await _loads(stage, world)
        for blow in blows:
            link = world.links[blow.part]
            await stage.blow(world, blow, link.cut, link.mend)


async def slow(stage: Stage) -> None:
    """Links of 300 ms, those of the edges narrow as well: everything arrives in the end."""
    async with stage.world() as world:
        for name, link in world.links.items():
            link.delay = 0.3
            link.rate = 0 if name == "bus core" else 64_000
        await _loads(stage, world)
        await asyncio.sleep(10)
        await stage.mend(world, lambda: None)


async def corrupt(stage: Stage) -> None:
    """Bits turn over on the way, behind the checksums of TCP, as bad network hardware does: TLS notices."""
    blows = stage.dice.blows(
        "turning bits over", _LINKS[:3], max(3, stage.scale.blows // 2), after=(0.2, 1.0), lasts=(0.5, 3.0)
    )
    async with stage.world(Layout(tls=True)) as world:
        await _loads(stage, world)
        for blow in blows:
            link = world.links[blow.part]
            link.chance = stage.dice.chance
            await stage.blow(
                world, blow, partial(setattr, link, "spoil", _SPOILT), partial(setattr, link, "spoil", 0.0)
            )
        spoilt = sum(link.traffic.spoilt for link in world.links.values())
        stage.note(f"{spoilt} bits were turned over")
    if not spoilt:
        stage.fault("no bit was turned over: the scenario proves nothing")


async def cable(stage: Stage) -> None:
    """An edge's only cable is pulled out and put back: for seconds, and for 25 s with a fire in them."""
    edge = EDGES[stage.dice.index("which edge", 2)]
    pulls = [stage.dice.between("seconds without cable", 0.5, 8.0) for _ in range(3)]
    async with stage.world(Layout(tls=True, cables=[edge])) as world:
        fire = Fire(world, edge)
        for name in EDGES:
            await world.load(name, stage.scale.rate, spare=fire.devices)
        for seconds, burns in (*((seconds, False) for seconds in pulls), (25.0, True)):
            await asyncio.sleep(2)
            stage.tell("the cable of {edge} is out for {seconds:.0f} s", edge=edge, seconds=seconds)
            world.cables[edge].pull()
            await asyncio.sleep(seconds / 2)
            if burns:
                await fire.light()
            await asyncio.sleep(seconds / 2)
            await stage.mend(world, world.cables[edge].plug)
            if burns:
                stage.outcome.figures["smoke to case from the mend, s"] = await fire.is_a_case()
            await stage.recovered()


async def silence(stage: Stage) -> None:
    """25 s in which nothing passes and nobody is told."""
    await _silence(stage, 25.0)


async def long_silence(stage: Stage) -> None:
    """Longer than every keep-alive: each side has given the other up when it is over."""
    await _silence(stage, stage.scale.silence)


async def _silence(stage: Stage, seconds: float) -> None:
    name = _LINKS[stage.dice.index(f"which of {', '.join(_LINKS[:3])}", 3)]
    before = stage.dice.between("seconds before", 1.0, 3.0)
    async with stage.world() as world:
        await _loads(stage, world)
        await asyncio.sleep(before)
        stage.tell("{link} is silent for {seconds:g} s", link=name, seconds=seconds)
        world.links[name].silence()
        await asyncio.sleep(seconds)
        await stage.mend(world, world.links[name].mend)
        await asyncio.sleep(2)


async def forgotten(stage: Stage) -> None:
    """Connections that nobody ends and nothing comes through any more."""
    before = stage.dice.between("seconds before", 1.0, 3.0)
    async with stage.world() as world:
        await _loads(stage, world)
        await asyncio.sleep(before)
        for link in world.links.values():
            await stage.mend(world, link.forget)
        await asyncio.sleep(5)


async def restart_in_cut(stage: Stage) -> None:
    """The link is cut; while it is, the edge and the bus are restarted."""
    edge = world_edge = ("binhu-east", "binhu-west")[stage.dice.index("which edge", 2)]
    gaps = [stage.dice.between("seconds", 0.3, 1.5) for _ in range(4)]
    async with stage.world() as world:
        await _loads(stage, world)
        await asyncio.sleep(gaps[0])
        link = world.links[f"bus {edge}"]
        await link.cut()
        await asyncio.sleep(gaps[1])
        await world.parts[edge].kill()
        await world.parts["nats"].kill()
        await asyncio.sleep(gaps[2])
        await world.parts["nats"].start()
        await world.parts[world_edge].start(wait=False)
        await asyncio.sleep(gaps[3])
        await stage.mend(world, link.mend)
        await asyncio.sleep(1)


async def _loads(stage: Stage, world: World) -> None:
    for name in world.layout.edges:
        await world.load(name, stage.scale.rate)
