"""One serial line of Modbus RTU devices, polled one after the other.

A device's address is its Modbus id (1 to 255); what to read is its type's `modbus` profile. Every answer
is one intake. No answer, an exception answer and rubbish are counted; bytes that were no frame become
dead letters. A line that goes away (adapter unplugged) is `DriverFailed`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import Field
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusException

from edge.drivers.modbus_rtu.frames import verdict
from edge.drivers.modbus_rtu.profile import FUNCTION_CODES, Read, plan
from edge.drivers.modbus_rtu.schedule import Schedule, Turn
from edge.intake import Attached, DriverContext, DriverFailed, Intake, InvalidWiring
from language import N_, Message
from readings import Sample
from registry.model import Model

_QUIET: Final = 0.02
"""Seconds the line is left alone after a failure, so that a late answer is not the next one's."""

# Every missing answer would be an error of its own in pymodbus' log; here it is a counter.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class ModbusRtuSettings(Model):
    """The serial line."""

    port: str = Field(
        description="Serial device: /dev/ttyUSB0, or a name in the edge's serial folder (default /dev).",
        min_length=1,
    )
    baudrate: int = Field(9600, ge=300, le=4_000_000, description="Bits per second, as set at the devices.")
    parity: Literal["N", "E", "O"] = Field("N", description="none, even or odd.")
    stopbits: Literal[1, 2] = Field(1, description="Stop bits, as set at the devices.")
    poll: float | None = Field(
        None, gt=0, description="Seconds between two polls of a device; default: its type's `interval`."
    )
    retries: int = Field(1, ge=0, le=5, description="Further attempts at a device that answered last time.")


@dataclass(frozen=True, slots=True)
class _Polled:
    unit: int
    source: str
    reads: tuple[Read, ...]
    timeout: float


class _NoAnswer(Exception):
    """The device said nothing that could be understood."""


class ModbusRtu:
    """The master of one line."""

    settings: ClassVar[type[Model]] = ModbusRtuSettings

    def __init__(self, settings: Model, context: DriverContext) -> None:
        assert isinstance(settings, ModbusRtuSettings)  # noqa: S101 - made from the class above
        self._settings = settings
        self._context = context
        self._schedule = Schedule([self._turn(device) for device in context.devices])
        self._received = b""
        """Bytes that came and were not (yet) understood."""

    async def intakes(self) -> AsyncGenerator[Sequence[Intake], None]:
        """One intake per device that answered; raises `DriverFailed` when the line is gone."""
        settings = self._settings
        port = str(self._context.serial_folder / settings.port)
        client = AsyncModbusSerialClient(
            port,
            baudrate=settings.baudrate,
            parity=settings.parity,
            stopbits=settings.stopbits,
            timeout=30,  # each device has a shorter one of its own
            retries=0,
            reconnect_delay=0,
            trace_packet=self._trace,
        )
        if not await client.connect():
            raise DriverFailed(f"serial port {port} cannot be opened")
        loop = asyncio.get_running_loop()
        try:
            yield ()
            while True:
                turn, wait = self._schedule.next(loop.time())
                if turn is None:
                    await asyncio.sleep(wait)
                    samples = self._leftover(f"{self._context.connection}/line", 0, 0)
                else:
                    samples = await self._poll(client, turn, loop)
                if samples:
                    yield [Intake(samples)]
                if not client.connected:
                    raise DriverFailed(f"serial port {port} is gone")
        finally:
            client.close()

    def _turn(self, device: Attached) -> Turn[_Polled]:
        context = self._context
        device_type = context.types[device.type]
        if device_type.modbus is None:
            raise InvalidWiring(
                device.id,
                Message(N_("device type `{type}` has no `modbus` section"), {"type": device.type}),
            )
        if (
            not device.address.isascii()
            or not device.address.isdigit()
            or not 1 <= int(device.address) <= 255
        ):
            raise InvalidWiring(
                device.id,
                Message(N_("`{address}` is no Modbus id (1 to 255)"), {"address": device.address}),
            )
        try:
            reads = plan(device_type.modbus)
        except ValueError as error:
            raise InvalidWiring(
                device.id, Message(N_("is not valid: {reason}"), {"reason": error})
            ) from error
        polled = _Polled(int(device.address), device.source, reads, device_type.modbus.timeout)
        return Turn(polled, self._settings.poll or device_type.interval)

    async def _poll(
        self, client: AsyncModbusSerialClient, turn: Turn[_Polled], loop: asyncio.AbstractEventLoop
    ) -> list[Sample]:
        """Everything `turn`'s device says now; rubbish that came instead, as dead letters."""
        counters, started = self._context.counters, loop.time()
        samples = self._leftover(f"{self._context.connection}/line", 0, 0)
        attempts = 1 if turn.failures else 1 + self._settings.retries
        try:
            for read in turn.device.reads:
                samples += await self._read(client, turn.device, read, attempts)
        except _NoAnswer:
            counters.errors += 1
            function = FUNCTION_CODES[turn.device.reads[0].table]
            samples += self._leftover(turn.device.source, turn.device.unit, function)
            self._schedule.failed(turn, loop.time(), loop.time() - started)
        else:
            self._schedule.answered(turn, loop.time())
        counters.silent = self._schedule.dead
        return samples

    async def _read(
        self, client: AsyncModbusSerialClient, device: _Polled, read: Read, attempts: int
    ) -> list[Sample]:
        """One request, its answer as samples; an exception answer is counted and gives none.

        Raises `_NoAnswer`, and `DriverFailed` when the line is gone.
        """
        ask = {
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
        }[read.table]
        for _ in range(attempts):
            if not client.connected:
                raise DriverFailed("the serial port is gone")
            try:
                async with asyncio.timeout(device.timeout):
                    answer = await ask(read.address, count=read.count, device_id=device.unit)
            except (TimeoutError, ModbusException):
                await asyncio.sleep(_QUIET)
                continue
            if answer.function_code & 0x7F != FUNCTION_CODES[read.table]:
                continue  # pymodbus takes any sound frame of the device; this one answers something else
            if answer.isError():
                self._understood()
                self._context.counters.errors += 1
                return []
            words = answer.bits if read.table in ("coil", "discrete") else answer.registers
            if len(words) >= read.count:
                self._understood()
                now = self._context.clock()
                return [Sample(device.source, point, value, now) for point, value in read.values(words)]
        raise _NoAnswer

    def _trace(self, sending: bool, data: bytes) -> bytes:
        """pymodbus shows every byte that comes and goes; received ones are kept until understood."""
        if not sending and data:
            self._received = data[-512:]
        return data

    def _understood(self) -> None:
        self._context.counters.messages += 1
        self._received = b""

    def _leftover(self, source: str, unit: int, function: int) -> list[Sample]:
        """A dead letter of what came and was no answer, if anything did."""
        received, self._received = self._received, b""
        if not received:
            return []
        reason = verdict(received, unit, function)
        return self._context.letters.letter(source, reason, received, self._context.clock())
