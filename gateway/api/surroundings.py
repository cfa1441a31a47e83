"""What else watches the spot of a case: thermometers, cameras and doors in the same fire zone or place.

An alarm's evidence is what it was raised on. Whoever judges it also wants to see whether the temperature
rises and whom the camera saw.
"""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from readings.lanes import Lane
from registry.device_types import Kind, Point
from registry.devices import Device
from registry.site import Site

MOST: Final = 8


class Neighbour(NamedTuple):
    """A point worth seeing beside the case's evidence."""

    device: Device
    point: Point


def neighbours(site: Site, place_id: str, known: Collection[tuple[str, str]]) -> list[Neighbour]:
    """At most `MOST` points around the place, without those (device, point) that are `known`.

    The same place comes first, then the same fire zone of the same building. Of each device the alarm
    lane's measurements and events count: what a person would look at.
    """
    if place_id not in site.places:
        return []
    found = [one for one in _around(site, place_id) if (one.device.id, one.point.name) not in known]
    return found[:MOST]


def _around(site: Site, place_id: str) -> Iterator[Neighbour]:
    here = site.places[place_id]
    near = [here.id]
    if here.fire_zone:
        near += [
            place.id
            for place in site.places.values()
            if place.id != here.id and (place.building, place.fire_zone) == (here.building, here.fire_zone)
        ]
    for place in near:
        for device in site.devices_in.get(place, ()):
            for point in site.type_of(device).points:
                if (
                    point.lane is Lane.ALARM
                    and point.kind in (Kind.NUMBER, Kind.EVENT)
                    and point.name != "score"
                ):
                    yield Neighbour(device, point)
