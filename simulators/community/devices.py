"""The devices: how many of which kind, where each hangs, and on which wire.

The n-th device of a kind hangs where its number says, whatever the total: asking for more devices adds
some and moves none.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from registry.devices import Device
from registry.grids import Place
from simulators.community.grids import Cell
from simulators.community.places import FLOORS, UNITS, Places

KITCHEN: Final = "linbin-8-2-6-kitchen"
"""The kitchen that the scenarios set on fire: building 8, unit 2, floor 6 of Linbin Yuan (place id)."""
KITCHEN_SMOKE: Final = "linbin-8-2-6-kitchen-smoke"
KITCHEN_CLIMATE: Final = "linbin-8-2-6-kitchen-climate"
CORRIDOR_SMOKE: Final = "linbin-8-2-6-corridor-smoke"
"""The second detector of the kitchen's fire zone."""
STAIRS_CAMERA: Final = "linbin-8-2-6-stairs-camera"

FEWEST, MOST = 10, 50_000
PER_BUS: Final = 32

_STORY: Final = ("linbin", 8, 2, 6)
_BUS_MODELS: Final = (
    "xy-md02",
    "cmd5b4",
    "novabo-smoke",
    "raeguard3",
    "xy-md02",
    "faast",
    "novabo-smoke",
    "cmd5b4",
)
_IN_PLANT_ROOM: Final = frozenset({"xy-md02", "faast", "raeguard3"})
_LOCKED: Final = 4
"""Every fourth unit entrance has a lock with a reader, the others a contact only."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How many devices of each kind."""

    smoke: int
    door: int
    climate: int
    gas: int
    camera: int
    modbus: int
    lift: int

    @classmethod
    def of(cls, devices: int) -> "Mix":
        """60 % smoke, 14 % doors, 8 % climate, 6 % gas, 6 % cameras, the rest on Modbus; one of each.

        From 200 devices on, one of the smoke detectors is a lift instead.
        """
        door, climate, gas, camera, modbus = (
            max(1, round(devices * share)) for share in (0.14, 0.08, 0.06, 0.06, 0.06)
        )
        lift = int(devices >= 200)
        smoke = devices - door - climate - gas - camera - modbus - lift
        return cls(smoke, door, climate, gas, camera, modbus, lift)


