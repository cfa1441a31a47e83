"""An hour's worth of samples waits at an edge, with a smoke alarm in the middle of it."""

import asyncio
import time

from chaos.fire import Fire
from chaos.site import METER_POINTS
from chaos.stage import Stage


async def backlog(stage: Stage) -> None:
    """The link comes back: the alarm overtakes everything, the backlog drains beside live telemetry."""
    edge, other = ("binhu-east", "binhu-west")
    if stage.dice.index("which edge", 2):
        edge, other = other, edge
    messages = stage.scale.backlog // METER_POINTS + 1
    async with stage.world() as world:
        fire = Fire(world, edge)
        await world.load(other, stage.scale.rate, spare=fire.devices)
        link = world.links[f"bus {edge}"]
        await link.cut()
        for half in range(2):
            stage.tell("{count} samples wait", count=f"{half * stage.scale.backlog // 2:,}")
            load = await world.load(edge, 0, messages=messages // 2 + 1, classes=("meter",))
            await load.finished(900)
            if not half:
                await fire.light()
        await fire.kept(world.outbox(edge))
        waiting = await world.waiting_samples(edge, stage.scale.backlog)
        stage.tell("{count} samples wait; the link comes back", count=f"{waiting:,}")
        began = time.monotonic()
        await stage.mend(world, link.mend)
        figures = stage.outcome.figures
        figures["samples that waited"] = waiting
        figures["smoke to case from the mend, s"] = await fire.is_a_case()
        await stage.recovered()
        figures["backlog drained, samples/s"] = waiting / (time.monotonic() - began)
        await asyncio.sleep(1)
