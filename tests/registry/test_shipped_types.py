"""The device types that ship: what the protocols' documents say about them."""

import pytest

from readings.lanes import Lane
from registry.device_types import DeviceType, Kind
from registry.types_folder import shipped_types

TYPES = shipped_types()
CANONICAL = {
    "z2m-smoke": ("smoke", {"smoke", "tamper"}, {"test", "battery", "voltage", "linkquality"}),
    "z2m-gas": ("gas", {"gas", "gas_level"}, set()),
    "z2m-door": ("door", {"open", "tamper"}, {"battery", "voltage", "linkquality"}),
    "z2m-lock-door": ("door", {"open", "event", "tamper"}, {"battery"}),
    "z2m-climate": ("environment", {"temperature"}, {"humidity"}),
    "frigate-camera": ("camera", {"event", "score", "available"}, {"start", "end"}),
    "xy-md02": ("environment", {"temperature"}, {"humidity"}),
    "raeguard3": ("gas", {"gas_level"}, set()),
    "faast": ("smoke", {"smoke"}, {"mode"}),
    "cmd5b4": ("gas", {"carbon_monoxide"}, set()),
    "novabo-smoke": ("smoke", {"smoke"}, set()),
    "edge-box": ("edge", {"link"}, {"outbox_batches", "clock_offset_s", "disk_free"}),
}


@pytest.mark.parametrize("name", CANONICAL)
def test_a_type_has_its_class_and_its_points_in_their_lanes(name: str) -> None:
    kind = TYPES[name]
    device_class, alarm, telemetry = CANONICAL[name]
    lanes = {point.name: point.lane for point in kind.points}
    assert kind.device_class == device_class
    assert {point for point in alarm if lanes[point] is Lane.ALARM} == alarm
    assert {point for point in telemetry if lanes[point] is Lane.TELEMETRY} == telemetry


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES.keys())
def test_every_type_and_point_is_named_in_both_languages_and_has_its_document(kind: DeviceType) -> None:
    assert kind.document
    for text in (kind.label, *(point.label for point in kind.points)):
        assert text["zh"]
        assert text["en"]
        assert text["zh"] != text["en"]


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES.keys())
def test_every_number_has_a_unit_and_every_detector_a_class(kind: DeviceType) -> None:
    assert all(point.unit for point in kind.points if point.kind is Kind.NUMBER)
    assert all(
        point.device_class is not None
        for point in kind.points
        if point.kind is Kind.BINARY and point.lane is Lane.ALARM
    )


def test_polarity_is_that_of_the_wires() -> None:
    door = {point.name: point for point in TYPES["z2m-door"].points}["open"]
    assert (door.native, door.invert) == ("contact", True)
    assert TYPES["novabo-smoke"].points[0].invert


def test_the_aspirating_detectors_alarm_bits_are_those_of_the_manual() -> None:
    profile = TYPES["faast"].modbus
    assert profile is not None
    assert profile.address_base == 1
    bits = {register.point: register.bit for register in profile.registers if register.address == 13}
    assert bits == {"alert": 0, "action1": 1, "action2": 2, "fire1": 3, "fire2": 4}
