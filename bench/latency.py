"""From the wire to the case: a smoke detector's message on the broker until the case is on the live feed.

Each detector hangs in a building of its own, so each message opens a case (cases merge by building). One
after the other, with pauses that keep no step with any timer of ours.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiomqtt
import httpx

from bench.community import buildings
from bench.counting import StoredAndRuled
from bench.figures import CannotMeasure, Conditions, Figure, Goal
from bench.installation import Installation, Load, installation
from bench.path import Sender

IDLE: Final = Goal(150, "at most")
LOADED: Final = Goal(300, "at most")
LOAD: Final = 20_000
"""Readings a second beside it."""
CASES: Final = 200
PAUSE: Final = (0.02, 0.12)
"""Seconds between a case and the next message, at random."""
LIMIT: Final = 20.0
SETTLE: Final = 3.0
"""Seconds of load before the first message."""


async def idle(conditions: Conditions) -> list[Figure]:
    """p50 and p99 with nothing else going on."""
    async with _ready(conditions) as place:
        latencies = await _fires(conditions, place, None)
    return _figures("latency-idle", latencies, IDLE, "")


async def loaded(conditions: Conditions) -> list[Figure]:
    """p50 and p99 beside telemetry of 20,000 readings a second."""
    async with _ready(conditions) as place:
        counter = StoredAndRuled(place.folder / "gateway", without=conditions.edge)
        try:
            sender = Sender(place, counter, without=conditions.edge)
            load = await sender.start(LOAD, SETTLE + wanted_cases(conditions) * 2.0)
            await asyncio.sleep(SETTLE)
            before, began = min(counter()), time.monotonic()
            latencies = await _fires(conditions, place, load)
            passed = (min(counter()) - before) * 100 / (time.monotonic() - began)
        finally:
            counter.close()
    return _figures(
        "latency-loaded", latencies, LOADED, f"{passed:,.0f} readings/s stored and ruled beside it"
    )


def wanted_cases(conditions: Conditions) -> int:
    """How many cases to time: 200, fewer when hardly any time is given."""
    return min(CASES, max(20, int(conditions.seconds * 20)))


@asynccontextmanager
async def _ready(conditions: Conditions) -> AsyncIterator[Installation]:
    async with installation(conditions, broker=True) as place:
        conditions.tell("starting ingest, gateway and edge agent")
        await place.start_core()
        await place.start_edge(conditions.edge)
        yield place


async def _fires(conditions: Conditions, place: Installation, load: Load | None) -> list[float]:
    """Milliseconds from publishing to the case, one for each building."""
    count = wanted_cases(conditions)
    targets = buildings(place.site, conditions.edge)[:count]
    base = place.site.edges[conditions.edge].connections[0].settings["topic"]
    broker = urlsplit(place.broker)
    chance = random.Random(count)
    arrived: dict[str, float] = {}
    news = asyncio.Event()
    latencies = []
    async with asyncio.TaskGroup() as tasks:
        listening = asyncio.Event()
        feed = tasks.create_task(_listen(place.address, arrived, news, listening), name="live feed")
        await asyncio.wait_for(listening.wait(), LIMIT)
        async with aiomqtt.Client(broker.hostname or "", broker.port or 1883) as client:
            for number, (building, address) in enumerate(targets):
                if number % 20 == 0:
                    conditions.tell(f"case {number} of {count}")
                if load is not None and not load.running:
                    raise CannotMeasure("the load ended before the cases were through")
                await asyncio.sleep(chance.uniform(*PAUSE))
                payload = json.dumps({"smoke": True, "battery": 97, "linkquality": 120, "tamper": False})
                sent = time.perf_counter()
                await client.publish(f"{base}/{address}", payload, qos=1)
                try:
                    async with asyncio.timeout(LIMIT):
                        while building not in arrived:
                            news.clear()
                            await news.wait()
                except TimeoutError:
                    raise CannotMeasure(f"no case for {building} within {LIMIT:g} s") from None
                latencies.append((arrived[building] - sent) * 1000)
        feed.cancel()
    return latencies


async def _listen(
    address: str, arrived: dict[str, float], news: asyncio.Event, listening: asyncio.Event
) -> None:
    """Take down when each building's first case came over the live feed."""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=None) as client,
        client.stream("GET", f"{address}/api/v1/live") as feed,
    ):
        listening.set()
        name = ""
        async for line in feed.aiter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: ") and name == "case":
                now = time.perf_counter()
                arrived.setdefault(json.loads(line[6:])["case"]["building"], now)
                news.set()
    raise CannotMeasure("the live feed ended")


def _figures(measurement: str, latencies: list[float], goal: Goal, beside: str) -> list[Figure]:
    ordered = sorted(latencies)
    note = "; ".join(filter(None, [f"{len(ordered)} cases", f"slowest {ordered[-1]:.0f} ms", beside]))
    return [
        Figure(measurement, "wire to case, p50", quantile(ordered, 0.50), "ms", None, note),
        Figure(measurement, "wire to case, p99", quantile(ordered, 0.99), "ms", goal, note),
    ]


def quantile(ordered: list[float], part: float) -> float:
    """The smallest value that at least `part` of all do not exceed (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * part // 1).__int__() - 1)]
