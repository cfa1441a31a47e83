"""Published frames and payloads as data folders, and anything else as hypothesis finds it.

A case is ``tests/testcases/<protocol>/<case>/``: `case.yaml` says what goes in and what must come out.
"""

import base64
import json
import math
import struct
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from edge.drivers import frigate, zigbee2mqtt
from edge.drivers.modbus_rtu.frames import verdict
from edge.drivers.modbus_rtu.profile import FUNCTION_CODES, plan
from edge.json_payload import Malformed, flat, parse
from ingest.conversion import compile_point
from readings import Lane, Quality, SampleBatch, wire
from registry.device_types import DeviceType, ModbusProfile, Register
from registry.reading_files import read_yaml

CASES = Path(__file__).parents[1] / "testcases"
TYPES = Path(__file__).parents[2] / "registry" / "types"


def cases(protocol):
    folders = sorted(path.parent for path in (CASES / protocol).glob("*/case.yaml"))
    return pytest.mark.parametrize("folder", folders, ids=[folder.name for folder in folders])


def case(folder):
    return yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))


def shipped(name):
    return DeviceType.model_validate(read_yaml(TYPES / f"{name}.yaml").data)


def assert_means(told, native):
    """What the normaliser makes of `native` values by the shipped type, where the case says it."""
    if "canonical" not in told:
        return
    kind = shipped(told["type"])
    meant = {
        point.name: compile_point(point, "")(native[point.native])
        for point in kind.points
        if point.native in native
    }
    quality = Quality[told.get("quality", "GOOD")]
    assert {name: meant[name] for name in told["canonical"]} == {
        name: (value, quality) for name, value in told["canonical"].items()
    }


@cases("modbus_rtu")
def test_published_modbus_frames_decode_to_the_manuals_values(folder):
    """The request that the shipped profile makes, and the values in the published answer."""
    told = case(folder)
    profile = shipped(told["type"]).modbus
    wanted = [one for one in profile.registers if one.point in told.get("reads", [one.point])]
    answer = bytes.fromhex(told["answer"])
    _, pdu = FramerRTU(DecodePDU(False)).handleFrame(answer, told["device"], 0)
    assert pdu is not None
    (read,) = [
        read
        for read in plan(profile.model_copy(update={"registers": tuple(wanted)}))
        if FUNCTION_CODES[read.table] == pdu.function_code and read.address == told["address"]
    ]
    if "request" in told:
        asked = bytes([told["device"], pdu.function_code]) + struct.pack(">HH", read.address, read.count)
        crc = FramerRTU.compute_CRC(asked).to_bytes(2, "big")
        assert asked + crc == bytes.fromhex(told["request"])
    values = dict(read.values(pdu.bits if read.table in ("coil", "discrete") else pdu.registers))
    assert {point: values[point] for point in told["values"]} == told["values"]
    assert_means(told, values)
    assert verdict(answer[:-1] + bytes([answer[-1] ^ 1]), told["device"], pdu.function_code) == "wrong CRC"


@pytest.mark.parametrize("model", ["xy-md02", "raeguard3", "faast", "cmd5b4", "novabo-smoke"])
def test_every_register_of_the_five_published_models_stands_in_a_frame(model):
    told = [case(file.parent) for file in (CASES / "modbus_rtu").glob("*/case.yaml")]
    said = {point for one in told if one["type"] == model for point in one["values"]}
    assert {register.point for register in shipped(model).modbus.registers} == said


def decoder(protocol, told):
    if protocol == "zigbee2mqtt":
        return zigbee2mqtt.Decoder("zigbee2mqtt", "c", set(told.get("known", [])))
    return frigate.Decoder("frigate", "c", told.get("known", []))


def run_mqtt_case(protocol, folder):
    told = case(folder)
    payload = told["payload"] if "payload" in told else base64.b64decode(told["base64"])
    payload = payload.encode() if isinstance(payload, str) else payload
    if "malformed" in told:
        with pytest.raises(Malformed, match=told["malformed"]):
            decoder(protocol, told)(told["topic"], payload, 7)
        return
    samples = decoder(protocol, told)(told["topic"], payload, 7)
    assert [[s.source, s.point, s.value] for s in samples] == told["samples"]
    assert {s.time for s in samples} <= {told.get("time", 0)}
    assert {s.event for s in samples} <= {told.get("event", "")}
    assert_means(told, {s.point: s.value for s in samples})


