"""The message bus of an installation, whether or not the installation runs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from gridwarden.installation import Installation
from ingest.bus import Bus, BusUnavailable
from ingest.nats_config import ServerPorts
from ingest.nats_server import NatsServer
from ingest.opening import connect
from supervision.ports import free_ports

PATIENCE_SECONDS: Final = 3.0
START_SECONDS: Final = 120.0


@asynccontextmanager
async def running_bus(installation: Installation) -> AsyncIterator[Bus | None]:
    """A connection to the bus of an installation that runs; None where ``gridwarden up`` does not run.

    Raises `BusUnavailable` where the bus is not ours to start, and OSError (a password file).
    """
    try:
        bus = await connect(installation.config.bus, "backup", PATIENCE_SECONDS)
    except BusUnavailable:
        if installation.root is None:
            raise
        yield None
        return
    async with bus:
        yield bus


@asynccontextmanager
async def own_bus(installation: Installation) -> AsyncIterator[Bus]:
    """The bus of an installation that does not run: its server, on other ports, for as long as needed.

    Only where the bus is ours to start. Raises `ingest.nats_files.ServerError` (it does run, for one) and
    `BusUnavailable`. Use it in the program's main thread.
    """
    with _server(installation) as server:
        async with await Bus.connect(server.url, server.credentials("core"), name="backup") as bus:
            yield bus


@contextmanager
def _server(installation: Installation) -> Iterator[NatsServer]:
    store, secrets = installation.bus_store, installation.secrets
    assert store is not None and secrets is not None and installation.root is not None  # noqa: S101, PT018
    client, monitor = free_ports(2)
    ports = ServerPorts(client=client, mqtt=0, monitor=monitor)
    log = installation.root / "log" / "nats-backup.log"
    server = NatsServer(store, secrets, ports, log_file=log, patience=START_SECONDS)
    server.start()
    try:
        yield server
    finally:
        server.stop()
