"""Device types: what a model of device can say, and how to understand it.

A type is data (``types/*.yaml``): its points with class, unit, lane and plausible range, the interval
it should be heard in, and for polled protocols the section its driver reads (``modbus``). A new model
of a known protocol is a new file, never new code.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from readings.lanes import Lane
from readings.vocabulary import DeviceClass
from registry.model import Model, Text


class Kind(StrEnum):
    """What sort of value a point has."""

    BINARY = "binary"
    NUMBER = "number"
    STATE = "state"
    EVENT = "event"


class Point(Model):
    """One thing a device type reports."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Canonical name, also the field in InfluxDB."
    )
    source: str = Field("", description="The device's own name for it; empty: the same.")
    kind: Kind = Field(Kind.NUMBER, description="binary, number, state (one of `states`) or event.")
    device_class: DeviceClass | None = Field(
        None,
        description="What a binary point means when true; `timestamp`: a number of seconds since 1970.",
    )
    invert: bool = Field(False, description="The wire says true when normal/closed.")
    true_when: tuple[str | int | float | bool, ...] = Field(
        (), description="Wire values that mean true (for words: ON, open, 1)."
    )
    states: dict[str, str] = Field({}, description="Wire value → canonical state.")
    unit: str = Field("", description="Canonical UCUM unit the point is stored in.")
    native_unit: str = Field("", description="Unit on the wire when it differs.")
    lane: Lane = Field(Lane.TELEMETRY, description="alarm or telemetry.")
    minimum: float | None = Field(None, description="Below it, in `unit`, a value is marked out of range.")
    maximum: float | None = Field(None, description="Above it, in `unit`, a value is marked out of range.")
    label: Text = Field({}, description="What people call it, by language.")

    @property
    def native(self) -> str:
        """The point's name on the wire."""
        return self.source or self.name


class Register(Model):
    """How one point is read from a Modbus device."""

    point: str = Field(description="The point's native name.")
    table: Literal["coil", "discrete", "holding", "input"] = Field(description="FC 1, 2, 3 or 4.")
    address: int = Field(ge=0, le=65535, description="As printed in the manual, counted from `address_base`.")
    type: Literal["bit", "flags", "u16", "s16", "u32", "s32", "f32"] = Field(
        "u16", description="`flags`: a word that is true when any of its bits is set, whichever."
    )
    word_order: Literal["big", "little"] = Field(
        "big", description="Which word of a 32-bit value comes first."
    )
    scale: float = Field(1.0, description="value = raw * scale + offset, in the point's native unit.")
    offset: float = 0.0
    bit: int | None = Field(None, ge=0, le=15, description="Take this bit of the word only.")
    words: dict[int, str] = Field({}, description="Raw number → word, for status registers.")


class ModbusProfile(Model):
    """The Modbus side of a device type."""

    address_base: Literal[0, 1] = Field(0, description="1 when the manual counts registers from 1.")
    registers: tuple[Register, ...]
    timeout: float = Field(0.5, gt=0, le=10, description="Seconds to wait for this model's answer.")


class DeviceType(Model):
    """A model of device."""

    id: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="What devices name in their `type` column."
    )
    device_class: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="smoke, environment, gas, door, camera, edge …: the measurement in InfluxDB, and what "
        "rules match as `device_type`.",
    )
    vendor: str = ""
    model: str = ""
    document: str = Field("", description="The public document the profile was made from.")
    label: Text = Field({}, description="What people call it, by language.")
    points: tuple[Point, ...]
    ignore: tuple[str, ...] = Field(
        (), description="Native points the driver may leave out: never taken, never counted."
    )
    interval: float = Field(60.0, gt=0, description="Seconds within which the device is expected to speak.")
    silent_after: float | None = Field(
        None, gt=0, description="Seconds of silence that are a fault; default 3 × interval."
    )
    modbus: ModbusProfile | None = None
