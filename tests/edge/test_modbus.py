"""Polling real pseudo-terminals: pymodbus' own server, and a line that answers what a test tells it."""

import asyncio
import os
import tty
from contextlib import aclosing

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.deliveries import DeliveryKeys
from edge.drivers.modbus_rtu.driver import ModbusRtu, ModbusRtuSettings
from edge.intake import Attached, Counters, DeadLetters, DriverContext, DriverFailed, InvalidWiring
from readings.vocabulary import MALFORMED
from registry.device_types import DeviceType

CLIMATE = DeviceType.model_validate(
    {
        "id": "xy-md02",
        "device_class": "environment",
        "interval": 0.05,
        "points": [{"name": "temperature"}, {"name": "humidity"}],
        "modbus": {
            "timeout": 0.3,
            "registers": [
                {"point": "temperature", "table": "input", "address": 1, "type": "s16", "scale": 0.1},
                {"point": "humidity", "table": "input", "address": 2, "scale": 0.1},
            ],
        },
    }
)
ANSWER = bytes.fromhex("01 04 04 01 31 02 22 2a ce")


class Notes:
    def note(self, key):
        return ""

    def write_note(self, key, value):
        pass


def device(address):
    return Attached(f"d{address}", "xy-md02", f"rs/{address}", address)


def driver(port, *addresses, **settings):
    counters = Counters()
    context = DriverContext(
        edge="e1",
        connection="rs",
        devices=tuple(device(address) for address in addresses),
        types={"xy-md02": CLIMATE},
        clock=lambda: 1_000_000_000,
        letters=DeadLetters(counters),
        deliveries=DeliveryKeys(),
        counters=counters,
        notes=Notes(),
    )
    return ModbusRtu(ModbusRtuSettings(port=str(port), **settings), context), counters


async def first(made, count):
    """The samples of the first `count` intakes that hold any."""
    found = []
    async with asyncio.timeout(20), aclosing(made.intakes()) as intakes:
        async for batch in intakes:
            found += [intake.samples for intake in batch]
            if len(found) >= count:
                return found
    raise AssertionError("the driver ended")


@pytest.fixture
def line():
    """A pty: (the master's file descriptor, the path a driver opens)."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    for descriptor in (master, slave):
        os.close(descriptor)


@pytest.fixture
async def answers(line):
    """Sets what the line answers to each request, in order; the last answer stands."""
    master, _ = line
    script = []
    loop = asyncio.get_running_loop()
    requests = []

    def on_request():
        requests.append(os.read(master, 256))
        if script:
            os.write(master, script.pop(0) if len(script) > 1 else script[0])

    loop.add_reader(master, on_request)
    yield script, requests
    loop.remove_reader(master)


async def test_somebody_elses_modbus_server_is_read(tmp_path):
    process = await asyncio.create_subprocess_exec(
        "socat", f"PTY,raw,echo=0,link={tmp_path}/a", f"PTY,raw,echo=0,link={tmp_path}/b"
    )
    try:
        while not (tmp_path / "b").exists():  # noqa: ASYNC110 - socat's doing
            await asyncio.sleep(0.01)
        server = ModbusSerialServer(
            SimDevice(17, simdata=[SimData(1, values=[305, 546], datatype=DataType.REGISTERS)]),
            framer=FramerType.RTU,
            port=f"{tmp_path}/a",
            baudrate=9600,
        )
        await server.serve_forever(background=True)
        made, _ = driver(f"{tmp_path}/b", "17")
        (samples,) = await first(made, 1)
        assert [(s.source, s.point, s.value) for s in samples] == [
            ("rs/17", "temperature", 30.5),
            ("rs/17", "humidity", 54.6),
        ]
        await server.shutdown()
    finally:
        process.terminate()
        await process.wait()


async def test_neighbouring_registers_are_one_request(line, answers):
    script, requests = answers
    script.append(ANSWER)
    made, _ = driver(line[1], "1")
    (samples,) = await first(made, 1)
    assert [sample.value for sample in samples] == [30.5, 54.6]
    assert requests == [bytes.fromhex("01 04 00 01 00 02 20 0b")]


@pytest.mark.parametrize(
    ("rubbish", "reason"),
    [
        (ANSWER[:-1] + b"\x00", "wrong CRC"),
        (ANSWER[:5], "half a frame: 5 of 9 bytes"),
        (b"\x00\xff\x13rubbish\x00", "not from device 1"),
        (bytes.fromhex("01 03 02 00 05 78 47"), "function code 0x03 instead of 0x04"),
    ],
)
async def test_what_is_no_answer_becomes_a_dead_letter_and_polling_goes_on(line, answers, rubbish, reason):
    script, _ = answers
    script += [rubbish, ANSWER]
    made, counters = driver(line[1], "1", retries=0)
    letter, good = (await first(made, 2))[:2]
    assert (letter[0].point, letter[0].source) == (MALFORMED, "rs/1")
    assert reason in letter[0].event
    assert [sample.value for sample in good] == [30.5, 54.6]
    assert counters.errors == 1


async def test_an_exception_answer_is_counted_and_the_device_is_alive(line, answers):
    script, _ = answers
    script += [bytes.fromhex("01 84 02 c2 c1"), ANSWER]
    made, counters = driver(line[1], "1")
    await first(made, 1)
    assert (counters.errors, counters.silent) == (1, 0)


async def test_dead_devices_do_not_slow_a_line(line, answers):
    """One of six answers: once the others are known to be dead it gets nine tenths of the line."""
    _, requests = answers
    master, _ = line
    loop = asyncio.get_running_loop()
    loop.remove_reader(master)

    def on_request():
        requests.append(os.read(master, 256))
        if requests[-1][0] == 1:
            os.write(master, ANSWER)

    loop.add_reader(master, on_request)
    made, counters = driver(line[1], "1", "2", "3", "4", "5", "6")
    for turn in made._schedule.turns:
        object.__setattr__(turn.device, "timeout", 0.05)
    await first(made, 60)
    assert counters.silent == 5
    assert [request[0] for request in requests[-20:]].count(1) >= 15


async def test_a_port_that_is_missing_is_said_so(tmp_path):
    made, _ = driver(tmp_path / "none", "1")
    with pytest.raises(DriverFailed, match="none cannot be opened"):
        await first(made, 1)


async def test_a_port_that_goes_away_is_told(tmp_path):
    process = await asyncio.create_subprocess_exec(
        "socat", f"PTY,raw,echo=0,link={tmp_path}/a", f"PTY,raw,echo=0,link={tmp_path}/b"
    )
    while not (tmp_path / "b").exists():  # noqa: ASYNC110 - socat's doing
        await asyncio.sleep(0.01)
    made, _ = driver(tmp_path / "b", "1")

    async def unplug_while_reading():
        async with asyncio.timeout(20), aclosing(made.intakes()) as intakes:
            async for _ in intakes:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()

    with pytest.raises(DriverFailed):
        await unplug_while_reading()


def test_an_address_that_is_no_modbus_id_is_refused():
    with pytest.raises(InvalidWiring, match="no Modbus id"):
        driver("x", "kitchen")
