"""Resident memory of every process, after the whole path and the edge agent have been under full load."""

from typing import Final

from bench.counting import StoredAndRuled
from bench.figures import Conditions, Figure, Goal
from bench.installation import installation
from bench.mqtt import MessageSender
from bench.path import Sender

GOALS: Final = {"edge agent": Goal(60, "at most"), "gateway": Goal(250, "at most")}


async def measure(conditions: Conditions) -> list[Figure]:
    """MB (10**6 bytes) of each process, and the most it ever had."""
    async with installation(conditions, broker=True) as place:
        conditions.tell("starting ingest, gateway and edge agent")
        await place.start_core()
        await place.start_edge(conditions.edge)
        counter = StoredAndRuled(place.folder / "gateway", without=conditions.edge)
        sender = MessageSender(place, conditions.edge)
        try:
            conditions.tell("single messages, as many as it takes")
            await sender.send(0, conditions.seconds, 0)
            conditions.tell("batches, as many as it takes")
            # the other edge sends: the numbers of the running one's batches are its own
            await Sender(place, counter, without=conditions.edge).send(0, conditions.seconds, 0)
        finally:
            counter.close()
            sender.close()
        figures = []
        for name in place.processes:
            if name.startswith("load"):
                continue
            now, peak = place.resident(name)
            figures.append(
                Figure("memory", f"{name}, resident", now, "MB", GOALS.get(name), f"at most {peak:.0f} MB")
            )
    return figures
