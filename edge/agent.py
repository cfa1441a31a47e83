"""The agent: drivers, collector, outbox and uplink as one running whole.

Each driver is supervised on its own: when its wire fails it is started again, later each time, and the
others notice nothing. Everything else failing ends the agent, loudly.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import json

from edge import health
from edge.box_clock import BoxClock
from edge.bus import Bus
from edge.collector import Collector, Port
from edge.health import ConnectionHealth, Vitals
from edge.intake import Attached, Broker, DeadLetters, Driver, DriverContext, DriverFailed, Intake
from edge.link_news import LinkNews
from edge.outbox import Limits, Outbox, OutboxUnavailable, Stored
from edge.routes import Routes
from edge.safekeeping import Safekeeping
from edge.straight import Straight
from edge.thinner import Thinner
from edge.uplink import Uplink
from readings import Lane
from registry.device_types import DeviceType
from registry.model import Model
from supervision.ending import end
from supervision.watchdog import Watchdog

HEALTH_INTERVAL: Final = 10.0
STATUS_INTERVAL: Final = 1.0
TRIM_INTERVAL: Final = 1.0
AWAY_PAUSE: Final = 2.0
"""Seconds at most between two attempts to reach a broker or a line that is away: an alarm may wait there."""
BROKEN_PAUSE: Final = 30.0
"""The same for a driver that broke, each time with a page of log."""
STOP_LIMIT: Final = 2.0
"""Seconds a stopping agent takes to commit and send what it has in hand …"""
SETTLE_LIMIT: Final = 0.5
"""… and then, with more waiting than can be sent, to hear of what is on its way."""

log = logging.getLogger("edge.agent")


@dataclass(frozen=True)
class Wire:
    """One connection, ready to be read."""

    connection: str
    driver: type[Driver]
    settings: Model
    devices: tuple[Attached, ...]


@dataclass(frozen=True)
class Installation:
    """Everything the agent is told."""

    edge: str
    wires: tuple[Wire, ...]
    devices: tuple[Attached, ...]
    types: Mapping[str, DeviceType]
    bus: Bus
    outbox: Path
    broker: Broker = field(default_factory=Broker)
    serial_folder: Path = Path("/dev")
    limits: Limits = field(default_factory=Limits)


class Agent:
    """One running edge. Construction opens the outbox: `OutboxInUse`, `OutboxUnusable`."""

    def __init__(
        self,
        installation: Installation,
        *,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.installation = installation
        self.connections = {wire.connection: ConnectionHealth() for wire in installation.wires}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self.outbox = Outbox(installation.outbox, installation.edge, installation.limits, patient=True)
        self._clock = clock = BoxClock(self.outbox)
        routes = Routes(installation.devices, installation.types)
        self._watchdog = watchdog or Watchdog(0)
        pulse = self._watchdog.pulse("collector")
        people = LinkNews(installation.bus.url, installation.outbox.parent)
        self.uplink = Uplink(self.outbox, self._read, installation.bus, self._watchdog, people, clock)
        self._straight = Straight(installation.edge, self.uplink)
        self._keeping = Safekeeping(
            self.outbox, self._worker, clock, settle=clock.settle, way=self._straight, pulse=pulse
        )
        self._collector = Collector(
            self._keeping, self.outbox, routes, committed=self._committed, pulse=pulse
        )  # fmt: skip
        self._thinner = Thinner(self.outbox, self._worker, clock)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is in hand and close."""
        try:
            async with asyncio.TaskGroup() as group:
                services = [
                    group.create_task(self._collector.run(), name="collector"),
                    group.create_task(self.uplink.run(), name="uplink"),
                    group.create_task(self._trim(), name="trim"),
                    group.create_task(self._thinner.run(), name="thinner"),
                    group.create_task(self._report(), name="health"),
                    group.create_task(self._watchdog.run(), name="watchdog"),
                ]
                drivers = [
                    group.create_task(self._supervise(wire), name=f"driver {wire.connection}")
                    for wire in self.installation.wires
                ]
                await stop.wait()
                await end(drivers)
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_LIMIT):
                        await self._collector.drain()
                        await self.uplink.drain()
                with suppress(TimeoutError):
                    async with asyncio.timeout(SETTLE_LIMIT):
                        await self.uplink.settle()
                await end(services, all_but=())
        finally:
            await asyncio.get_running_loop().run_in_executor(self._worker, self.outbox.close)
            self._worker.shutdown()

    async def _supervise(self, wire: Wire) -> None:
        """Read one connection for ever."""
        state, port = self.connections[wire.connection], self._collector.port(wire.connection)
        delay = 0.2
        while True:
            started, longest = time.monotonic(), AWAY_PAUSE
            try:
                await self._read_wire(wire, state, port)
                problem = "the driver ended"
            except DriverFailed as error:
                problem = str(error)
            except Exception as error:
                # A driver is other people's protocols and libraries: whatever breaks in one must not
                # stop the others.
                problem, longest = f"{type(error).__name__}: {error}", BROKEN_PAUSE
                log.exception("connection %s: its driver broke", wire.connection)
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # the driver broke while it was being stopped
            if not state.problem:
                log.warning("connection %s: %s; trying again", wire.connection, problem)
            state.up, state.problem = False, problem
            state.restarts += 1
            delay = 0.2 if time.monotonic() - started > 30 else min(delay * 2, longest)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries

    async def _read_wire(self, wire: Wire, state: ConnectionHealth, port: Port) -> None:
        installation = self.installation
        context = DriverContext(
            edge=installation.edge,
            connection=wire.connection,
            devices=wire.devices,
            types=installation.types,
            clock=self._clock,
            letters=DeadLetters(state.counters),
            deliveries=self.outbox.keys(wire.connection),
            counters=state.counters,
            notes=self.outbox,
            broker=installation.broker,
            serial_folder=installation.serial_folder,
        )
        async with aclosing(wire.driver(wire.settings, context).intakes()) as intakes:
            async for arrived in intakes:
                if not state.up:
                    if state.problem:
                        log.info("connection %s works again", wire.connection)
                    state.up, state.problem = True, ""
                await port.put(arrived)

    def _committed(self) -> None:
        self.uplink.notify()

    async def _read(self, lane: Lane, after: int, limit: int) -> Sequence[Stored]:
        if found := self.outbox.recent(lane, after, limit):
            return found
        return await asyncio.get_running_loop().run_in_executor(
            self._worker, self.outbox.read, lane, after, limit, self._clock.starts()
        )

    async def _trim(self) -> None:
        """Delete what JetStream has, also while nothing is committed."""
        while True:
            await asyncio.sleep(TRIM_INTERVAL)
            with suppress(OutboxUnavailable):  # told when something cannot be kept; the rows can wait
                await asyncio.get_running_loop().run_in_executor(self._worker, self.outbox.trim)
            self._collector.room_made()
            self.uplink.notify()  # there may be an outbox only now

    async def _report(self) -> None:
        """The edge's own health: as samples like any other, and as a file that also tells every change."""
        port = self._collector.port(health.SOURCE)
        due, told = 0.0, ""
        while True:
            vitals = await self._vitals()
            now = self._clock()
            wires = repr([(wire.up, wire.problem) for wire in self.connections.values()])
            if time.monotonic() >= due or told != (
                told := f"{vitals.link} {vitals.problem} {vitals.thinning} {vitals.clock.known} {wires}"
            ):
                status = health.status(self.outbox, self.connections, vitals, now)
                with suppress(OSError):  # a full disk is told by the outbox
                    await asyncio.to_thread(_replace, self.outbox.path.with_name("status.json"), status)
            # an outbox that takes nothing takes no reports about it either
            if time.monotonic() >= due and not port.waiting:
                due = time.monotonic() + HEALTH_INTERVAL
                self._clock.look(self.outbox.dated)
                report = health.samples(self.outbox, self.connections, vitals, now)
                await port.put([Intake(report)])
            await asyncio.sleep(STATUS_INTERVAL)

    async def _vitals(self) -> Vitals:
        try:
            oldest = await asyncio.get_running_loop().run_in_executor(
                self._worker, self.outbox.oldest, self._clock.starts()
            )
        except OutboxUnavailable:
            oldest = None
        return Vitals(
            link=self.uplink.up,
            oldest=oldest,
            clock_offset=await self.uplink.clock_offset(),
            outbox_full=self._collector.refused,
            thinning=self._thinner.active,
            problem=self._keeping.problem or self.uplink.problem,
            not_taken=self._collector.not_taken,
            sent_straight=self._straight.samples,
            clock=self._clock.state(self.outbox.dated),
        )


def _replace(path: Path, content: object) -> None:
    """Write `content` as JSON so that a reader sees the old file or the new one, never half."""
    beside = path.with_suffix(".new")
    beside.write_bytes(json.encode(content))
    beside.replace(path)
