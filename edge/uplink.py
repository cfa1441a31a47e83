"""From the outbox to JetStream: two lanes, each with a connection and an order of its own."""

import asyncio

from edge.bus import Bus
from edge.clock import Clock, MachineClock
from edge.lane_uplink import LaneUplink, Read
from edge.link_news import LinkNews
from edge.outbox import Outbox
from readings import Lane
from supervision.watchdog import Watchdog


class Uplink:
    """Both lanes. `run` sends until cancelled."""

    def __init__(
        self,
        outbox: Outbox,
        read: Read,
        bus: Bus,
        watchdog: Watchdog | None = None,
        people: LinkNews | None = None,
        clock: Clock | None = None,
    ) -> None:
        watchdog = watchdog or Watchdog(0)
        clock = clock or MachineClock()
        alarms = LaneUplink(
            Lane.ALARM, outbox, read, bus, clock=clock, pulse=watchdog.pulse("uplink alarm"), people=people
        )
        self.lanes = {
            Lane.ALARM: alarms,
            Lane.TELEMETRY: LaneUplink(
                Lane.TELEMETRY,
                outbox,
                read,
                bus,
                clock=clock,
                alarms=alarms,
                pulse=watchdog.pulse("uplink telemetry"),
                people=people,
            ),
        }

    @property
    def up(self) -> bool:
        """Whether both lanes have a connection and are not refused."""
        return all(lane.up and not lane.problem for lane in self.lanes.values())

    @property
    def problem(self) -> str:
        """Why a lane waits; empty when none does."""
        return next((lane.problem for lane in self.lanes.values() if lane.problem), "")

    def notify(self) -> None:
        """The outbox has something new."""
        for lane in self.lanes.values():
            lane.notify()

    async def run(self) -> None:
        """Send both lanes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, lane in self.lanes.items():
                group.create_task(lane.run(), name=f"uplink {name.value}")

    async def drain(self) -> None:
        """Wait until nothing waits; the caller sets the limit."""
        for lane in self.lanes.values():
            await lane.empty.wait()

    async def settle(self) -> None:
        """Send nothing more, and wait until what is in flight is confirmed."""
        for lane in self.lanes.values():
            await lane.settle()

    async def clock_offset(self) -> float | None:
        """Seconds that the core's clock is ahead of this edge's; None when it cannot be learnt now."""
        return await self.lanes[Lane.ALARM].clock_offset()
