"""What a simulated device puts into its registers is what a reader gets out of them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import registry
from edge.drivers.modbus_rtu.profile import plan
from registry.device_types import DeviceType, ModbusProfile, Register
from registry.devices import Device
from registry.reading_files import read_yaml
from simulators.device import SimulatedDevice
from simulators.registers import Memory, from_words, to_words

INTEGERS = {"u16": (0, 65535), "s16": (-32768, 32767), "u32": (0, 2**32 - 1), "s32": (-(2**31), 2**31 - 1)}


@given(st.data(), st.sampled_from(sorted(INTEGERS)), st.sampled_from(["big", "little"]))
def test_every_raw_number_survives_the_way_there_and_back(data, kind, order):
    low, high = INTEGERS[kind]
    raw = data.draw(st.integers(low, high))
    register = Register(
        point="p", table="input", address=0, type=kind, word_order=order, scale=0.1, offset=-40
    )
    value = raw * 0.1 - 40
    assert from_words(register, to_words(register, value)) == pytest.approx(value, abs=1e-6)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["big", "little"]))
def test_floats_keep_all_their_bits(value, order):
    register = Register(point="p", table="holding", address=0, type="f32", word_order=order)
    assert from_words(register, to_words(register, value)) == value


SHIPPED = [
    kind
    for file in sorted((Path(registry.__file__).parent / "types").glob("*.yaml"))
    if (kind := DeviceType.model_validate(read_yaml(file).data)).modbus
]


@pytest.mark.parametrize("kind", SHIPPED, ids=lambda kind: kind.id)
def test_the_edges_decoder_reads_what_every_shipped_model_says(kind):
    memory = Memory(kind.modbus)
    device = SimulatedDevice(
        Device(id="d", type=kind.id, place="p", edge="e", connection="c", address="1"), kind
    )
    values = {point.native: device.wire_value(point, 10**18) for point in kind.points}
    for read in plan(kind.modbus):
        words, said = memory.read(read.table, read.address, read.count, values.__getitem__)
        assert dict(read.values(words)) == dict(said)
        assert {native for native, _ in said} == {register.point for register, _ in read.registers}


def test_a_float_can_say_not_a_number():
    register = Register(point="p", table="holding", address=0, type="f32")
    assert math.isnan(from_words(register, to_words(register, math.nan)))


def test_published_temperatures_have_their_published_words():
    register = Register(point="t", table="input", address=1, type="s16", scale=0.1)
    assert to_words(register, 30.5) == (0x0131,)
    assert to_words(register, -20.5) == (0xFF33,)


def test_a_value_beyond_the_register_stays_at_its_end():
    register = Register(point="t", table="input", address=1, type="s16", scale=0.1)
    assert to_words(register, 1e9) == (0x7FFF,)
    assert to_words(register, -1e9) == (0x8000,)


def test_the_first_word_of_a_little_ordered_value_is_the_low_one():
    register = Register(point="c", table="holding", address=0, type="u32", word_order="little")
    assert to_words(register, 0x00010002) == (2, 1)


def test_status_words_are_said_as_their_numbers():
    register = Register(point="mode", table="holding", address=7, words={2: "test", 3: "normal"})
    assert to_words(register, "test") == (2,)
    assert from_words(register, (3,)) == "normal"


def test_bits_of_one_word_are_said_together_and_gaps_read_as_zero():
    memory = Memory(
        ModbusProfile(
            address_base=1,
            registers=(
                Register(point="alert", table="holding", address=13, type="bit", bit=0),
                Register(point="fire", table="holding", address=13, type="bit", bit=3),
                Register(point="mode", table="holding", address=7, words={3: "normal"}),
            ),
        )
    )
    values = {"alert": True, "fire": True, "mode": "normal"}
    words, said = memory.read("holding", 6, 7, values.__getitem__)
    assert words == [3, 0, 0, 0, 0, 0, 0b1001]
    assert dict(said) == values


def test_what_a_model_does_not_have_cannot_be_read():
    memory = Memory(ModbusProfile(registers=(Register(point="t", table="input", address=1),)))
    assert memory.read("input", 0, 1, lambda _: 1) is None
    assert memory.read("input", 1, 2, lambda _: 1) is None
    assert memory.read("holding", 1, 1, lambda _: 1) is None
