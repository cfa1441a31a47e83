"""The ingest process: samples to readings, readings to the stores.

A process of its own, because normalising and storing keep one interpreter busy, and rules and cases must not
wait for it (docs/decisions/0004). It starts its services as tasks; one that fails for good ends the process,
so that whoever supervises it starts it anew from what is committed.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import uvloop

from ingest import interpreter
from ingest.audit import STORES
from ingest.bus import Bus
from ingest.config import CoreConfig
from ingest.ledger import Ledger
from ingest.opening import EMBEDDED_FILE, cause_of, influx_settings, open_bus, open_file
from ingest.service import NormaliserService, WriterService
from ingest.status import Handler, Teller, serve
from ingest.stores.embedded import EmbeddedStore, Retention
from ingest.stores.influx import InfluxStore
from ingest.streams import ensure_consumer, forget_consumer, rules_consumer, store_consumer
from readings import Lane
from readings.subjects import readings_stream
from registry.loading import load_site
from registry.problems import InvalidConfiguration
from registry.revision import revision
from registry.site import Site

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
    except ExceptionGroup as group:
        raise cause_of(group, "ingest") from group


class _Ingest:
    def __init__(self, config: CoreConfig, site: Site) -> None:
        self.config = config
        self.site = site
        self.revision = revision(config.site)

    async def run(self) -> None:
        """Put everything together and run it."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        config = self.config
        async with AsyncExitStack() as stack:
            ledger = open_file(config.data, lambda: Ledger(config.data / "ledger.db"))
            stack.callback(ledger.close)
            bus = await open_bus(config.bus, "ingest", stack)
            writers = self._writers(bus, stack)
            await self._prepare_readers(bus, writers)
            normaliser = NormaliserService(bus, ledger, self.site)
            stages = {"normalised": normaliser.progress}
            stages |= {f"stored {writer.store.name}": writer.progress for writer in writers}
            teller = Teller(bus, config.partition, stages, lambda: self.revision)
            await serve(bus, config.partition, self._commands())
            async with asyncio.TaskGroup() as tasks:
                services = [
                    tasks.create_task(normaliser.run(), name="normaliser"),
                    *(
                        tasks.create_task(writer.run(), name=f"writer {writer.store.name}")
                        for writer in writers
                    ),
                    tasks.create_task(teller.run(time.time_ns), name="status"),
                    tasks.create_task(interpreter.spare_what_stays(), name="collector"),
                ]
                await stop.wait()
                for service in services:
                    service.cancel()

    def _writers(self, bus: Bus, stack: AsyncExitStack) -> list[WriterService]:
        config, writers = self.config, []
        if config.embedded:
            retention = Retention(keep_for=int(config.keep_days * DAY))
            embedded = open_file(config.data, lambda: EmbeddedStore(config.data / EMBEDDED_FILE, retention))
            stack.push_async_callback(embedded.close)
            writers.append(WriterService(bus, embedded))
        if config.influx is not None:
            settings = influx_settings(config.influx)
            influx = open_file(
                config.data, lambda: InfluxStore(settings, self.site, config.data / STORES["influx"])
            )
            stack.push_async_callback(influx.close)
            writers.append(WriterService(bus, influx))
        return writers

    async def _prepare_readers(self, bus: Bus, writers: Sequence[WriterService]) -> None:
        """Have every reader known to the streams before the first reading: what nobody waits for is gone.

        The rules run in another process, which may start later. A store that is no longer configured is
        forgotten, or it would hold the streams until they are full.
        """
        used = {writer.store.name for writer in writers}
        for lane in Lane:
            await ensure_consumer(bus.jetstream, readings_stream(lane), rules_consumer(lane))
            for store in STORES.keys() - used:
                await forget_consumer(bus.jetstream, readings_stream(lane), store_consumer(store))
        for writer in writers:
            await writer.prepare()

    def _commands(self) -> Mapping[str, Handler]:
        async def hello(_: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"revision": self.revision}

        return {"hello": hello}
