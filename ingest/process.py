"""The ingest process: samples to readings, readings to the stores.

A process of its own, because normalising and storing keep one interpreter busy, and rules and cases must not
wait for it (docs/decisions/0004). It starts its services as tasks; one that fails for good ends the process,
so that whoever supervises it starts it anew from what is committed.
"""

import asyncio
import logging
import math
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec
import uvloop
from nats.js.client import JetStreamContext

from ingest import interpreter
from ingest.audit import STORES
from ingest.bus import Bus
from ingest.config import CoreConfig
from ingest.disk import DiskLimits, DiskWatch
from ingest.floor import FloorKeeper
from ingest.ledger import Ledger
from ingest.leftovers import Leftovers
from ingest.opening import (
    BUS_TROUBLE,
    EMBEDDED_FILE,
    cause_of,
    influx_settings,
    lock_folder,
    open_bus,
    open_file,
)
from ingest.patience import Gate
from ingest.quarantine_keepers import LedgerKeeper
from ingest.quarantine_service import COMMAND, QuarantineLimits, QuarantineService
from ingest.reloading import SiteFolder
from ingest.service import NormaliserService
from ingest.spool import Spool, SpoolWatch
from ingest.status import Handler, Teller, serve
from ingest.stores import Store
from ingest.stores.embedded import EmbeddedStore, Retention
from ingest.stores.influx import InfluxStore
from ingest.streams import ensure_consumer, forget_consumer, rules_consumer, store_consumer
from ingest.vital_signs import VitalSigns
from ingest.writer import WriterService
from readings import Lane
from readings.subjects import readings_stream
from registry.loading import load_site
from registry.problems import InvalidConfiguration, Problem
from registry.site import Site
from supervision.ending import end
from supervision.watchdog import Watchdog

DAY: Final = 86_400 * 1_000_000_000


