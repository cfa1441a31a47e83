"""Readings as InfluxDB line protocol.

Measurement = device class; tags device, edge, type, and where it hangs: place, building, floor, the three
grids (a device has one of each, so they make no more series); readings of one device at one time share a
line, one field per point. A number is always a float, a switch a boolean, a word a
string, so the type of a field never changes with the value.

What is unusual about a reading stands in fields of its own, named after its point: ``<point>.quality``
(`readings.Quality` bits) when it is not good, ``<point>.received`` when its clock was suspect,
``<point>.event`` when the sample named an occurrence. They are per point because the two lanes write the
same device at the same time in different requests: a field they shared would be overwritten. A reading
that is no number (NaN) has its quality only.

Escaping: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

import math
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from readings import Quality, Reading, Scalar
from registry.site import Site

TAGS: Final = ("building", "device", "edge", "floor", "grid1", "grid2", "grid3", "place", "type")
"""In the order the server likes: sorted."""
UNREGISTERED: Final = "unregistered"
"""Measurement of a device that the site no longer knows."""

_INF: Final = math.inf
_MEASUREMENT: Final = str.maketrans({",": "\\,", " ": "\\ ", "\n": "\\ "})
_KEY: Final = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\ ", "\r": "\\ "})
_STRING: Final = str.maketrans({'"': '\\"', "\\": "\\\\"})


class LineEncoder:
    """Encodes readings; what depends on the registry is worked out once per device."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._prefixes: dict[str, bytes] = {}

    def set_site(self, site: Site) -> None:
        """Use `site` from the next reading on."""
        self._site = site
        self._prefixes = {}

    def lines(self, readings: Iterable[Reading]) -> list[bytes]:
        """The readings as lines in UTF-8, in their order; neighbours of one device and time share one.

        What a device's lines begin with is encoded once: it is longer than all the rest, and often Chinese.
        """
        prefixes = self._prefixes
        lines: list[bytes] = []
        device, time, fields = "", 0, ""
        prefix = b""
        for reading in readings:
            value = reading.value
            if reading.quality or reading.event:
                text = _fields(reading)
            elif type(value) is float and -_INF < value < _INF:
                text = f"{reading.point}={value!r}"
            elif value is True:
                text = f"{reading.point}=true"
            elif value is False:
                text = f"{reading.point}=false"
            else:
                text = _fields(reading)
            if reading.time == time and reading.device == device:
                fields = f"{fields},{text}"
                continue
            if fields:
                lines.append(prefix + f"{fields} {time}".encode())
            device, time, fields = reading.device, reading.time, text
            prefix = prefixes.get(device) or self._prefix(device)
        if fields:
            lines.append(prefix + f"{fields} {time}".encode())
        return lines

    def _prefix(self, device: str) -> bytes:
        prefix = self._prefixes[device] = f"{line_prefix(self._site, device)} ".encode()
        return prefix


def readings_by_line(readings: Iterable[Reading]) -> list[list[Reading]]:
    """The readings of every line that `LineEncoder.lines` makes of them."""
    return [[*same] for _, same in groupby(readings, key=lambda reading: (reading.device, reading.time))]


def line_prefix(site: Site, device_id: str) -> str:
    """Measurement and tags of a device."""
    device = site.devices.get(device_id)
    if device is None:
        return f"{UNREGISTERED},device={tag_value(device_id)}"
    kind = site.type_of(device)
    place = site.place_of(device)
    grids = (grid.id for grid in site.grid_path(place.id))
    values = (place.building, device.id, device.edge, place.floor, *grids, place.id, kind.id)
    return series_key(kind.device_class, zip(TAGS, values, strict=True))


def series_key(measurement: str, tags: Iterable[tuple[str, str]]) -> str:
    """A measurement with its tags, which come sorted by name; empty ones are left out."""
    told = "".join(f",{name}={value}" for name, text in tags if (value := tag_value(text)))
    return f"{measurement.translate(_MEASUREMENT)}{told}"


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Scalar | None], time: int) -> str:
    """One point; `time` in ns since 1970 UTC. Fields that are None or no finite number are left out.

    Raises ValueError when no field is left: a line without any is none.
    """
    told = ",".join(
        f"{name.translate(_KEY)}={_field_value(value)}"
        for name, value in fields.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    )
    if not told:
        raise ValueError(f"{measurement} has nothing to tell")
    return f"{series_key(measurement, sorted(tags.items()))} {told} {time}"


def tag_value(text: str) -> str:
    """`text` escaped. A line break becomes a space and a backslash at the end goes: tags cannot hold them."""
    return text.rstrip("\\").translate(_KEY)


def _fields(reading: Reading) -> str:
    """The fields of any reading: its value unless it is none, and what is to be remarked about it."""
    point, value, quality = reading.point, reading.value, int(reading.quality)
    fields = [f"{point}={_field_value(value)}"]
    if isinstance(value, float) and not math.isfinite(value):
        fields = []
        quality |= int(Quality.NOT_A_NUMBER)  # a line needs at least one field
    if quality:
        fields.append(f"{point}.quality={quality}i")
        if quality & Quality.CLOCK_SUSPECT:
            fields.append(f"{point}.received={reading.received}i")
    if reading.event:
        fields.append(f"{point}.event={_text(reading.event)}")
    return ",".join(fields)


def _field_value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return f"{value}i" if isinstance(value, int) else _text(value)


def _text(value: str) -> str:
    return f'"{value.translate(_STRING)}"'
