"""The gateway process: readings to alarms and cases, and everything people and other systems ask.

Normalising and storing are the ingest process's (`ingest.process`). It starts its services as tasks; one that
fails for good ends the process, so that whoever supervises it starts it anew from what is committed.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn
import uvloop

from cases.desk import Desk
from cases.store import EngineRecord, OperationsStore
from cases.store import StoreUnavailable as OperationsUnavailable
from gateway.api.showing import Showing, shown_value
from gateway.api.views import Views
from gateway.app import create_app
from gateway.chronicle.service import Chronicler
from gateway.config import GatewayConfig
from gateway.configuration import Configuration, load_configuration
from gateway.freshness import Freshness
from gateway.housekeeping import keep_house, keeping
from gateway.ingest_link import IngestLink
from gateway.live import LiveFeed
from gateway.measured import Measured
from gateway.metrics import StatusCollector
from gateway.operations import open_operations
from gateway.queues import Queues
from gateway.rates import Rates
from gateway.rule_runner import RuleRunner
from gateway.status import PARTS, Part, Status, always
from ingest import interpreter
from ingest.bus import Bus
from ingest.database import StoreUnavailable
from ingest.opening import (
    BUS_TROUBLE,
    CannotRun,
    cause_of,
    influx_settings,
    lock_folder,
    open_bus,
    open_history,
)
from ingest.reloading import SiteFolder
from ingest.stores import History
from ingest.stores.influx_client import InfluxClient
from ingest.stores.influx_reader import InfluxHistory
from language import N_, Message
from links.secret_files import read_secret
from readings.reading import Reading
from registry.problems import InvalidConfiguration, Problem
from registry.site import Site
from rules.compile import compile_rules
from rules.engine import Engine
from rules.state import EngineState
from supervision.ending import end
from supervision.watchdog import Pulse, Watchdog

STOP_SECONDS: Final = 3.0


def run_gateway(config: GatewayConfig) -> None:
    """Run until SIGTERM or SIGINT.

    Raises `InvalidConfiguration` (the site folder has errors) and `ingest.opening.CannotRun`.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    interpreter.share_fairly()
    configuration = load_configuration(config.site)
    if not configuration.sound or configuration.site is None:
        raise InvalidConfiguration(configuration.problems)
    try:
        uvloop.run(_Gateway(config, configuration, configuration.site).run())
    except (ExceptionGroup, *BUS_TROUBLE) as error:
        raise cause_of(error, "gateway") from error


async def _watch(watchdog: Watchdog, server: uvicorn.Server) -> None:
    """Tell the service manager how we are, from the moment at which we can be asked."""
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.05)
    await watchdog.run()


