"""The wires of a site, device side: one simulator per connection of its edges."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from links.secret_files import read_secret
from registry.device_types import DeviceType
from registry.devices import Connection, Device
from registry.grids import Place
from simulators.clock import Clock
from simulators.device import Change, SimulatedDevice
from simulators.frigate import FrigateRecorder
from simulators.modbus_line import ModbusLine
from simulators.publisher import Broker
from simulators.record import Record
from simulators.zigbee import ZigbeeBridge

DRIVERS: Final = ("modbus-rtu", "zigbee2mqtt", "frigate")
"""The drivers whose devices can be simulated."""


class Wire(Protocol):
    """The device side of one connection."""

    name: str
    devices: Mapping[str, SimulatedDevice]
    ready: asyncio.Event
    """Set while a reader would find the devices."""

    async def run(self) -> None:
        """Be there until cancelled."""

    def apply(self, device: str, change: Change) -> None:
        """Change a device; raises KeyError for one of another wire, `NoSuchPoint`."""


class Workshop:
    """Makes wires: keeps what all of them share."""

    def __init__(
        self,
        types: Mapping[str, DeviceType],
        places: Mapping[str, Place],
        *,
        clock: Clock,
        serial_dir: Path,
        broker: Broker | None = None,
        record: Record | None = None,
        seed: int = 0,
        utc_offset: float = 0.0,
        line_timing: bool = False,
        passers: bool = True,
    ) -> None:
        """`broker` replaces the one that connections name; with `line_timing`, serial bytes take time."""
        self._types = types
        self._places = places
        self._clock = clock
        self._serial_dir = serial_dir
        self._broker = broker
        self._record = record
        self._seed = seed
        self._utc_offset = utc_offset
        self._line_timing = line_timing
        self._passers = passers

    def wire(self, edge: str, connection: Connection, devices: Iterable[Device]) -> Wire | None:
        """The wire of `connection` with its devices; None when its driver is not one of `DRIVERS`.

        Raises ValueError for a device that cannot hang on this wire.
        """
        simulated = [
            SimulatedDevice(device, self._types[device.type], str(self._seed), self._utc_offset)
            for device in devices
        ]
        name = f"{edge}-{connection.id}"
        settings = connection.settings
        match connection.driver:
            case "modbus-rtu":
                return ModbusLine(
                    self._serial_dir / line_name(edge, connection),
                    simulated,
                    clock=self._clock,
                    record=self._record,
                    seed=self._seed,
                    baudrate=int(settings.get("baudrate", 9600)) if self._line_timing else None,
                )
            case "zigbee2mqtt":
                return ZigbeeBridge(
                    simulated,
                    base=str(settings.get("topic", "zigbee2mqtt")),
                    name=name,
                    broker=self._broker or _broker(settings),
                    clock=self._clock,
                    record=self._record,
                    seed=self._seed,
                )
            case "frigate":
                return FrigateRecorder(
                    simulated,
                    prefix=str(settings.get("topic", "frigate")),
                    name=name,
                    broker=self._broker or _broker(settings),
                    clock=self._clock,
                    places=self._places,
                    record=self._record,
                    seed=self._seed,
                    passers=self._passers,
                )
        return None


def line_name(edge: str, connection: Connection) -> str:
    """The name of a serial line in the serial folder: the last part of its `port` setting."""
    port = str(connection.settings.get("port", ""))
    return Path(port).name or f"{edge}-{connection.id}"


def _broker(settings: Mapping[str, Any]) -> Broker:
    """The broker that a connection names, read as an edge reads it; raises ValueError, OSError."""
    password = os.environ.get(str(settings.get("password_env", "")))
    if settings.get("password_file"):
        password = read_secret(Path(str(settings["password_file"])))
    address = str(settings.get("broker") or "127.0.0.1:1883")
    return Broker.parse(address, settings.get("username") or None, password)
