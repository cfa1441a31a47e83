"""What every process of the core opens first: the bus with its streams, the stores to read from.

`CannotRun` says, in a sentence for people, why it is not possible.
"""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, TypeVar

from ingest.bus import Bus, BusClosed, BusUnavailable, Credentials
from ingest.config import BusConfig, CoreConfig, InfluxConfig
from ingest.database import StoreUnavailable
from ingest.stores import History
from ingest.stores.embedded_reader import EmbeddedHistory
from ingest.stores.influx_client import InfluxSettings
from ingest.stores.influx_reader import InfluxHistory
from ingest.streams import StreamLimits, StreamMismatch
from language import N_, Message
from links.secret_files import BUS_PASSWORD, read_secret
from links.trust import trust_authority
from registry.site import Site
from supervision.locks import InUse, Lock

Opened = TypeVar("Opened")

EMBEDDED_FILE = "readings.db"
BUS_TROUBLE: Final = (BusUnavailable, BusClosed, StreamMismatch)
"""What setting something up on the bus raises when asking again does not help."""


class CannotRun(Exception):
    """A process cannot start or go on; `message` says why."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


def cannot_use(folder: Path | str, error: Exception) -> CannotRun:
    """What to raise when a folder or a file in it cannot be used, or a database."""
    return CannotRun(Message(N_("{folder} cannot be used: {reason}"), {"folder": folder, "reason": error}))


def cause_of(error: BaseException, part: str) -> CannotRun:
    """The first cause inside a task group's wrapping, as what ended `part`."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, CannotRun):
        return error
    if isinstance(error, BUS_TROUBLE):
        return _cannot_use_bus(error)
    return CannotRun(Message(N_("A part of {part} failed: {reason}"), {"part": part, "reason": repr(error)}))


def open_file(folder: Path, make: Callable[[], Opened]) -> Opened:
    """What `make` opens in `folder`; raises `CannotRun`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return make()
    except (StoreUnavailable, OSError) as error:
        raise cannot_use(folder, error) from error


def bus_credentials(config: BusConfig) -> Credentials:
    """How a process of the core shows who it is, and whom it believes. Raises OSError."""
    return Credentials(
        user=config.user,
        password=read_secret(config.password_file) or os.environ.get(BUS_PASSWORD, ""),
        tls=trust_authority(config.ca_file) if config.ca_file else None,
        server_name=config.server_name,
    )


async def connect(config: BusConfig, name: str, patience: float = 10.0) -> Bus:
    """Connect as `name`, within `patience` seconds; raises `BusUnavailable`, OSError (a secret's file)."""
    return await Bus.connect(config.url, bus_credentials(config), name=name, patience=patience)


def stream_limits(config: BusConfig) -> StreamLimits:
    """How much each stream may hold."""
    return StreamLimits(
        samples_alarm=config.alarm_bytes,
        samples_telemetry=config.telemetry_bytes,
        readings_alarm=config.alarm_bytes,
        readings_telemetry=config.telemetry_bytes,
    )


def lock_folder(folder: Path, process: str, stack: AsyncExitStack) -> None:
    """Be the only `process` that writes `folder`, until `stack` closes; raises `CannotRun`."""
    try:
        stack.callback(Lock(folder / f"{process}.lock").release)
    except InUse as error:
        raise CannotRun(
            Message(
                N_("{process} runs on {folder} already (process {pid}): stop it first"),
                {"process": process, "folder": folder, "pid": error.process or "?"},
            )
        ) from error
    except OSError as error:
        raise cannot_use(folder, error) from error


async def open_bus(config: BusConfig, name: str, stack: AsyncExitStack) -> Bus:
    """Connect as `name` and make sure of the streams; closed with `stack`. Raises `CannotRun`."""
    try:
        bus = await connect(config, name)
        stack.push_async_callback(bus.close)
        await bus.ensure_streams(stream_limits(config))
    except (*BUS_TROUBLE, OSError) as error:
        raise _cannot_use_bus(error) from error
    return bus


def _cannot_use_bus(error: Exception) -> CannotRun:
    return CannotRun(Message(N_("The message bus cannot be used: {reason}"), {"reason": error}))


def open_history(config: CoreConfig, site: Site, stack: AsyncExitStack) -> History:
    """Where stored readings are asked for: the embedded store, else InfluxDB. Raises `CannotRun`."""
    if config.embedded:
        embedded = EmbeddedHistory(config.data / EMBEDDED_FILE)
        stack.push_async_callback(embedded.close)
        return embedded
    assert config.influx is not None  # noqa: S101 - CoreConfig demands a store
    influx = InfluxHistory(influx_settings(config.influx), site)
    stack.push_async_callback(influx.close)
    return influx


def influx_settings(config: InfluxConfig) -> InfluxSettings:
    """The connection with its password; raises `CannotRun` when that cannot be read."""
    try:
        given = os.environ.get("GRIDWARDEN_INFLUX_PASSWORD", "")
        password = read_secret(config.password_file, given)
    except OSError as error:
        raise CannotRun(Message(N_("The password cannot be read: {reason}"), {"reason": error})) from error
    return InfluxSettings(config.url, config.database, config.user, password)
