"""The simulated bus, read by somebody else's client through a real pseudo terminal."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import serial
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusIOException

from simulators.clock import Clock
from simulators.device import Break, Fault, Hold, NoSuchPoint, Release, SimulatedDevice
from simulators.modbus_line import ModbusLine
from simulators.record import Record, read_record

ASK = "FF 02 00 00 00 01 AC 14"
OK = bytes.fromhex("FF 02 01 01 51 A0")


@contextlib.asynccontextmanager
async def running(line: ModbusLine) -> AsyncIterator[ModbusLine]:
    task = asyncio.create_task(line.run())
    await asyncio.wait_for(line.ready.wait(), 10)
    yield line
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@contextlib.asynccontextmanager
async def client(line: ModbusLine, limit: float = 2.0) -> AsyncIterator[AsyncModbusSerialClient]:
    reader = AsyncModbusSerialClient(str(line.link), baudrate=9600, timeout=limit, retries=0)
    assert await reader.connect()
    yield reader
    reader.close()


@pytest.fixture
def line(house, tmp_path: Path) -> ModbusLine:
    devices = [
        SimulatedDevice(found, house.types[found.type])
        for found in house.devices.values()
        if found.connection == "rs485"
    ]
    return ModbusLine(tmp_path / "serial" / "rs485-1", devices, clock=Clock())


async def ask_raw(line: ModbusLine, request: str, expect: int, wait: float = 5.0) -> bytes:
    """What stands on the wire after a raw request: `expect` bytes, or what came within `wait` seconds."""
    with serial.Serial(str(line.link), 9600, timeout=wait) as port:
        port.write(bytes.fromhex(request))
        return await asyncio.to_thread(port.read, expect)


async def test_a_foreign_client_reads_the_values_that_the_device_holds(line):
    async with running(line), client(line) as reader:
        line.apply("cellar-md02", Hold({"temperature": -20.5, "humidity": 47.3}))
        answer = await reader.read_input_registers(1, count=2, device_id=17)
        assert answer.registers == [0xFF33, 473]


async def test_published_frames_come_back_byte_by_byte(line):
    async with running(line):
        assert await ask_raw(line, ASK, 6) == OK
        line.apply("cellar-smoke", Hold({"smoke": True}))
        assert await ask_raw(line, ASK, 6) == bytes.fromhex("FF 02 01 00 90 60")


async def test_nobody_answers_for_an_absent_device(line):
    async with running(line), client(line, limit=0.3) as reader:
        with pytest.raises(ModbusIOException):
            await reader.read_input_registers(1, count=1, device_id=18)
        assert not (await reader.read_input_registers(1, count=1, device_id=17)).isError()


async def test_an_address_the_model_lacks_is_refused_as_a_device_would(line):
    async with running(line), client(line) as reader:
        answer = await reader.read_input_registers(400, count=1, device_id=17)
        assert answer.isError()
        assert answer.exception_code == 2
        answer = await reader.write_register(1, 5, device_id=17)
        assert answer.exception_code == 1


async def test_a_reader_may_leave_and_come_back(line):
    async with running(line):
        for _ in range(3):
            async with client(line) as reader:
                assert not (await reader.read_input_registers(1, count=1, device_id=17)).isError()


async def test_rubbish_on_the_line_does_not_keep_the_next_request_from_its_answer(line):
    async with running(line):
        with serial.Serial(str(line.link), 9600, timeout=5) as port:
            port.write(os.urandom(3))
            await asyncio.sleep(0.2)  # the quiet that ends a frame on this bus
            port.write(bytes.fromhex(ASK))
            assert await asyncio.to_thread(port.read, 6) == OK


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.WRONG_CRC, "FF 02 01 01 51 FA"),
        (Fault.HALF_FRAME, "FF 02 01"),
        (Fault.SILENT, ""),
    ],
)
async def test_faults_are_really_on_the_wire(line, fault, expected):
    async with running(line):
        line.apply("cellar-smoke", Break(fault))
        assert await ask_raw(line, ASK, 6, wait=0.4) == bytes.fromhex(expected)
        line.apply("cellar-smoke", Break(None))
        assert await ask_raw(line, ASK, 6) == OK


@pytest.mark.parametrize("fault", [Fault.BIT_FLIPS, Fault.RUBBISH])
async def test_spoilt_answers_are_no_valid_answers(line, fault):
    async with running(line):
        line.apply("cellar-smoke", Break(fault))
        said = await ask_raw(line, ASK, 6, wait=0.4)
        assert said
        assert said != OK


async def test_a_slow_device_answers_into_a_later_turn(line):
    async with running(line):
        line.apply("cellar-smoke", Break(Fault.SLOW))
        assert await ask_raw(line, ASK, 6, wait=10) == bytes.fromhex("FF 02 01 01 51 A0")


async def test_line_timing_does_not_change_what_is_said(house, tmp_path):
    devices = [SimulatedDevice(house.devices["cellar-smoke"], house.types["novabo-smoke"])]
    async with running(ModbusLine(tmp_path / "slow", devices, clock=Clock(), baudrate=9600)) as line:
        assert await ask_raw(line, ASK, 6) == OK


async def test_the_link_replaces_a_stale_one_and_goes_with_the_line(line):
    line.link.parent.mkdir(parents=True)
    line.link.symlink_to("/dev/pts/nowhere")
    async with running(line):
        assert line.link.resolve().exists()
    assert not line.link.is_symlink()


async def test_what_was_answered_is_written_down_as_the_reader_got_it(house, tmp_path):
    record = Record(tmp_path / "sent.jsonl.gz")
    devices = [SimulatedDevice(house.devices["cellar-md02"], house.types["xy-md02"])]
    async with running(ModbusLine(tmp_path / "l", devices, clock=Clock(), record=record)) as line:
        line.apply("cellar-md02", Hold({"temperature": 21.27}))
        async with client(line) as reader:
            await reader.read_input_registers(1, count=1, device_id=17)
    record.close()
    (sent,) = read_record(record.path)
    assert (sent.device, sent.point) == ("cellar-md02", "temperature")
    assert sent.value == pytest.approx(21.3)


def test_a_released_device_goes_back_to_its_quiet_life(house):
    device = SimulatedDevice(house.devices["cellar-md02"], house.types["xy-md02"])
    quiet = device.value("temperature", 0)
    device.apply(Hold({"temperature": 90.0}), 0)
    device.apply(Break(Fault.SILENT), 0)
    assert device.value("temperature", 0) == 90.0
    device.apply(Release(), 0)
    assert device.value("temperature", 0) == quiet
    assert device.fault is None


def test_a_point_that_the_type_lacks_is_named(house):
    device = SimulatedDevice(house.devices["cellar-md02"], house.types["xy-md02"])
    with pytest.raises(NoSuchPoint, match="smoke"):
        device.apply(Hold({"smoke": True}), 0)


def test_a_device_on_the_wrong_wire_is_refused(house, tmp_path):
    zigbee = SimulatedDevice(house.devices["kitchen-climate"], house.types["z2m-climate"])
    with pytest.raises(ValueError, match="no Modbus id"):
        ModbusLine(tmp_path / "x", [zigbee], clock=Clock())
