"""Readings as InfluxDB line protocol.

Measurement = device class; tags device, edge, place, type and the three grids; readings of one device
at one time share a line, one field per point. A number is always a float, a switch a boolean, a word a
string, so the type of a field never changes with the value.

What is unusual about a reading stands in fields of its own, named after its point: ``<point>.quality``
(`readings.Quality` bits) when it is not good, ``<point>.received`` when its clock was suspect,
``<point>.event`` when the sample named an occurrence. They are per point because the two lanes write the
same device at the same time in different requests: a field they shared would be overwritten. A reading
that is no number (NaN) has its quality only.

Escaping: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from readings import Quality, Reading, Scalar
from registry.site import Site

TAGS: Final = ("device", "edge", "grid1", "grid2", "grid3", "place", "type")
"""In the order the server likes: sorted."""
UNREGISTERED: Final = "unregistered"
"""Measurement of a device that the site no longer knows."""

_SUSPECT: Final[int] = int(Quality.CLOCK_SUSPECT)
_MEASUREMENT: Final = str.maketrans({",": "\\,", " ": "\\ ", "\n": " "})
_KEY: Final = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": " "})
_STRING: Final = str.maketrans({'"': '\\"', "\\": "\\\\"})


class Line(NamedTuple):
    """One point, and how many readings of which device it carries."""

    text: str
    device: str
    readings: int


class LineEncoder:
    """Encodes readings; what depends on the registry is worked out once per device."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._prefixes: dict[str, str] = {}

    def set_site(self, site: Site) -> None:
        """Use `site` from the next reading on."""
        self._site = site
        self._prefixes = {}

    def lines(self, readings: Iterable[Reading]) -> list[Line]:
        """The readings as lines, in their order; neighbours of one device and time share one."""
        lines: list[Line] = []
        device, time, fields, n = "", 0, "", 0
        for reading in readings:
            value = reading.value
            kind = type(value)
            if kind is float:
                text = f"{reading.point}={value!r}" if value == value else ""
            elif kind is bool:
                text = f"{reading.point}=true" if value else f"{reading.point}=false"
            else:
                text = f"{reading.point}={_text(value)}"
            if reading.quality or reading.event:
                text = _with_remarks(text, reading)
            if reading.time == time and reading.device == device:
                fields = f"{fields},{text}"
                n += 1
                continue
            if n:
                lines.append(Line(f"{self._prefix(device)} {fields} {time}", device, n))
            device, time, fields, n = reading.device, reading.time, text, 1
        if n:
            lines.append(Line(f"{self._prefix(device)} {fields} {time}", device, n))
        return lines

    def _prefix(self, device: str) -> str:
        prefix = self._prefixes.get(device)
        if prefix is None:
            prefix = self._prefixes[device] = line_prefix(self._site, device)
        return prefix


def line_prefix(site: Site, device_id: str) -> str:
    """Measurement and tags of a device."""
    device = site.devices.get(device_id)
    if device is None:
        return f"{UNREGISTERED},device={tag_value(device_id)}"
    kind = site.type_of(device)
    grids = site.grid_path(device.place)
    values = (device.id, device.edge, *(grid.id for grid in grids), device.place, kind.id)
    tags = "".join(
        f",{name}={tag_value(value)}" for name, value in zip(TAGS, values, strict=True) if tag_value(value)
    )
    return f"{kind.device_class.translate(_MEASUREMENT)}{tags}"


def tag_value(text: str) -> str:
    """`text` escaped. A line break becomes a space and a backslash at the end goes: tags cannot hold them."""
    return text.replace("\r", " ").rstrip("\\").translate(_KEY)


def _text(value: Scalar) -> str:
    if isinstance(value, str):
        return f'"{value.translate(_STRING)}"'
    return f"{value}i"


def _with_remarks(text: str, reading: Reading) -> str:
    point = reading.point
    fields = [text] if text else []
    if reading.quality:
        fields.append(f"{point}.quality={int(reading.quality)}i")
        if reading.quality & _SUSPECT:
            fields.append(f"{point}.received={reading.received}i")
    if reading.event:
        fields.append(f"{point}.event={_text(reading.event)}")
    # NaN that nobody marked has nothing to say but must be a valid line.
    unknown = isinstance(reading.value, float) and math.isnan(reading.value) and not reading.quality
    return ",".join(fields) if not unknown else f"{point}.quality={int(Quality.NOT_A_NUMBER)}i"