def run_ingest(config: CoreConfig) -> None:
    """Run until SIGTERM or SIGINT.

    Raises `InvalidConfiguration` (the site folder has errors) and `ingest.opening.CannotRun`.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    interpreter.share_fairly()
    loaded = load_site(config.site)
    if loaded.site is None:
        raise InvalidConfiguration(loaded.problems)
    try:
        uvloop.run(_Ingest(config, loaded.site).run())
    except (ExceptionGroup, *BUS_TROUBLE) as error:
        raise cause_of(error, "ingest") from error


class _Ingest:
    def __init__(self, config: CoreConfig, site: Site) -> None:
        self.config = config
        self.site = site
        self.folder = SiteFolder(config.site)

    async def run(self) -> None:
        """Put everything together and run it."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        config = self.config
        async with AsyncExitStack() as stack:
            lock_folder(config.data, "ingest", stack)
            watch = open_file(config.data, self._disk_watch)
            watch.look()
            ledger = open_file(config.data, lambda: Ledger(config.data / "ledger.db"))
            stack.callback(ledger.close)
            bus = await open_bus(config.bus, "ingest", stack)
            floor = FloorKeeper(watch, bus.jetstream, config.bus.telemetry_bytes)
            limits = {Lane.ALARM: config.bus.alarm_bytes, Lane.TELEMETRY: config.bus.telemetry_bytes}
            days = config.influx.wait_days if config.influx is not None else math.inf
            spools = SpoolWatch(bus.jetstream, limits, days * DAY)
            writers = self._writers(bus, stack, floor.gates, spools.spools)
            await self._prepare_readers(bus, writers)
            normaliser = NormaliserService(bus, ledger, self.site, gates=floor.gates)
            stages = {"normalised": normaliser.progress}
            stages |= {f"stored {writer.store.name}": writer.progress for writer in writers}
            teller = Teller(bus, config.partition, stages, lambda: self.folder.revision, lambda: floor.state)
            watchdog = Watchdog()
            signs = VitalSigns(
                watchdog,
                {"normaliser": normaliser, **{f"writer {writer.store.name}": writer for writer in writers}},
            )
            retries = LedgerKeeper(bus, ledger, lambda: self.site, gates=floor.gates)
            quarantine = self._quarantine(retries, writers)
            await serve(bus, config.partition, self._commands(normaliser, quarantine))
            connections = asyncio.all_tasks()
            async with asyncio.TaskGroup() as tasks:
                services = [
                    tasks.create_task(signs.run(), name="vital signs"),
                    tasks.create_task(watchdog.run(), name="watchdog"),
                    tasks.create_task(normaliser.run(), name="normaliser"),
                    *(
                        tasks.create_task(writer.run(), name=f"writer {writer.store.name}")
                        for writer in writers
                    ),
                    tasks.create_task(quarantine.run(), name="quarantine"),
                    tasks.create_task(floor.run(), name="floor"),
                    tasks.create_task(Leftovers(bus).run(), name="leftovers"),
                    tasks.create_task(spools.run(), name="spools"),
                    tasks.create_task(teller.run(time.time_ns), name="status"),
                    tasks.create_task(
                        self.folder.run(lambda: self._take_site(normaliser, writers)), name="site folder"
                    ),
                    tasks.create_task(interpreter.spare_what_stays(), name="collector"),
                ]
                await stop.wait()
                await end(services, all_but=connections)

    async def _take_site(
        self, normaliser: NormaliserService, writers: Sequence[WriterService]
    ) -> Sequence[Problem]:
        """Go on with the edited site folder from the next batch on, or say why not."""
        loaded = await asyncio.to_thread(load_site, self.config.site)
        if loaded.site is None:
            return loaded.errors
        self.site = loaded.site
        normaliser.set_site(loaded.site)
        for writer in writers:
            writer.set_site(loaded.site)
        return ()

    def _disk_watch(self) -> DiskWatch:
        disk = self.config.disk
        return DiskWatch(self.config.data, disk.others, DiskLimits(disk.floor_bytes, disk.reserve_bytes))

    def _writers(
        self, bus: Bus, stack: AsyncExitStack, gates: Mapping[Lane, Gate], spools: Mapping[Lane, Spool]
    ) -> list[WriterService]:
        config, stores = self.config, list[Store]()
        if config.embedded:
            keep = config.keep
            retention = Retention(keep_for=int(keep.readings_days * DAY), keep_bytes=keep.readings_bytes)
            embedded = open_file(config.data, lambda: EmbeddedStore(config.data / EMBEDDED_FILE, retention))
            stack.push_async_callback(embedded.close)
            stores.append(embedded)
        if config.influx is not None:
            settings = influx_settings(config.influx)
            influx = open_file(
                config.data, lambda: InfluxStore(settings, self.site, config.data / STORES["influx"])
            )
            stack.push_async_callback(influx.close)
            stores.append(influx)
        # the embedded store is the copy that others may lack: it makes the bus wait rather than lacking any
        return [
            WriterService(bus, store, gates=gates, spools=spools if store.name == "influx" else None)
            for store in stores
        ]

    async def _prepare_readers(self, bus: Bus, writers: Sequence[WriterService]) -> None:
        """Have every reader known to the streams before the first reading: what nobody waits for is gone.

        The rules run in another process, which may start later. A store that is no longer configured is
        forgotten, or it would hold the streams until they are full.
        """
        unused = STORES.keys() - {writer.store.name for writer in writers}

        async def prepare(stream: JetStreamContext) -> None:
            for lane in Lane:
                await ensure_consumer(stream, readings_stream(lane), rules_consumer(lane))
                for store in unused:
                    await forget_consumer(stream, readings_stream(lane), store_consumer(store))

        await bus.administer("preparing the readers", prepare)
        for writer in writers:
            await writer.prepare()

    def _quarantine(self, ledger: LedgerKeeper, writers: Sequence[WriterService]) -> QuarantineService:
        stores = [writer.store for writer in writers if isinstance(writer.store, InfluxStore)]
        keep = self.config.keep
        limits = QuarantineLimits(int(keep.quarantine_days * DAY), keep.quarantine_bytes)
        return QuarantineService([ledger, *stores], limits=limits)

    def _commands(
        self, normaliser: NormaliserService, quarantine: QuarantineService
    ) -> Mapping[str, Handler]:
        async def hello(_: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"revision": self.folder.revision}

        async def last_samples(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
            device = str(arguments.get("device", ""))
            found = msgspec.to_builtins(normaliser.last_samples(device))
            return {"samples": found, "clock_offset": normaliser.clock_offset(device)}

        async def clock_offsets(_: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"offsets": normaliser.clock_offsets()}

        return {
            "hello": hello,
            "last_samples": last_samples,
            "clock_offsets": clock_offsets,
            COMMAND: quarantine.command,
        }
