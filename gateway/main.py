"""The gateway as a process: its parts put together, started in order, stopped in order.

Start: databases, bus, streams, consumers, then the services and the web server. Stop: the web server, the
services, what is in hand is committed, connections closed. A part that fails for good ends the process, so
that whoever supervises it starts it anew from what is committed.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog
import uvicorn
import uvloop

from cases.desk import Desk
from cases.store import DatabaseTooNew, EngineRecord, OperationsStore
from cases.store import StoreUnavailable as OperationsUnavailable
from gateway.api.showing import Showing, shown_value
from gateway.api.views import Views
from gateway.app import create_app
from gateway.config import GatewayConfig, InfluxConfig
from gateway.configuration import Configuration, load_configuration
from gateway.freshness import Freshness
from gateway.live import LiveFeed
from gateway.metrics import create_metrics
from gateway.queues import Queues
from gateway.rates import Rates
from gateway.rule_runner import RuleRunner
from gateway.status import PARTS, Part, Status, trouble_of
from ingest.audit import STORES
from ingest.bus import Bus, BusUnavailable, Credentials
from ingest.database import StoreUnavailable
from ingest.ledger import Ledger
from ingest.service import NormaliserService, WriterService, durable_name
from ingest.stores import History
from ingest.stores.embedded import EmbeddedStore, Retention
from ingest.stores.embedded_reader import EmbeddedHistory
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_client import InfluxSettings
from ingest.stores.influx_reader import InfluxHistory
from ingest.streams import StreamLimits, StreamMismatch, forget_consumer
from language import N_, Message
from links.secret_files import read_secret
from links.trust import trust_authority
from readings.lanes import Lane
from readings.reading import Reading
from readings.subjects import readings_stream
from registry.problems import InvalidConfiguration
from registry.site import Site
from rules.compile import compile_rules
from rules.engine import Engine
from rules.state import EngineState

DAY: Final = 86_400 * 1_000_000_000
STOP_SECONDS: Final = 3.0
SWITCH_SECONDS: Final = 0.0005
"""How long the event loop may keep the interpreter from the threads that write (Python's default: 5 ms).

A transaction is some twenty statements, and after each its thread waits for the interpreter again.
"""
COLLECT: Final = (50_000, 20, 100)
"""Thresholds of the garbage collector: batches come and go without cycles, hardly ever is there any."""
SETTLED_SECONDS: Final = 5.0
"""By then the engine has built what it keeps of every device."""

Opened = TypeVar("Opened")

log = structlog.get_logger()


class GatewayFailed(Exception):
    """The gateway cannot start or go on; `message` says why."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


def run_gateway(config: GatewayConfig) -> None:
    """Run until SIGTERM or SIGINT.

    Raises `InvalidConfiguration` (the site folder has errors) and `GatewayFailed`.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.setswitchinterval(SWITCH_SECONDS)
    configuration = load_configuration(config.site)
    if not configuration.sound or configuration.site is None:
        raise InvalidConfiguration(configuration.problems)
    try:
        uvloop.run(_Gateway(config, configuration, configuration.site).run())
    except ExceptionGroup as group:
        raise _as_failure(group) from group


class _Gateway:
    def __init__(self, config: GatewayConfig, configuration: Configuration, site: Site) -> None:
        self.config = config
        self.configuration = configuration
        self.site = site
        self.started = time.time_ns()
        self.rates = Rates()
        self.feed = LiveFeed(self.started // 1_000_000)

    async def run(self) -> None:
        """Put everything together and run it."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with AsyncExitStack() as stack:
            store = self._open_operations()
            stack.callback(store.close)
            bus = await self._open_bus(stack)
            ledger = self._open(lambda: Ledger(self.config.data / "ledger.db"))
            stack.callback(ledger.close)
            writers, history = await self._open_stores(bus, stack)
            freshness = Freshness(await self._last_heard(history))
            normaliser = NormaliserService(bus, ledger, self.site)
            runner = self._runner(bus, store, freshness)
            await runner.prepare()
            for writer in writers:
                await writer.prepare()
            status = self._status(bus, normaliser, writers, runner, history, freshness)
            views = Views(
                Showing(self.site, self.configuration.rules),
                store,
                history,
                freshness,
                self.feed,
                status,
                runner.command,
                runner.act,
                _version(),
                revision=self.configuration.revision,
            )
            runner.on_changes = views.tell
            server = self._web_server(views, status)
            async with asyncio.TaskGroup() as tasks:
                services = [
                    tasks.create_task(normaliser.run(), name="normaliser"),
                    tasks.create_task(runner.run(), name="rules"),
                    *(
                        tasks.create_task(writer.run(), name=f"writer {writer.store.name}")
                        for writer in writers
                    ),
                ]
                services.append(tasks.create_task(status.run(), name="status"))
                services.append(tasks.create_task(_spare_what_stays(), name="collector"))
                web = tasks.create_task(server.serve(), name="web")
                web.add_done_callback(lambda _: stop.set())
                await stop.wait()
                self.feed.close()
                server.should_exit = True
                await asyncio.wait({web}, timeout=STOP_SECONDS)
                for service in services:
                    service.cancel()
                await asyncio.gather(*services, return_exceptions=True)
                with suppress(OperationsUnavailable, TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS):
                        await runner.flush()

    def _open_operations(self) -> OperationsStore:
        data = self.config.data
        try:
            data.mkdir(parents=True, exist_ok=True)
            store = OperationsStore(f"sqlite:///{data / 'operations.db'}")
            store.migrate()
        except DatabaseTooNew as error:
            raise GatewayFailed(error.message) from error
        except (OperationsUnavailable, OSError) as error:
            raise _cannot_use(data, error) from error
        return store

    def _open(self, make: Callable[[], Opened]) -> Opened:
        try:
            return make()
        except (StoreUnavailable, OSError) as error:
            raise _cannot_use(self.config.data, error) from error

    async def _open_bus(self, stack: AsyncExitStack) -> Bus:
        config = self.config.bus
        try:
            credentials = Credentials(
                user=config.user,
                password=read_secret(config.password_file),
                tls=trust_authority(config.ca_file) if config.ca_file else None,
                server_name=config.server_name,
            )
            bus = await Bus.connect(config.url, credentials, name="gateway")
            stack.push_async_callback(bus.close)
            await bus.ensure_streams(
                StreamLimits(
                    samples_alarm=config.alarm_bytes,
                    samples_telemetry=config.telemetry_bytes,
                    readings_alarm=config.alarm_bytes,
                    readings_telemetry=config.telemetry_bytes,
                )
            )
        except (BusUnavailable, StreamMismatch, OSError) as error:
            raise GatewayFailed(
                Message(N_("The message bus cannot be used: {reason}"), {"reason": error})
            ) from error
        return bus

    async def _open_stores(self, bus: Bus, stack: AsyncExitStack) -> tuple[list[WriterService], History]:
        config, writers = self.config, []
        history: History | None = None
        if config.embedded:
            path = config.data / "readings.db"
            retention = Retention(keep_for=int(config.keep_days * DAY))
            embedded = self._open(lambda: EmbeddedStore(path, retention))
            stack.push_async_callback(embedded.close)
            reader = EmbeddedHistory(path)
            stack.push_async_callback(reader.close)
            writers.append(WriterService(bus, embedded))
            history = reader
        if config.influx is not None:
            settings = self._influx_settings(config.influx)
            influx = self._open(lambda: InfluxStore(settings, self.site, config.data / "influx.db"))
            stack.push_async_callback(influx.close)
            writers.append(WriterService(bus, influx))
            if history is None:
                answers = InfluxHistory(settings, self.site)
                stack.push_async_callback(answers.close)
                history = answers
        await self._forget_unused(bus, {writer.store.name for writer in writers})
        assert history is not None  # noqa: S101 - GatewayConfig demands a store
        return writers, history

    async def _forget_unused(self, bus: Bus, used: set[str]) -> None:
        """A store that is no longer configured must not hold the streams until they are full."""
        for store in STORES.keys() - used:
            for lane in Lane:
                await forget_consumer(bus.jetstream, readings_stream(lane), durable_name(store))

    def _influx_settings(self, config: InfluxConfig) -> InfluxSettings:
        try:
            given = os.environ.get("GRIDWARDEN_INFLUX_PASSWORD", "")
            password = read_secret(config.password_file, given)
        except OSError as error:
            raise GatewayFailed(
                Message(N_("The password cannot be read: {reason}"), {"reason": error})
            ) from error
        return InfluxSettings(config.url, config.database, config.user, password)

    async def _last_heard(self, history: History) -> dict[str, int]:
        heard: dict[str, int] = {}
        with suppress(StoreUnavailable):
            for latest in await history.latest([*self.site.devices]):
                when = latest.row.received or latest.row.time
                heard[latest.device] = max(heard.get(latest.device, 0), when)
        return heard

    def _runner(self, bus: Bus, store: OperationsStore, freshness: Freshness) -> RuleRunner:
        record = self._load_engine(store)
        program = compile_rules(self.configuration.rules, self.site)
        engine = Engine(program, EngineState.restore(record.instances, record.marks))
        return RuleRunner(
            bus,
            store,
            engine,
            Desk(self.site, self.configuration.rules),
            record,
            partition=self.config.partition,
            on_readings=self._tell_readings,
            freshness=freshness,
            rates=self.rates,
        )

    def _load_engine(self, store: OperationsStore) -> EngineRecord:
        with store.transaction() as tx:
            return tx.load_engine(self.config.partition)

    def _tell_readings(self, readings: Sequence[Reading]) -> None:
        watched = self.feed.watched
        if not watched:
            return
        self.feed.tell_readings(
            (
                reading.device,
                {
                    "device": reading.device,
                    "point": reading.point,
                    "value": shown_value(reading.value),
                    "time": reading.time // 1_000_000,
                },
            )
            for reading in readings
            if reading.device in watched
        )

    def _status(
        self,
        bus: Bus,
        normaliser: NormaliserService,
        writers: Sequence[WriterService],
        runner: RuleRunner,
        history: History,
        freshness: Freshness,
    ) -> Status:
        stages = {"normalised": normaliser.progress}
        stages |= {f"stored {writer.store.name}": writer.progress for writer in writers}
        parts = [
            Part(PARTS["bus"], lambda: "" if bus.connected else str(NOT_CONNECTED), vital=True),
            Part(PARTS["normaliser"], lambda: trouble_of(normaliser.progress)),
            Part(PARTS["rules"], lambda: runner.trouble, vital=True),
            *(Part(PARTS[writer.store.name], partial(trouble_of, writer.progress)) for writer in writers),
        ]
        return Status(
            parts,
            Queues(bus, [writer.store.name for writer in writers]),
            stages,
            history,
            freshness,
            self.rates,
            data=self.config.data,
            edges=self.config.edges,
            started=self.started,
            version=_version(),
        )

    def _web_server(self, views: Views, status: Status) -> uvicorn.Server:
        web = self.config.web
        app = create_app(views, create_metrics(status), _version())
        return uvicorn.Server(
            uvicorn.Config(
                app,
                host=web.host,
                port=web.port,
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )


NOT_CONNECTED: Final = Message(N_("not connected"))


async def _spare_what_stays() -> None:
    """Keep the garbage collector off what lives as long as the process: the site, the rules, the engine.

    Of 2,000 devices and 200 rules that is half a million objects; looking through all of them stopped
    everything for 0.3 s, every now and then.
    """
    gc.set_threshold(*COLLECT)
    gc.freeze()
    await asyncio.sleep(SETTLED_SECONDS)
    gc.freeze()


def _cannot_use(folder: Path, error: Exception) -> GatewayFailed:
    text = N_("{folder} cannot be used: {reason}")
    return GatewayFailed(Message(text, {"folder": folder, "reason": error}))


def _as_failure(group: BaseException) -> GatewayFailed:
    """The first cause inside a task group's wrapping."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    if isinstance(group, GatewayFailed):
        return group
    return GatewayFailed(Message(N_("A part of the gateway failed: {reason}"), {"reason": repr(group)}))


def _version() -> str:
    from importlib.metadata import version

    return version("gridwarden")
