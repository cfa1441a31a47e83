"""The MQTT broker and what it delivers."""

import asyncio

from chaos.stage import Stage


async def restart(stage: Stage) -> None:
    """The broker is restarted (it saves its queues) while messages lie in them.

    The edge stands still meanwhile, so that the messages are really there: acknowledged to their senders,
    with nobody but the broker to keep them.
    """
    edge = ("binhu-east", "binhu-west")[stage.dice.index("which edge", 2)]
    before = stage.dice.between("seconds before", 0.5, 2.0)
    async with stage.world() as world:
        await asyncio.sleep(before)
        world.parts[edge].freeze()
        load = await world.load(edge, 0, messages=stage.scale.in_flight)
        await load.finished(120)
        stage.tell("restarting the broker")
        await world.parts["mosquitto"].stop()
        await world.parts["mosquitto"].start()
        await stage.mend(world, world.parts[edge].thaw)


async def ten_times(stage: Stage) -> None:
    """Every message is published ten times: as a device does that hears no acknowledgement."""
    async with stage.world() as world:
        for edge in world.layout.edges:
            await world.load(edge, stage.scale.rate, times=10)
        await asyncio.sleep(5)
        await stage.mend(world, lambda: None)
