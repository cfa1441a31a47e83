"""Messages a second through one edge agent: broker → driver → outbox (on disk) → PUBACK → uplink → JetStream.

A message counts when JetStream has confirmed the batch that holds it. No gateway runs: an edge has its box
to itself; the load, the broker and the NATS server share the machine with it.
"""

import time
from typing import Final
from urllib.parse import urlsplit

from bench.counting import Course, ReadOnly, follow
from bench.figures import CannotMeasure, Conditions, Figure, Goal
from bench.installation import Installation, Shares, installation
from bench.load_process import messages

GOAL: Final = Goal(15_000, "at least")
OVERLOAD: Final = 1.15
WARM_UP: Final = 0.2
BURST: Final = 3.0
RAISES: Final = 3
POINT: Final = "linkquality"
_UPLINKED: Final = (
    "SELECT (SELECT coalesce(sum(samples), 0) FROM taken WHERE source LIKE 'z2m/%')"
    " - (SELECT coalesce(sum(samples), 0) FROM batches JOIN lanes USING (lane)"
    " WHERE batches.place > lanes.stored)"
)


async def measure(conditions: Conditions) -> list[Figure]:
    """The sustained rate, and what it took of the agent's processor."""
    async with installation(conditions, broker=True) as place:
        conditions.tell("starting the edge agent")
        await place.start_edge(conditions.edge)
        sender = MessageSender(place, conditions.edge)
        try:
            conditions.tell("a burst, to learn about how much it takes")
            rate, offered = await sender.send(0, min(BURST, conditions.seconds), 0)
            for _ in range(RAISES):
                wanted = rate * OVERLOAD
                conditions.tell(f"offering {wanted:,.0f} messages/s for {conditions.seconds:g} s")
                shares = Shares(place.processes)
                before = sender.done
                rate, offered = await sender.send(wanted, conditions.seconds, WARM_UP * conditions.seconds)
                used, cost = shares.tell(), shares.micros("edge agent", sender.done - before)
                if rate < wanted * 0.97:
                    break
        finally:
            sender.close()
        _, peak = place.resident("edge agent")
    note = f"QoS 1, one reading each; offered {offered:,.0f}/s; cores: {used}; agent's peak {peak:.0f} MB"
    return [
        Figure("mqtt", "messages committed, acknowledged and uplinked", rate, "/s", GOAL, note),
        Figure("mqtt", "edge agent's processor time per message", cost, "µs"),
    ]


class MessageSender:
    """Sends single messages of an edge's Zigbee devices and counts what JetStream has."""

    def __init__(self, place: Installation, edge: str) -> None:
        self._place = place
        self._outbox = ReadOnly(place.folder / "edges" / edge / "outbox.db")
        site = place.site
        base = site.edges[edge].connections[0].settings["topic"]
        self._topics = [
            f"{base}/{device.address}"
            for device in site.devices.values()
            if device.edge == edge and device.type.startswith("z2m-")
        ]
        self.done = 0
        """Messages uplinked before."""

    async def send(self, rate: float, seconds: float, warm_up: float) -> tuple[float, float]:
        """Send and wait until everything is uplinked: (messages a second, offered a second)."""
        before, course = self.done, Course()
        broker = urlsplit(self._place.broker)
        plan = messages(broker.hostname or "", broker.port or 1883, self._topics, POINT, rate, seconds)
        load = await self._place.load(plan)
        await follow(self._uplinked, course, lambda done: done > before or not load.running)
        since = time.monotonic() + warm_up
        await follow(self._uplinked, course, lambda _: not load.running)
        result = await load.result()
        total = before + int(result["readings"])
        await follow(self._uplinked, course, lambda done: done >= total)
        if course.last > total:
            raise CannotMeasure(f"{course.last} messages uplinked, but only {total} sent")
        self.done = total
        return course.rate(since), result["readings"] / max((result["ended"] - result["began"]) / 1e9, 1e-9)

    def _uplinked(self) -> int:
        rows = self._outbox.rows(_UPLINKED)
        return max(0, int(str(rows[0][0]))) if rows else 0

    def close(self) -> None:
        """Close the outbox."""
        self._outbox.close()
