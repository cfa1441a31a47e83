"""Devices, their points, values and histories."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from gateway.api.schemas.alarms import AlarmOut
from gateway.api.schemas.base import POINT_CLASS, Schema, Text
from gateway.api.schemas.site import LimitOut, PersonOut
from readings.lanes import Lane
from readings.sample import Scalar
from registry.device_types import Kind
from rules.findings import Severity


class Value(Schema):
    """The latest value of one point."""

    point: str
    label: Text
    kind: Kind
    device_class: str = Field("", description=POINT_CLASS)
    value: Scalar | None = Field(description="None when the device said NaN.")
    unit: str = Field(examples=["Cel"], description="UCUM code.")
    time: datetime
    quality: list[str] = Field(examples=[["clock_suspect"]])
    lane: Lane


class DeviceState(StrEnum):
    """Whether a device is being heard."""

    OK = "ok"
    SILENT = "silent"
    NEVER = "never"


class DeviceOut(Schema):
    """A device in a list."""

    id: str
    name: Text
    type: str
    device_class: str
    place: str
    place_name: Text
    building: str
    floor: str
    grid: str = Field(description="Level-3 grid.")
    edge: str
    source: str = Field(description="Native address on its edge.", examples=["z2m/kitchen smoke"])
    state: DeviceState
    last_heard: datetime | None
    worst: Severity | None = Field(description="Worst open alarm of the device.")


class PointOut(Schema):
    """What a point of a device's type means."""

    point: str
    label: Text
    kind: Kind
    device_class: str = Field("", description=POINT_CLASS, examples=["door"])
    unit: str
    lane: Lane
    minimum: float | None
    maximum: float | None


class DeviceDetail(DeviceOut):
    """A device's page."""

    type_label: Text
    vendor: str
    model: str
    interval: float = Field(description="Seconds within which it is expected to speak.")
    grids: list[str] = Field(description="Ids of its grids, level 1 to 3.")
    officer: PersonOut | None
    points: list[PointOut]
    limits: list[LimitOut] = Field([], description="Thresholds of the rules that watch it.")
    latest: list[Value]
    alarms: list[AlarmOut] = Field(description="Open and recent alarms of this device.")


class SeriesOut(Schema):
    """A point's history: either raw values or one row per bucket (so that a spike never disappears)."""

    device: str
    point: str
    unit: str
    kind: Kind
    start: int = Field(description="Epoch milliseconds.")
    end: int = Field(description="Epoch milliseconds.")
    cut: bool = Field(False, description="There is more than is given at once: ask with `buckets`.")
    raw: list[tuple[int, Scalar | None]] | None = Field(None, description="[time ms, value], oldest first.")
    buckets: list[tuple[int, float, float, float, int]] | None = Field(
        None, description="[bucket start ms, minimum, maximum, mean, count], oldest first."
    )


class SampleOut(Schema):
    """A sample as the driver sent it, before the registry gave it a meaning."""

    point: str = Field(description="The point that it is about.", examples=["smoke"])
    source: str = Field(description="Native address on its edge.", examples=["z2m/kitchen smoke"])
    native: str = Field(description="The device's word for the point.", examples=["smoke"])
    value: Scalar | None = Field(description="None when it was NaN.", examples=[True])
    unit: str = Field(description="The device's or its profile's; empty: none said.", examples=["mV"])
    event: str = Field("", description="Id of the occurrence it belongs to, for cameras.")
    lane: Lane
    edge: str
    device_time: datetime | None = Field(description="By the device's clock; none: it has none.")
    clock_offset_seconds: float | None = Field(
        description="How far the device's clock is ahead of its edge's, as estimated; none: unknown."
    )
    edge_time: datetime = Field(description="When the driver had it, by the edge's clock.")
    received: datetime = Field(description="When it reached the core.")


class DevicePage(Schema):
    """A page of devices."""

    items: list[DeviceOut]
    total: int
    next: str | None
