"""A Zigbee2MQTT bridge with its devices, as a broker sees it.

Topics and payloads as of Zigbee2MQTT 2.x: ``<base>/<friendly name>`` with the device's whole state,
``<base>/<friendly name>/availability`` (retained ``{"state":"online"}``), ``<base>/bridge/state`` and
``<base>/bridge/devices`` with the definition of each device and its `exposes`.
Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""

import random
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from readings import Scalar
from registry.device_types import Kind, Point
from simulators.clock import Clock
from simulators.device import (
    AVAILABILITY,
    Break,
    Change,
    Fault,
    Glide,
    Hold,
    Occur,
    Release,
    Report,
    SimulatedDevice,
    spoken,
)
from simulators.modbus_line import flip_bits
from simulators.publisher import Broker, Outgoing, Publisher
from simulators.record import Record, Sent
from simulators.wire_values import from_wire, to_wire

_ONLINE: Final = b'{"state":"online"}'
_OFFLINE: Final = b'{"state":"offline"}'
INSISTS_EVERY: Final = 20.0
"""Seconds between two reports of a device that is not in its quiet state."""
FIRST_REPORTS: Final = 45.0
"""Seconds within which all devices have spoken once after a start, whatever their interval."""

_encode = msgspec.json.encode


class ZigbeeBridge:
    """One bridge: all Zigbee devices of one connection."""

    def __init__(
        self,
        devices: Sequence[SimulatedDevice],
        *,
        base: str = "zigbee2mqtt",
        name: str,
        broker: Broker,
        clock: Clock,
        record: Record | None = None,
        seed: int = 0,
    ) -> None:
        """`base` is the base topic; `name` names the connection towards the broker."""
        self.name = name
        self.base = base
        self.devices: Mapping[str, SimulatedDevice] = {device.id: device for device in devices}
        self._clock = clock
        self._random = random.Random(f"{seed}/{name}")
        self._insisting: set[str] = set()
        self._publisher = Publisher(
            broker,
            name=name,
            clock=clock,
            record=record,
            opening=self._opening,
            closing=[Outgoing(f"{base}/bridge/state", _OFFLINE, retain=True)],
        )
        self.ready = self._publisher.connected

    async def run(self) -> None:
        """Report as the devices would, until cancelled."""
        now = self._clock.elapsed()
        for device in self.devices.values():
            first = self._random.uniform(0, min(device.type.interval, FIRST_REPORTS))
            self._publisher.at(now + first, lambda device=device: self._report(device))  # type: ignore[misc]  # the default binds the loop's device
        await self._publisher.run()

    def apply(self, device: str, change: Change) -> None:
        """Change a device and say what it would say about it. Raises KeyError, `NoSuchPoint`."""
        found = self.devices[device]
        found.apply(change, self._clock.story())
        if found.held and device not in self._insisting:
            self._insisting.add(device)
            self._publisher.at(self._clock.elapsed() + INSISTS_EVERY, lambda: self._insist(found))
        match change:
            case Occur(word):
                point = found.event_point()
                if point is not None:
                    self._publisher.send(self._say(found, ((point, to_wire(point, word)),)))
            case Hold() | Glide() | Report() | Release():
                self._publisher.send(self._say(found))
            case Break():
                pass  # nobody announces that

    def _report(self, device: SimulatedDevice) -> Iterator[Outgoing]:
        """The periodic report, and the appointment for the next: 0.6 to 0.9 of the type's interval."""
        pause = device.type.interval * self._random.uniform(0.6, 0.9)
        self._publisher.at(self._clock.elapsed() + pause, lambda: self._report(device))
        return self._say(device)

    def _insist(self, device: SimulatedDevice) -> Iterator[Outgoing]:
        """Say it again, as a detector in alarm does, for as long as it is held out of its quiet life."""
        if not device.held:
            self._insisting.discard(device.id)
            return iter(())
        self._publisher.at(self._clock.elapsed() + INSISTS_EVERY, lambda: self._insist(device))
        return self._say(device)

    def _say(
        self, device: SimulatedDevice, extra: tuple[tuple[Point, Scalar], ...] = ()
    ) -> Iterator[Outgoing]:
        if device.fault is Fault.SILENT:
            return
        now, wall = self._clock.story(), self._clock.wall()
        state: dict[str, Any] = {}
        sent = []
        for point in spoken(device.type):
            wire = device.wire_value(point, now)
            _put(state, point.native, wire)
            sent.append(Sent(wall, device.id, point.name, from_wire(point, wire), wire))
        for point, wire in extra:
            _put(state, point.native, wire)
            sent.append(Sent(wall, device.id, point.name, from_wire(point, wire), wire))
        payload = _encode(state)
        spoilt = self._spoil(device.fault, payload)
        yield Outgoing(f"{self.base}/{device.address}", spoilt, sent=tuple(sent) if spoilt == payload else ())

    def _spoil(self, fault: Fault | None, payload: bytes) -> bytes:
        match fault:
            case Fault.HALF_FRAME | Fault.WRONG_CRC:
                return payload[: len(payload) // 2]
            case Fault.BIT_FLIPS:
                return flip_bits(payload, self._random)
            case Fault.RUBBISH:
                return self._random.randbytes(self._random.randint(1, 64))
        return payload

    def _opening(self) -> Iterator[Outgoing]:
        yield Outgoing(f"{self.base}/bridge/state", _ONLINE, retain=True)
        yield Outgoing(f"{self.base}/bridge/devices", self._device_list(), retain=True)
        for device in self.devices.values():
            sent = tuple(
                Sent(self._clock.wall(), device.id, point.name, from_wire(point, "online"), "online")
                for point in device.type.points
                if point.native == AVAILABILITY
            )
            yield Outgoing(f"{self.base}/{device.address}/{AVAILABILITY}", _ONLINE, retain=True, sent=sent)

    def _device_list(self) -> bytes:
        exposes: dict[str, msgspec.Raw] = {}
        entries: list[dict[str, Any]] = [
            {
                "ieee_address": "0x00124b0000000001",
                "type": "Coordinator",
                "network_address": 0,
                "supported": True,
                "disabled": False,
                "friendly_name": "Coordinator",
                "interview_state": "SUCCESSFUL",
            }
        ]
        for device in self.devices.values():
            kind = device.type
            if kind.id not in exposes:
                exposes[kind.id] = msgspec.Raw(
                    _encode([_expose(p) for p in kind.points if p.native != AVAILABILITY])
                )
            number = zlib.crc32(device.id.encode())
            entries.append(
                {
                    "ieee_address": f"0x00158d00{number:08x}",
                    "type": "EndDevice",
                    "network_address": number & 0xFFFF,
                    "supported": True,
                    "disabled": False,
                    "friendly_name": device.address,
                    "definition": {
                        "source": "native",
                        "model": kind.model or kind.id,
                        "vendor": kind.vendor,
                        "description": kind.label.get("en", kind.id),
                        "exposes": exposes[kind.id],
                    },
                    "power_source": "Battery",
                    "interview_state": "SUCCESSFUL",
                }
            )
        return _encode(entries)


def _put(state: dict[str, Any], native: str, value: Scalar) -> None:
    """Set a native point; dots in its name lead into nested objects, as drivers flatten them."""
    *way, last = native.split(".")
    for part in way:
        state = state.setdefault(part, {})
    state[last] = value


def _expose(point: Point) -> dict[str, Any]:
    """One entry of `exposes`. Source: https://www.zigbee2mqtt.io/guide/usage/exposes.html."""
    common = {"name": point.native, "property": point.native, "access": 1, "label": point.native}
    match point.kind:
        case Kind.BINARY:
            values = {"value_on": to_wire(point, True), "value_off": to_wire(point, False)}
            return {"type": "binary", **common, **values}
        case Kind.NUMBER:
            return {"type": "numeric", **common, **({"unit": _unit(point)} if _unit(point) else {})}
    return {"type": "enum", **common, "values": list(point.states)}


def _unit(point: Point) -> str:
    unit = point.native_unit or point.unit
    return {"Cel": "°C", "1": "lqi" if point.native == "linkquality" else ""}.get(unit, unit)
