"""What an edge hears: MQTT payloads of both dialects, and answers on a serial line."""

import json
import math
import struct

from edge.drivers.frigate import Decoder as Frigate
from edge.drivers.modbus_rtu.frames import verdict
from edge.drivers.modbus_rtu.profile import plan
from edge.drivers.zigbee2mqtt import Decoder as Zigbee2Mqtt
from edge.json_payload import LONGEST_TEXT, Malformed, flat, parse
from edge.unsendable import sendable
from readings import Sample
from registry.device_types import ModbusProfile, Register
from registry.types_folder import shipped_types
from tests.fuzz.target import Target, same, travels

NOW = 1_790_000_000_000_000_000
LONGEST_SOURCE = 300
LONGEST_POINT = 128
INT64 = range(-(1 << 63), 1 << 63)


def _sound(samples: list[Sample], payload: bytes) -> None:
    """What a decoder may give the agent: bounded, and all of it can be sent as it is or as a dead letter."""
    for sample in samples:
        assert len(sample.source) <= LONGEST_SOURCE
        assert 0 < len(sample.point) <= LONGEST_POINT or not sample.point
        assert not isinstance(sample.value, str) or len(sample.value) <= len(payload) + LONGEST_TEXT
        assert len(str(sample.value)) <= LONGEST_TEXT if isinstance(sample.value, str) else True
        assert sample.time in INT64
    replaced = sendable(samples, NOW)
    assert len(replaced) == len(samples)
    travels(replaced)


def _message(data: bytes) -> tuple[str, bytes]:
    """The topic's end on the first line, the payload on the others."""
    topic, _, payload = data.partition(b"\n")
    return topic.decode("utf-8", "replace")[:65_535], payload


_zigbee = Zigbee2Mqtt("zigbee2mqtt", "z2m", {"kitchen/smoke", "hall"})
_frigate = Frigate("frigate", "cam", ["hall", "gate"])


def _check_zigbee(data: bytes) -> None:
    name, payload = _message(data)
    try:
        samples = [*_zigbee(f"zigbee2mqtt/{name}", payload, NOW)]
    except Malformed as why:
        assert len(why.source) <= LONGEST_SOURCE
        return
    _sound(samples, payload)


def _check_frigate(data: bytes) -> None:
    name, payload = _message(data)
    try:
        samples = [*_frigate(f"frigate/{name}", payload, NOW)]
    except Malformed as why:
        assert len(why.source) <= LONGEST_SOURCE
        return
    _sound(samples, payload)


def _check_json(data: bytes) -> None:
    """Strict: what Python's own parser refuses is refused; single values pass unchanged."""
    try:
        value = parse(data, "x")
        found = [*flat(value, "x")] if isinstance(value, dict) else []
    except Malformed:
        return
    strict = json.loads(data, parse_constant=_no_constant)
    assert same(value, strict) or not isinstance(value, dict)
    if isinstance(value, dict):
        plain = {key: inner for key, inner in value.items() if isinstance(inner, bool | int | float | str)}
        flattened = dict(reversed(found))
        for key, inner in plain.items():
            assert key in flattened
            assert not isinstance(inner, float) or math.isfinite(inner)


def _no_constant(name: str) -> object:
    raise AssertionError(f"{name} was taken for JSON")


_PLANS = tuple(
    plan(profile)
    for profile in (
        *(kind.modbus for kind in shipped_types().values() if kind.modbus is not None),
        ModbusProfile(
            registers=tuple(
                Register(point=f"{kind}_{order}", table="input", address=4 * at, type=kind, word_order=order)
                for at, (kind, order) in enumerate(
                    (kind, order)
                    for kind in ("u16", "s16", "u32", "s32", "f32")
                    for order in ("big", "little")
                )
            )
        ),
        ModbusProfile(
            registers=(
                Register(point="words", table="holding", address=9, type="f32", words={1: "one"}),
                Register(point="scaled", table="holding", address=2, type="f32", scale=1e308, offset=-1e308),
            )
        ),
    )
)


def _check_modbus(data: bytes) -> None:
    """Whatever 16-bit words a sound frame holds, they are values; whatever else came has a reason."""
    if len(data) < 2:
        return
    reads, words = _PLANS[data[0] % len(_PLANS)], data[1:]
    for read in reads:
        if read.table in ("coil", "discrete"):
            answer = [bool(words[at % len(words)] & 1) for at in range(read.count)]
        else:
            filled = (words * (2 * read.count // len(words) + 1))[: 2 * read.count]
            answer = [*struct.unpack(f">{read.count}H", filled)]
        samples = [Sample("rs485-1/1", point, value, NOW) for point, value in read.values(answer)]
        assert len(samples) == len(read.registers)
        travels(samples)
    for unit, function in ((0, 0), (data[0] or 1, 3), (1, data[-1] & 0x7F or 1)):
        reason = verdict(data, unit, function)
        assert 0 < len(reason) <= 100


JSON_WORDS = (
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"null", b"true", b"false", b"NaN", b"Infinity", b"1e999",
    b"-0.0", b"9223372036854775808", b"18446744073709551616", b'"\\ud800"', b"\xff", b"\x00", b"\\u0000",
)  # fmt: skip
_EVENT = (
    b'events\n{"type":"new","before":{"label":"person"},"after":{"id":"1790.5-a","camera":"gate",'
    b'"label":"person","top_score":0.78,"start_time":1790000000.5,"end_time":null,'
    b'"frame_time":1790000001.25,"current_zones":["yard"],"entered_zones":[],"sub_label":["A",0.9]}}'
)

TARGETS = (
    Target(
        "zigbee2mqtt",
        _check_zigbee,
        (
            b'kitchen/smoke\n{"battery":100,"smoke":false,"last_seen":"2026-11-24T10:00:00+08:00"}',
            b'hall\n{"contact":true,"update":{"state":"idle","installed":1},"last_seen":1790000000000}',
            b'hall/availability\n{"state":"online"}',
            b"hall/availability\noffline",
            b"hall/battery\n91.5",
            b'new/device\n{"action":"single","color":{"x":0.1,"y":0.2},"list":[1,2,null]}',
        ),
        (*JSON_WORDS, b'"last_seen":', b"/availability", b"bridge/state", b"/set", b"99999999999999",
         b'"9999-12-31T23:59:59+00:00"', b'"0001-01-01T00:00:00+00:00"'),
    ),
    Target(
        "frigate",
        _check_frigate,
        (
            _EVENT,
            b'events\n{"type":"end","after":{"id":"1","camera":"hall","label":"car","end_time":1e9}}',
            b'events\n{"type":"update","before":{"label":"car"},"after":{"id":"1","camera":"hall","label":"dog"}}',
            b"available\nonline",
        ),
        (*JSON_WORDS, b'"update"', b'"end"', b'"top_score":', b'"end_time":', b"1e300",
         b"8999999999.9999999"),
    ),
    Target(
        "json",
        _check_json,
        (b'{"a":1,"b":{"c":[1,2.5,"x",null]},"d":"text"}', b'{"smoke":true}', b"[1,2]"),
        JSON_WORDS,
        runs=150,
    ),
    Target(
        "modbus",
        _check_modbus,
        (
            bytes.fromhex("0104020131797400"), bytes.fromhex("010304000000d13a6f"),
            bytes.fromhex("ff02010151a0"),
            bytes([len(_PLANS) - 1, 0x7F, 0xC0, 0, 0]),
        ),
        (b"\x7f\xc0\x00\x00", b"\x7f\x80\x00\x00", b"\xff\x80\x00\x00", b"\x00", b"\xff"),
        runs=150,
    ),
)  # fmt: skip