class _Gateway:
    def __init__(self, config: GatewayConfig, configuration: Configuration, site: Site) -> None:
        self.config = config
        self.configuration = configuration
        self.site = site
        self.started = time.time_ns()
        self.rates = Rates()
        self.folder = SiteFolder(config.site)
        self.feed = LiveFeed(self.started // 1_000_000)

    async def run(self) -> None:
        """Put everything together and run it."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with AsyncExitStack() as stack:
            lock_folder(self.config.data, "gateway", stack)
            store = open_operations(self.config)
            stack.callback(store.close)
            bus = await open_bus(self.config.bus, "gateway", stack)
            history = open_history(self.config, self.site, stack)
            ingest = IngestLink(bus, self.config.partition)
            await ingest.open()
            freshness = Freshness(await self._last_heard(history))
            watchdog = Watchdog()
            runner = self._runner(
                bus, store, freshness, lambda: ingest.status is not None, watchdog.pulse("rules")
            )
            await runner.prepare()
            status = self._status(bus, ingest, runner, history, freshness)
            views = Views(
                Showing(self.site, self.configuration.rules),
                store,
                history,
                freshness,
                self.feed,
                status,
                runner.command,
                runner.act,
                runner.hear,
                ingest.ask,
                self.config.data,
                _version(),
                revision=self.configuration.revision,
                grafana=self.config.web.grafana,
                grafana_secret=_secret(self.config.web.grafana_secret_file),
            )
            runner.on_changes = views.tell
            chronicler = self._chronicler(store, views, status, stack)
            if chronicler is not None:
                status.watch(Part(PARTS["chronicle"], lambda: chronicler.trouble))
            server = self._web_server(views, status)
            connections = asyncio.all_tasks()
            async with asyncio.TaskGroup() as tasks:
                services = [
                    tasks.create_task(runner.run(), name="rules"),
                    tasks.create_task(status.run(), name="status"),
                    tasks.create_task(
                        self.folder.run(lambda: self._take_site(runner, views, history)), name="site folder"
                    ),
                    tasks.create_task(keep_house(store, keeping(self.config.keep)), name="housekeeping"),
                    tasks.create_task(interpreter.spare_what_stays(), name="collector"),
                ]
                if chronicler is not None:
                    services.append(tasks.create_task(chronicler.run(), name="chronicle"))
                web = tasks.create_task(server.serve(), name="web")
                web.add_done_callback(lambda _: stop.set())
                services.append(tasks.create_task(_watch(watchdog, server), name="watchdog"))
                await stop.wait()
                self.feed.close()
                server.should_exit = True
                await asyncio.wait({web}, timeout=STOP_SECONDS)
                await end(services, all_but={*connections, web})
                with suppress(OperationsUnavailable, TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS):
                        await runner.flush()

    async def _take_site(self, runner: RuleRunner, views: Views, history: History) -> Sequence[Problem]:
        """Go on with the edited site folder and its rules, or say why not."""
        configuration = await asyncio.to_thread(load_configuration, self.config.site)
        site = configuration.site
        if not configuration.sound or site is None:
            return [problem for problem in configuration.problems if problem.severity == "error"]
        program = await asyncio.to_thread(compile_rules, configuration.rules, site)
        await runner.reload(program, site)
        self.configuration, self.site = configuration, site
        if isinstance(history, InfluxHistory):
            history.set_site(site)
        views.take_site(Showing(site, configuration.rules), configuration.revision)
        return ()

    async def _last_heard(self, history: History) -> dict[str, int]:
        heard: dict[str, int] = {}
        with suppress(StoreUnavailable):
            for latest in await history.latest([*self.site.devices]):
                when = latest.row.received or latest.row.time
                heard[latest.device] = max(heard.get(latest.device, 0), when)
        return heard

    def _runner(
        self,
        bus: Bus,
        store: OperationsStore,
        freshness: Freshness,
        fed: Callable[[], bool],
        pulse: Pulse,
    ) -> RuleRunner:
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
            fed=fed,
            pulse=pulse,
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
        self, bus: Bus, ingest: IngestLink, runner: RuleRunner, history: History, freshness: Freshness
    ) -> Status:
        stores = self.config.stores
        parts = [
            Part(PARTS["bus"], lambda: None if bus.connected else NOT_CONNECTED, vital=always),
            Part(
                PARTS["normaliser"],
                partial(ingest.trouble, "normalised"),
                vital=partial(ingest.stops_alarms, "normalised"),
            ),
            Part(PARTS["rules"], lambda: runner.trouble, vital=always),
            Part(PARTS["disk"], ingest.disk_trouble),
            Part(PARTS["site"], lambda: self.folder.refused),
            *(Part(PARTS[store], partial(ingest.trouble, f"stored {store}")) for store in stores),
        ]
        return Status(
            parts,
            Queues(bus, stores),
            ingest,
            history,
            freshness,
            self.rates,
            data=self.config.data,
            edges=self.config.edges,
            started=self.started,
            version=_version(),
        )

    def _chronicler(
        self, store: OperationsStore, views: Views, status: Status, stack: AsyncExitStack
    ) -> Chronicler | None:
        """Who writes alarms and cases to InfluxDB, where there is one. Raises `CannotRun`."""
        if self.config.influx is None:
            return None
        client = InfluxClient(influx_settings(self.config.influx))
        stack.push_async_callback(client.close)
        measured = Measured(views)
        return Chronicler(client, store, views, StatusCollector(status, measured), measured)

    def _web_server(self, views: Views, status: Status) -> uvicorn.Server:
        web = self.config.web
        app = create_app(views, status, _version())
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


def _secret(path: Path | None) -> str:
    """What the file holds; empty without one. Raises `CannotRun`."""
    try:
        return read_secret(path)
    except OSError as error:
        raise CannotRun(Message(N_("The secret cannot be read: {reason}"), {"reason": error})) from error


NOT_CONNECTED: Final = Message(N_("not connected"))


def _version() -> str:
    from importlib.metadata import version

    return version("gridwarden")
