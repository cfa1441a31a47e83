"""What changed between two loads of a site: for taking on an edited folder without a restart."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry.site import Site


@dataclass(frozen=True, slots=True)
class Change:
    """Ids that came, went, or stayed with other content."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def touched(self) -> frozenset[str]:
        """All three."""
        return self.added | self.removed | self.changed


@dataclass(frozen=True, slots=True)
class SiteChange:
    """The difference of two sites, collection by collection."""

    head: bool
    """Name, time zone, languages or position differ."""
    timezone: bool
    """The time zone differs: everything that reckons in local time starts anew."""
    grids: Change
    places: Change
    people: Change
    units: Change
    calendars: Change
    categories: Change
    types: Change
    devices: Change
    edges: Change
    affected: frozenset[str]
    """Devices of the new site that are new or that anything means differently now: their own line, their
    type, their place, or a grid around it."""

    def __bool__(self) -> bool:
        collections = (
            self.grids,
            self.places,
            self.people,
            self.units,
            self.calendars,
            self.categories,
            self.types,
            self.devices,
            self.edges,
        )
        return self.head or any(collections)


def diff(old: Site, new: Site) -> SiteChange:
    """What has to be done to get from `old` to `new`."""
    grids = _change(old.grids, new.grids)
    places = _change(old.places, new.places)
    types = _change(old.types, new.types)
    devices = _change(old.devices, new.devices)
    moved = {
        place
        for place in new.places
        if place in places.changed or any(grid.id in grids.touched for grid in new.grid_path(place))
    }
    affected = devices.added | devices.changed
    affected |= {
        device.id for device in new.devices.values() if device.place in moved or device.type in types.touched
    }
    heads = [(site.name, site.timezone, site.languages, site.position) for site in (old, new)]
    return SiteChange(
        head=heads[0] != heads[1],
        timezone=old.timezone != new.timezone,
        grids=grids,
        places=places,
        people=_change(old.people, new.people),
        units=_change(old.units, new.units),
        calendars=_change(old.calendars, new.calendars),
        categories=_change(old.categories, new.categories),
        types=types,
        devices=devices,
        edges=_change(old.edges, new.edges),
        affected=frozenset(affected),
    )


def _change(old: Mapping[str, object], new: Mapping[str, object]) -> Change:
    return Change(
        added=frozenset(new.keys() - old.keys()),
        removed=frozenset(old.keys() - new.keys()),
        changed=frozenset(name for name in new.keys() & old.keys() if new[name] != old[name]),
    )
