"""A RS-485 line of Modbus RTU devices behind a pseudo terminal.

The line answers at frame level, with pymodbus' framer and PDUs, and only for its own device ids:
pymodbus' ready-made server answers for absent ids too, and a bus where everybody answers hides every
wiring mistake.
"""

import asyncio
import contextlib
import os
import random
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pymodbus.exceptions import ModbusException
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsResponse, ReadDiscreteInputsResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, ReadInputRegistersResponse

from readings import Scalar
from simulators.clock import Clock
from simulators.device import Change, Fault, SimulatedDevice
from simulators.record import Recorder, Sent
from simulators.registers import Memory
from simulators.wire_values import from_wire

_TABLES: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
_ANSWERS: Final[dict[int, type[Any]]] = {
    1: ReadCoilsResponse,
    2: ReadDiscreteInputsResponse,
    3: ReadHoldingRegistersResponse,
    4: ReadInputRegistersResponse,
}
ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
FRAME_END: Final = 0.05
"""Seconds of quiet after which an unfinished request is forgotten (3.5 characters on a real line;
a pseudo terminal and a busy machine need more)."""
SLOWNESS: Final = 1.5
"""Seconds that a device with the fault `slow` takes."""


class ModbusLine:
    """One bus: a pseudo terminal, and the devices that listen on it."""

    def __init__(
        self,
        link: Path,
        devices: Sequence[SimulatedDevice],
        *,
        clock: Clock,
        record: Recorder | None = None,
        seed: int = 0,
        baudrate: int | None = None,
    ) -> None:
        """`link` is where readers find the line. With `baudrate`, bytes take their real time.

        Raises ValueError for a device whose address is no Modbus id or whose type has no Modbus
        profile.
        """
        self.link = link
        self.name = link.name
        self.devices: Mapping[str, SimulatedDevice] = {device.id: device for device in devices}
        self._by_id = {_unit_id(device): device for device in devices}
        self._memories = {device.type.id: _memory(device) for device in devices}
        self._clock = clock
        self._record = record
        self._random = random.Random(f"{seed}/{link.name}")
        self._seconds_per_byte = 10 / baudrate if baudrate else 0.0
        self._framer = FramerRTU(DecodePDU(is_server=True))
        self._pending = b""
        self._late: set[asyncio.TimerHandle] = set()
        self._forget: asyncio.TimerHandle | None = None
        self._master = self._slave = -1
        self._gone: asyncio.Future[None] | None = None
        self.ready = asyncio.Event()

    def apply(self, device: str, change: Change) -> None:
        """Change a device; what it says is asked of it later. Raises KeyError for one not on this line."""
        self.devices[device].apply(change, self._clock.story())

    async def run(self) -> None:
        """Hold the line until cancelled. Raises OSError when the pseudo terminal cannot be made."""
        loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        # The line keeps a handle on the reader's side: a reader may close and come back.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        target = os.ttyname(self._slave)
        self._gone = loop.create_future()
        try:
            _point(self.link, target)
            loop.add_reader(self._master, self._readable)
            self.ready.set()
            await self._gone
        finally:
            self.ready.clear()
            loop.remove_reader(self._master)
            for timer in [*self._late, *([self._forget] if self._forget else [])]:
                timer.cancel()
            self._late.clear()
            with contextlib.suppress(FileNotFoundError):
                if str(self.link.readlink()) == target:
                    self.link.unlink()
            os.close(self._master)
            os.close(self._slave)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        except OSError as error:
            if self._gone is not None and not self._gone.done():
                self._gone.set_exception(error)
            return
        self._pending = (self._pending + data)[-2 * FramerRTU.MAX_SIZE :]
        if self._forget is not None:
            self._forget.cancel()
            self._forget = None
        try:
            used, request = self._framer.handleFrame(self._pending, 0, 0)
        except (ModbusException, IndexError):
            used, request = len(self._pending), None
        self._pending = self._pending[used:]
        if request is not None:
            self._answer(request)
        if self._pending:
            self._forget = asyncio.get_running_loop().call_later(FRAME_END, self._drop_rest)

    def _drop_rest(self) -> None:
        self._pending = b""
        self._forget = None

    def _answer(self, request: ModbusPDU) -> None:
        device = self._by_id.get(request.dev_id)
        if device is None or device.fault is Fault.SILENT:
            return
        response, said = self._respond(device, request)
        response.dev_id = request.dev_id
        frame = self._framer.buildFrame(response)
        delay = self._seconds_per_byte * (8 + len(frame) + 7)
        if device.fault is Fault.SLOW:
            delay += SLOWNESS
        spoilt = self._spoil(device.fault, frame)
        if spoilt == frame and device.fault is not Fault.SLOW:
            self._write_down(device, said)
        if not delay:
            self._send(spoilt)
            return
        loop = asyncio.get_running_loop()

        def say() -> None:
            self._late.discard(timer)
            self._send(spoilt)

        timer = loop.call_later(delay, say)
        self._late.add(timer)

    def _respond(
        self, device: SimulatedDevice, request: ModbusPDU
    ) -> tuple[ModbusPDU, list[tuple[str, Scalar]]]:
        code = request.function_code
        table = _TABLES.get(code)
        if table is None:
            return ExceptionResponse(code, ILLEGAL_FUNCTION), []
        now = self._clock.story()
        natives = {point.native: point for point in device.type.points}

        def value(native: str) -> Scalar:
            point = natives.get(native)
            return 0 if point is None else device.wire_value(point, now)

        found = self._memories[device.type.id].read(table, request.address, request.count, value)
        if found is None:
            return ExceptionResponse(code, ILLEGAL_ADDRESS), []
        words, said = found
        if code in (1, 2):
            return _ANSWERS[code](bits=[bool(word) for word in words]), said
        return _ANSWERS[code](registers=words), said

    def _spoil(self, fault: Fault | None, frame: bytes) -> bytes:
        match fault:
            case Fault.WRONG_CRC:
                return frame[:-1] + bytes([frame[-1] ^ 0x5A])
            case Fault.HALF_FRAME:
                return frame[: len(frame) // 2]
            case Fault.BIT_FLIPS:
                return flip_bits(frame, self._random)
            case Fault.RUBBISH:
                return self._random.randbytes(self._random.randint(1, 24))
        return frame

    def _send(self, frame: bytes) -> None:
        # A full buffer means that nobody has read for long: a bus does not wait either.
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, frame)

    def _write_down(self, device: SimulatedDevice, said: list[tuple[str, Scalar]]) -> None:
        if self._record is None:
            return
        now = self._clock.wall()
        natives = {point.native: point for point in device.type.points}
        for native, wire in said:
            point = natives.get(native)
            if point is not None:
                self._record.write(Sent(now, device.id, point.name, from_wire(point, wire), wire))


def flip_bits(data: bytes, chance: random.Random) -> bytes:
    """`data` with one to three bits turned over."""
    spoilt = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _point(link: Path, target: str) -> None:
    """Make `link` lead to `target` in one step, whatever was there."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(target)
    fresh.replace(link)


def _unit_id(device: SimulatedDevice) -> int:
    if not device.address.isdecimal() or not 1 <= int(device.address) <= 255:
        raise ValueError(f"device {device.id!r}: address {device.address!r} is no Modbus id (1 to 255)")
    return int(device.address)


def _memory(device: SimulatedDevice) -> Memory:
    if device.type.modbus is None:
        raise ValueError(f"device {device.id!r}: type {device.type.id!r} has no modbus profile")
    return Memory(device.type.modbus)