class Installer:
    """Hangs devices into places, on the wires of the edge that is near."""

    def __init__(self, places: Places, edges: Sequence[str], seed: int) -> None:
        self._places = places
        self._edges = edges
        slug, number, unit, floor = _STORY
        story = next(b for b in places.buildings if (b.named.slug, b.number) == (slug, number))
        chance = random.Random(f"{seed}/devices")
        self._buildings = [story, *_shuffled((b for b in places.buildings if b is not story), chance)]
        floors = itertools.product(range(1, UNITS + 1), range(2, FLOORS + 1))
        self._floors = [(unit, floor), *_shuffled((f for f in floors if f != (unit, floor)), chance)]
        self._blocks = _shuffled(places.blocks, chance)
        self._sections = {
            edge: [section for section in places.sections if self._edge(section.id) == edge] for edge in edges
        }

    def install(self, mix: Mix) -> list[Device]:
        """Every device, kind after kind; those of the kitchen story first in their kind."""
        return [
            *itertools.islice(self._smoke(), mix.smoke),
            *itertools.islice(self._doors(), mix.door),
            *itertools.islice(self._climate(), mix.climate),
            *itertools.islice(self._gas(), mix.gas),
            *itertools.islice(self._cameras(), mix.camera),
            *itertools.islice(self._buses(), mix.modbus),
            *itertools.islice(self._lifts(), mix.lift),
        ]

    def _flats(self) -> Iterator[tuple[Cell, int, int]]:
        for unit, floor in self._floors:
            for building in self._buildings:
                yield building, unit, floor

    def _smoke(self) -> Iterator[Device]:
        """Nine of ten in pairs, kitchen and corridor of one fire zone; the tenth in a shop."""
        shops = self._shops()
        homes = (
            place
            for flat in self._flats()
            for place in (self._places.kitchen(*flat), self._places.corridor(*flat))
        )
        for number in itertools.count(1):
            yield self._zigbee(next(shops) if number % 10 == 0 else next(homes), "smoke", "z2m-smoke")

    def _climate(self) -> Iterator[Device]:
        for flat in self._flats():
            yield self._zigbee(self._places.kitchen(*flat), "climate", "z2m-climate")

    def _gas(self) -> Iterator[Device]:
        for flat in itertools.islice(self._flats(), 1, None):
            yield self._zigbee(self._places.kitchen(*flat), "gas", "z2m-gas")

    def _doors(self) -> Iterator[Device]:
        special = self._places.special
        yield self._zigbee(special("kindergarten", "gate", "大门", "gate"), "door", "z2m-lock-door")
        yield self._zigbee(special("market", "gate", "卷帘门", "roller gate"), "door", "z2m-lock-door")
        yield self._zigbee(special("centre", "door", "侧门", "side door"), "door", "z2m-lock-door")
        entrances = itertools.product(range(1, UNITS + 1), self._buildings)
        for number, (unit, building) in enumerate(entrances):
            model = "z2m-door" if number % _LOCKED else "z2m-lock-door"
            yield self._zigbee(self._places.entrance(building, unit), "door", model)
        for flat in self._flats():  # a large community also watches its fire doors
            yield self._zigbee(self._places.corridor(*flat), "door", "z2m-door")

    def _lifts(self) -> Iterator[Device]:
        """A controller that talks fast: what the scenario of 200 readings a second plays on."""
        yield self._zigbee(
            self._places.special("centre", "lift", "电梯", "lift"), "controller", "lift-controller"
        )

    def _cameras(self) -> Iterator[Device]:
        story = next(self._flats())
        yield self._camera(self._places.stairs(*story))
        yield self._camera(self._places.special("kindergarten", "yard", "操场", "yard"))
        yield self._camera(self._places.special("market", "hall", "大厅", "hall"))
        yield self._camera(self._places.special("centre", "hall", "大厅", "hall"))
        sections = self._places.sections
        kinds: list[Iterator[Place]] = [
            (self._places.cellar(section, "garage") for section in sections),
            (self._places.street(block) for block in self._blocks),
            itertools.islice(self._shops(), 10 * len(self._places.shop_groups)),
            (
                self._places.entrance(building, unit)
                for unit in range(1, UNITS + 1)
                for building in self._buildings
            ),
        ]
        while kinds:
            for kind in tuple(kinds):
                place = next(kind, None)
                if place is None:
                    kinds.remove(kind)
                else:
                    yield self._camera(place)
        for flat in itertools.islice(self._flats(), 1, None):
            yield self._camera(self._places.stairs(*flat))

    def _buses(self) -> Iterator[Device]:
        for number in itertools.count():
            bus, address = divmod(number, PER_BUS)
            edge = self._edges[bus % len(self._edges)]
            line = f"rs485-{bus // len(self._edges) + 1}"
            model = _BUS_MODELS[number % len(_BUS_MODELS)]
            sections = self._sections[edge]
            turn = bus // len(self._edges) * PER_BUS + address
            section = sections[turn // len(_BUS_MODELS) % len(sections)]
            place = self._places.cellar(section, "plant" if model in _IN_PLANT_ROOM else "garage")
            yield Device(
                id=f"{edge}-{line}-{address + 1:02}",
                type=model,
                place=place.id,
                edge=edge,
                connection=line,
                address=str(address + 1),
            )

    def _shops(self) -> Iterator[Place]:
        for number in itertools.count(1):
            for group in self._places.shop_groups:
                yield self._places.shop(group, number)

    def _zigbee(self, place: Place, what: str, model: str) -> Device:
        return Device(
            id=f"{place.id}-{what}",
            type=model,
            place=place.id,
            edge=self._edge(place.grid),
            connection="z2m",
            address=f"{place.id}/{what}",
        )

    def _camera(self, place: Place) -> Device:
        return Device(
            id=f"{place.id}-camera",
            type="frigate-camera",
            place=place.id,
            edge=self._edge(place.grid),
            connection="frigate",
            address=place.id.replace("-", "_"),
        )

    def _edge(self, grid: str) -> str:
        order = ("R1", "R2", "R3", "R4", "S1", "C1", "R5", "R6", "R7", "R8", "S2", "S3")
        return self._edges[order.index(grid.split("-")[0]) * len(self._edges) // len(order)]


def lines_of(devices: Sequence[Device]) -> Mapping[str, list[str]]:
    """The serial lines of each edge, in order."""
    found: dict[str, list[str]] = {}
    for device in devices:
        lines = found.setdefault(device.edge, [])
        if device.connection.startswith("rs485") and device.connection not in lines:
            lines.append(device.connection)
    return found


_T = TypeVar("_T")


def _shuffled(items: Iterable[_T], chance: random.Random) -> list[_T]:
    mixed = list(items)
    chance.shuffle(mixed)
    return mixed
