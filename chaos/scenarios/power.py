"""The power fails: every process ends at once, and files end with half of what was being written.

What a disk has confirmed (`fsync`) it keeps; the write under way may be there in part. That is what is done
here, to every SQLite log and every stream, by hand: a kill -9 alone leaves the operating system to finish.
"""

import asyncio

from chaos.files import tear, tear_stream
from chaos.stage import Stage
from chaos.world import World

_MOST = 10
"""Cuts at most: each is a start of everything."""


async def power(stage: Stage) -> None:
    """Power cuts at random moments, of edges, bus and core at once."""
    parts = ("nats", "ingest", "gateway", "binhu-east", "binhu-west")
    cuts = [
        (stage.dice.between("seconds before", 0.5, 4.0), stage.dice.between("seconds dark", 0.1, 1.0))
        for _ in range(min(stage.scale.blows, _MOST))
    ]
    async with stage.world() as world:
        for name in world.layout.edges:
            await world.load(name, stage.scale.rate)
        torn = 0
        for before, dark in cuts:
            await asyncio.sleep(before)
            stage.tell("the power fails")
            # all at one moment: nobody sees anybody else go
            for part in parts:
                world.parts[part].freeze()
            for part in parts:
                await world.parts[part].kill()
            torn += await asyncio.to_thread(_tear, stage, world)
            await asyncio.sleep(dark)

            async def on() -> None:
                for part in parts:
                    await world.parts[part].start(wait=False)

            await stage.mend(world, on)
            await stage.recovered()
        stage.note(f"{torn} files were torn in {len(cuts)} power cuts")


def _tear(stage: Stage, world: World) -> int:
    chance, torn = stage.dice.chance, 0
    for folder in (world.core_data, world.edge_data):
        for log in sorted(folder.rglob("*-wal")):
            torn += tear(log, chance) > 0
    blocks: dict[str, list[str]] = {}
    for block in world.bus_data.rglob("*.blk"):
        blocks.setdefault(str(block.parent), []).append(block.name)
    for folder_name, names in sorted(blocks.items()):
        last = max(names, key=lambda name: int(name.partition(".")[0]))
        torn += tear_stream(world.bus_data / folder_name / last, chance) > 0
    return torn
