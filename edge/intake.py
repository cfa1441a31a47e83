"""What a driver gives the agent, and what the agent gives a driver.

Modelled on a read that returns the message *and* its acknowledgement: a driver yields lists of
`Intake`; the agent commits their samples and then calls each `ack`. While the agent has no room it
does not ask for the next list, and the driver stops reading its wire.
"""

import base64
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Protocol

import msgspec

from edge.deliveries import DeliveryKeys
from language import Message
from readings import Sample
from readings.vocabulary import MALFORMED
from registry.device_types import DeviceType
from registry.devices import Device
from registry.model import Model

RAW_LIMIT: Final = 4096
"""Bytes of a malformed message that its dead letter keeps."""


class DriverFailed(Exception):
    """The wire is not usable now (port gone, broker unreachable). Start the driver again later."""


class InvalidWiring(Exception):
    """A device cannot be read as it is registered. Stop, and show `device` and `message`."""

    def __init__(self, device: str, message: Message) -> None:
        super().__init__(f"{device}: {message}")
        self.device = device
        self.message = message


class Intake(NamedTuple):
    """Samples that one message or one answer held, and how to say that they are safe.

    `ack` is called once, in the event loop, after the commit. `delivery` is the key of the broker's
    message (`DeliveryKeys`), committed with the samples so that its redelivery can be told. An intake
    without samples waits for the commit of what came before it and is then acknowledged.
    """

    samples: Sequence[Sample]
    ack: Callable[[], None] | None = None
    delivery: tuple[int, int] | None = None
    """(message id, digest)"""


class Driver(Protocol):
    """One connection's reader. The agent makes a new one after each failure."""

    settings: ClassVar[type[Model]]
    """The connection's settings; an unknown key is refused with a suggestion."""

    def __init__(self, settings: Model, context: "DriverContext") -> None: ...

    def intakes(self) -> AsyncGenerator[Sequence[Intake], None]:
        """What arrives, until the wire fails (`DriverFailed`) or the iterator is closed.

        The first list comes, empty if need be, when the wire works.
        """


@dataclass
class Counters:
    """What a connection has seen since the agent started; part of the health readings."""

    messages: int = 0
    malformed: int = 0
    redelivered: int = 0
    errors: int = 0
    """Answers that did not come or said no."""
    silent: int = 0
    """Polled devices that do not answer now."""


@dataclass(frozen=True)
class Broker:
    """The MQTT broker used by connections that name none."""

    url: str = "mqtt://127.0.0.1:1883"
    username: str = ""
    password: str = field(default="", repr=False)


class Attached(msgspec.Struct, frozen=True, gc=False):
    """What an agent needs of a registered device, and no more: there may be thousands on a small box."""

    id: str
    type: str
    source: str
    address: str

    @classmethod
    def of(cls, device: Device) -> "Attached":
        """From the registry's device."""
        return cls(device.id, device.type, device.source, device.address)


@dataclass(frozen=True)
class DriverContext:
    """What the agent lends a driver."""

    edge: str
    connection: str
    devices: tuple["Attached", ...]
    types: Mapping[str, DeviceType]
    clock: Callable[[], int]
    """The edge's clock, nanoseconds since 1970-01-01 UTC."""
    letters: "DeadLetters"
    deliveries: DeliveryKeys
    counters: Counters
    notes: "Notes"
    broker: Broker = Broker()
    serial_folder: Path = Path("/dev")
    """Where a serial port given as a bare name lies."""


class Notes(Protocol):
    """Small facts of a connection that survive a restart of the agent."""

    def note(self, key: str) -> str:
        """What was noted under `key`, or an empty text."""

    def write_note(self, key: str, value: str) -> None:
        """Note `value`; durable with the next commit."""


class DeadLetters:
    """Turns what cannot be understood into samples that end in the gateway's quarantine.

    At most one letter per source and second; the rest is counted only, so rubbish cannot flood.
    """

    _SOURCES: Final = 4096

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._last: dict[str, int] = {}

    def letter(self, source: str, reason: str, raw: bytes, now: int) -> list[Sample]:
        """One sample of point `MALFORMED` with the first 4 kB of `raw` as base64, or none."""
        self._counters.malformed += 1
        if now - self._last.get(source, -(1 << 62)) < 1_000_000_000:
            return []
        if len(self._last) >= self._SOURCES:
            self._last.clear()
        self._last[source] = now
        value = base64.b64encode(raw[:RAW_LIMIT]).decode("ascii")
        return [Sample(source, MALFORMED, value, now, event=reason[:200])]
