"""An edge agent's view of the site: its own connections, the devices on them, their types.

An edge needs no grids, places or people, so this reads only ``edges/``, ``types/``, the devices' files
and the head of ``site.yaml``; a mistake in somebody else's part never keeps an edge from starting.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from language import N_, Message
from readings.vocabulary import EDGE_CONNECTION
from registry.device_types import DeviceType, Point
from registry.devices import Device, EdgeWiring
from registry.head import read_head
from registry.listings import Drafts, Listing, collected, read_folder, read_listing
from registry.problems import Problem, did_you_mean, in_reading_order
from registry.types_folder import read_types
from registry.wiring_checks import NO_EDGE, check_devices, check_edges

EDGE_TYPE: Final = "edge-box"
EDGE_ADDRESS: Final = "self"
DEVICE_FILES: Final = ("devices.csv", "devices.yaml")


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What one edge reads. `devices` and `types` are by id; only the types in use are there."""

    edge: EdgeWiring
    timezone: str
    devices: Mapping[str, Device]
    types: Mapping[str, DeviceType]
    _sources: dict[str, Device] = field(init=False, repr=False, compare=False)
    _native: dict[str, dict[str, Point]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = object.__setattr__  # the dataclass is frozen for everybody but its own construction
        own(self, "_sources", {device.source: device for device in self.devices.values()})
        own(self, "_native", {t.id: {p.native: p for p in t.points} for t in self.types.values()})

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone: devices that send local time without one mean this."""
        return ZoneInfo(self.timezone)

    def device_at(self, source: str) -> Device | None:
        """The device heard as `source` (``<connection>/<address>``); None when unknown."""
        return self._sources.get(source)

    def type_of(self, device: Device) -> DeviceType:
        """The device's type."""
        return self.types[device.type]

    def native_point(self, device: Device, native: str) -> Point | None:
        """The point that the device's wire calls `native`; None when its type does not know it."""
        return self._native[device.type].get(native)

    def devices_on(self, connection: str) -> tuple[Device, ...]:
        """The devices of one connection, in the file's order."""
        return tuple(device for device in self.devices.values() if device.connection == connection)


@dataclass(frozen=True, slots=True)
class LoadedWiring:
    """A wiring, or None when a problem is an error."""

    wiring: Wiring | None
    problems: tuple[Problem, ...]


def load_wiring(folder: Path, edge_id: str, *, drivers: Collection[str] = ()) -> LoadedWiring:
    """Read what the edge `edge_id` needs of the site in `folder`.

    With `drivers` (the names an agent knows) a connection with another driver is a problem.
    """
    problems: list[Problem] = []
    head = read_head(folder, problems)
    of_edges: list[Problem] = []
    edges = read_edges(folder, of_edges, only=edge_id)
    draft = edges.get(edge_id)
    problems += [p for p in of_edges if draft is None or p.file == draft.listing.file]
    if draft is None:
        known = read_edges(folder, [])
        message = Message(NO_EDGE, {"name": edge_id})
        suggestion = did_you_mean(edge_id, known) or (
            Message(N_("the edges are: {names}"), {"names": ", ".join(sorted(known))}) if known else None
        )
        problems.append(Problem(folder / "edges", 1, None, "", edge_id, message, suggestion))
        return LoadedWiring(None, tuple(in_reading_order(problems)))
    devices = collected(Device, read_device_listings(folder, problems, only=edge_id), problems)
    used = {EDGE_TYPE, *(found.item.type for found in devices.values())}
    types = read_types(folder / "types", problems, used=used)
    problems += check_edges(edges, None, drivers)
    problems += check_devices(devices, types, edges, None)
    if head is None or any(problem.severity == "error" for problem in problems):
        return LoadedWiring(None, tuple(in_reading_order(problems)))
    own = {name: found.item for name, found in devices.items()}
    if not any(device.connection == EDGE_CONNECTION for device in own.values()):
        own[edge_id] = edge_device(draft.item)
    wiring = Wiring(
        edge=draft.item,
        timezone=head.timezone,
        devices=own,
        types={kind.id: kind for device in own.values() if (kind := types[device.type]) is not None},
    )
    return LoadedWiring(wiring, tuple(in_reading_order(problems)))


def edge_device(edge: EdgeWiring) -> Device:
    """The device an edge agent itself is: it reports its own health as ``edge/self``."""
    return Device(
        id=edge.id,
        type=EDGE_TYPE,
        place=edge.place,
        edge=edge.id,
        connection=EDGE_CONNECTION,
        address=EDGE_ADDRESS,
        name=edge.name,
    )


def read_edges(folder: Path, problems: list[Problem], *, only: str = "") -> Drafts[EdgeWiring]:
    """The edges in ``edges/*.yaml`` by id; with `only`, just this one."""
    listings = read_folder(folder / "edges", problems)
    return collected(
        EdgeWiring, (_only(found, "id", only) if only else found for found in listings), problems
    )


def read_device_listings(folder: Path, problems: list[Problem], *, only: str = "") -> list[Listing]:
    """The entries of ``devices.csv`` and ``devices.yaml``, unchecked; with `only`, those of one edge."""
    found = []
    for name in DEVICE_FILES:
        if not (folder / name).exists():
            continue
        of_file: list[Problem] = []
        listing = read_listing(folder / name, Device, "devices", of_file)
        if only:
            every, listing = listing, _only(listing, "edge", only)
            others = set(every.lines()) - set(listing.lines())
            of_file = [problem for problem in of_file if problem.line not in others]
        found.append(listing)
        problems += of_file
    return found


def _only(listing: Listing, key: str, value: str) -> Listing:
    return listing.chosen(lambda entry: isinstance(entry, dict) and entry.get(key) == value)
