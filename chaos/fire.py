"""A fire during a scenario: one detector's message on the broker, and how long until it is a case."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import aiomqtt
import httpx

from chaos.parts import Unbroken
from chaos.world import World
from readings import Lane, wire
from registry.devices import Device

_RULE: Final = "smoke"
LIMIT: Final = 120.0
"""Seconds after which a fire that is no case yet is a fault."""


class Fire:
    """Smoke at one Zigbee detector of an edge, which no sender must speak for (`devices`)."""

    def __init__(self, world: World, edge: str, number: int = 0) -> None:
        """`number` counts the edge's detectors."""
        self._world = world
        self._device = detectors(world, edge)[number]
        self._edge = edge

    @property
    def devices(self) -> AbstractSet[str]:
        """What burns."""
        return {self._device.id}

    async def light(self) -> None:
        """Let it be said; acknowledged by the broker when this returns."""
        connections = self._world.site.edges[self._edge].connections
        base = next(c for c in connections if c.id == "z2m").settings["topic"]
        async with aiomqtt.Client("127.0.0.1", self._world.ports["mqtt"]) as client:
            await client.publish(f"{base}/{self._device.address}", '{"smoke": true, "battery": 90}', qos=1)
        self._world.fires.append(self._device.id)

    async def kept(self, outbox: Path) -> None:
        """Wait until it is in the edge's outbox; raises `Unbroken`."""
        deadline = time.monotonic() + LIMIT
        while not await asyncio.to_thread(_holds, outbox, f"z2m/{self._device.address}"):
            if time.monotonic() > deadline:
                raise Unbroken(f"the fire is not in {outbox} after {LIMIT:g} s")
            await asyncio.sleep(0.05)

    async def is_a_case(self) -> float:
        """Wait until it is one; the seconds from this call on. Raises `Unbroken`."""
        began = time.monotonic()
        url = f"{self._world.address}/api/v1/alarms"
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                try:
                    found = await client.get(url, params={"device": self._device.id, "state": "all"})
                except httpx.TransportError:
                    found = None
                alarms = found.json()["items"] if found is not None and found.is_success else ()
                if any(alarm["case"] for alarm in alarms):
                    return time.monotonic() - began
                if time.monotonic() - began > LIMIT:
                    raise Unbroken(f"the fire at {self._device.id} is no case after {LIMIT:g} s")
                await asyncio.sleep(0.02)


def detectors(world: World, edge: str) -> list[Device]:
    """The Zigbee smoke detectors of `edge`."""
    return [
        device
        for device in world.site.devices.values()
        if device.edge == edge
        and device.connection == "z2m"
        and world.site.types[device.type].device_class == "smoke"
    ]


async def misjudged(world: World, limit: float = 15.0) -> list[str]:
    """What is wrong with the alarms and cases, in sentences, once nothing is or after `limit` seconds.

    Each fire must be one alarm with a case, nothing else may be a fire, and each case must have its alarm.
    """
    deadline = time.monotonic() + limit
    async with httpx.AsyncClient(base_url=f"{world.address}/api/v1", trust_env=False, timeout=10) as client:
        while True:
            alarms = await _all(client, "/alarms")
            cases = await _all(client, "/cases")
            found = compare_fires(world.fires, alarms, [case["number"] for case in cases])
            if not found or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.2)


def compare_fires(lit: Sequence[str], alarms: Sequence[Mapping[str, Any]], cases: Sequence[str]) -> list[str]:
    """See `misjudged`; `lit` are the devices, `alarms` as the API lists them, `cases` numbers."""
    wrong: list[str] = []
    fires = [alarm for alarm in alarms if alarm["rule"] == _RULE]
    raised = Counter(str(alarm["device"]) for alarm in fires)
    for device, times in Counter(lit).items():
        if raised[device] != times:
            wrong.append(f"the fire at {device} is {raised[device]} alarms, not {times}")
    wrong += [f"a fire at {device} that nobody lit" for device in raised.keys() - set(lit)]
    wrong += [f"the fire at {alarm['device']} has no case" for alarm in fires if not alarm["case"]]
    wrong += [f"case {number} has no alarm" for number in {*cases} - {alarm["case"] for alarm in alarms}]
    return wrong


async def _all(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        found = await client.get(path, params={"state": "all", "limit": 500, "after": after})
        page = found.raise_for_status().json()
        items += page["items"]
        after = page["next"]
    return items


def _holds(outbox: Path, source: str) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=2)) as file:
            rows = file.execute("SELECT payload FROM batches WHERE lane = ?", (Lane.ALARM,)).fetchall()
    except sqlite3.OperationalError:
        return False
    return any(
        sample.source == source and sample.value is True
        for (payload,) in rows
        for sample in wire.decode_samples(payload).samples
    )