@cases("zigbee2mqtt")
def test_zigbee2mqtt_payloads(folder):
    run_mqtt_case("zigbee2mqtt", folder)


@cases("frigate")
def test_frigate_payloads(folder):
    run_mqtt_case("frigate", folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def encodable(samples):
    """Whatever a driver lets through must survive the wire."""
    batch = SampleBatch("e1", Lane.ALARM, 1, tuple(samples))
    assert len(wire.decode_samples(wire.encode(batch)).samples) == len(samples)


@given(st.dictionaries(st.text(max_size=200), json_values, max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_json_object_is_flattened_to_bounded_scalars_or_refused(values):
    payload = json.dumps(values).encode()
    try:
        points = [*flat(parse(payload, "c/x"), "c/x")]
    except Malformed:
        return
    for point, value in points:
        assert len(point) <= 128
        assert isinstance(value, bool | int | float | str)
        assert not isinstance(value, float) or math.isfinite(value)


@given(st.binary(max_size=300), st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_on_any_topic_are_samples_or_malformed(payload, name):
    for made, topic in (
        (zigbee2mqtt.Decoder("zigbee2mqtt", "c", {"door"}), f"zigbee2mqtt/{name}"),
        (zigbee2mqtt.Decoder("zigbee2mqtt", "c", {"door"}), "zigbee2mqtt/door/availability"),
        (frigate.Decoder("frigate", "c", ["yard"]), "frigate/events"),
        (frigate.Decoder("frigate", "c", ["yard"]), "frigate/available"),
    ):
        try:
            encodable(made(topic, payload, 7))
        except Malformed:
            continue


@given(
    kind=st.sampled_from(["new", "update", "end"]),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=4, max_size=4),
    label=st.text(min_size=1, max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_any_numbers_in_a_camera_event_survive(kind, numbers, label):
    score, start, end, frame = numbers
    after = {"id": "i", "camera": "yard", "label": label, "top_score": score}
    after |= {"start_time": start, "end_time": end, "frame_time": frame}
    payload = json.dumps({"type": kind, "before": {"label": "x"}, "after": after}).encode()
    samples = frigate.Decoder("frigate", "c", ["yard"])("frigate/events", payload, 7)
    assert all(0 <= sample.time < 1 << 63 for sample in samples)
    encodable(samples)


@given(st.binary(min_size=1, max_size=300), st.integers(0, 255), st.integers(0, 4))
@settings(max_examples=300, deadline=None)
def test_every_rubbish_has_a_reason(received, unit, function):
    assert verdict(received, unit, function)


registers = st.builds(
    Register,
    point=st.text("abc", min_size=1, max_size=3),
    table=st.sampled_from(["coil", "discrete", "holding", "input"]),
    address=st.integers(1, 400),
    type=st.sampled_from(["u16", "s16", "u32", "s32", "f32"]),
    word_order=st.sampled_from(["big", "little"]),
    scale=st.sampled_from([1.0, 0.1, 0.001]),
)


@given(st.lists(registers, min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_a_plan_reads_every_register_once_and_nothing_that_was_not_asked_for(profile):
    reads = plan(ModbusProfile(registers=tuple(profile), address_base=1))
    assert sum(len(read.registers) for read in reads) == len(profile)
    asked = {
        (entry.table, entry.address - 1 + word)
        for entry in profile
        for word in range(2 if entry.type in ("u32", "s32", "f32") else 1)
    }
    for read in reads:
        assert {(read.table, read.address + offset) for offset in range(read.count)} <= asked
        bits = read.table in ("coil", "discrete")
        answer = [True] * read.count if bits else [0xFFFF] * read.count
        assert len([*read.values(answer)]) == len(read.registers)
