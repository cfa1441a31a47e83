"""The site as the other rooms ask it: frozen, and every question is one or two dictionary lookups.

`Site` is built once per load. The normaliser asks it several times for every sample, so whatever takes a
search (a device by its wire, the three grids of a place, its officer) is indexed when it is built.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from registry.calendars import Hours
from registry.categories import Category
from registry.device_types import DeviceType, Point
from registry.devices import Device, EdgeWiring
from registry.grids import Calendar, Grid, Person, Place, Unit
from registry.head import Position

GridPath = tuple[Grid, Grid, Grid]
"""The grids around a place: level 1, 2 and 3."""


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_HasId)


def _by_id(items: Iterable[_Item]) -> dict[str, _Item]:
    return {item.id: item for item in items}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A community: everything by its id, and lookups. Make one with `Site.of` or `load_site`.

    The references inside (a device's type, place, edge; a place's grid …) must exist: `load_site` has
    checked them. A lookup with an id that does not exist raises KeyError, except where None is promised.
    """

    name: Mapping[str, str]
    timezone: str
    languages: tuple[str, ...] = ("zh-CN", "en")
    position: Position | None = None
    grids: Mapping[str, Grid]
    places: Mapping[str, Place]
    people: Mapping[str, Person]
    units: Mapping[str, Unit]
    calendars: Mapping[str, Calendar]
    categories: Mapping[str, Category]
    types: Mapping[str, DeviceType]
    devices: Mapping[str, Device]
    edges: Mapping[str, EdgeWiring]

    _sources: dict[str, dict[str, Device]] = field(init=False, repr=False, compare=False)
    _points: dict[str, dict[str, Point]] = field(init=False, repr=False, compare=False)
    _native: dict[str, dict[str, Point]] = field(init=False, repr=False, compare=False)
    _paths: dict[str, GridPath] = field(init=False, repr=False, compare=False)
    _children: dict[str, list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sources: dict[str, dict[str, Device]] = {edge: {} for edge in self.edges}
        for device in self.devices.values():
            sources.setdefault(device.edge, {})[device.source] = device
        children: dict[str, list[str]] = {}
        for grid in self.grids.values():
            children.setdefault(grid.parent or "", []).append(grid.id)
        own = object.__setattr__  # the dataclass is frozen for everybody but its own construction
        own(self, "_sources", sources)
        own(self, "_points", {t.id: {p.name: p for p in t.points} for t in self.types.values()})
        own(self, "_native", {t.id: {p.native: p for p in t.points} for t in self.types.values()})
        own(self, "_paths", {place.id: self._path(place) for place in self.places.values()})
        own(self, "_children", children)

    @classmethod
    def of(
        cls,
        *,
        name: str = "",
        timezone: str = "Asia/Shanghai",
        languages: tuple[str, ...] = ("zh-CN", "en"),
        position: Position | None = None,
        grids: Iterable[Grid] = (),
        places: Iterable[Place] = (),
        people: Iterable[Person] = (),
        units: Iterable[Unit] = (),
        calendars: Iterable[Calendar] = (),
        categories: Iterable[Category] = (),
        types: Iterable[DeviceType] = (),
        devices: Iterable[Device] = (),
        edges: Iterable[EdgeWiring] = (),
    ) -> "Site":
        """A site from its parts, which nobody has checked: for tests and small programs."""
        return cls(
            name={"zh": name, "en": name},
            timezone=timezone,
            languages=languages,
            position=position,
            grids=_by_id(grids),
            places=_by_id(places),
            people=_by_id(people),
            units=_by_id(units),
            calendars=_by_id(calendars),
            categories=_by_id(categories),
            types=_by_id(types),
            devices=_by_id(devices),
            edges=_by_id(edges),
        )

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)

    @cached_property
    def hours(self) -> Mapping[str, Hours]:
        """Every calendar in the site's zone, ready to be asked."""
        return {calendar.id: Hours(calendar, self.zone) for calendar in self.calendars.values()}

    def device_at(self, edge: str, source: str) -> Device | None:
        """The device that `edge` hears as `source` (``<connection>/<address>``); None when unknown."""
        heard = self._sources.get(edge)
        return heard.get(source) if heard is not None else None

    def type_of(self, device: Device) -> DeviceType:
        """The device's type."""
        return self.types[device.type]

    def point(self, device: Device, canonical: str) -> Point | None:
        """The point of the device with this canonical name."""
        return self._points[device.type].get(canonical)

    def native_point(self, device: Device, native: str) -> Point | None:
        """The point that the device's wire calls `native`."""
        return self._native[device.type].get(native)

    def place_of(self, device: Device) -> Place:
        """Where the device hangs."""
        return self.places[device.place]

    def grid_path(self, place_id: str) -> GridPath:
        """The grids of level 1, 2 and 3 around the place."""
        return self._paths[place_id]

    def officer_of(self, place_id: str) -> Person | None:
        """Who is responsible there: level 3's officer, else level 2's, else level 1's, else nobody."""
        for grid in reversed(self._paths[place_id]):
            if grid.officer is not None:
                return self.people[grid.officer]
        return None

    def children(self, grid_id: str = "") -> list[Grid]:
        """The grids one level down, in the file's order; without an id those of level 1."""
        return [self.grids[child] for child in self._children.get(grid_id, ())]

    def devices_of(self, edge: str) -> Iterable[Device]:
        """Every device that `edge` reads, in the file's order."""
        return self._sources[edge].values()

    @cached_property
    def devices_in(self) -> Mapping[str, tuple[Device, ...]]:
        """The devices by place id; a place without devices is missing."""
        found: dict[str, list[Device]] = {}
        for device in self.devices.values():
            found.setdefault(device.place, []).append(device)
        return {place: tuple(devices) for place, devices in found.items()}

    def _path(self, place: Place) -> GridPath:
        third = self.grids[place.grid]
        second = self.grids[third.parent or ""]
        return (self.grids[second.parent or ""], second, third)
