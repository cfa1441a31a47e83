"""Small sites by hand: a house with a kitchen, a corridor, a flat and a street."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from readings.lanes import Lane
from readings.vocabulary import DeviceClass
from registry.device_types import DeviceType, Kind, ModbusProfile, Point, Register
from registry.devices import Connection, Device, EdgeWiring
from registry.grids import Place
from simulators.casting import Ensemble


def _binary(name: str, meaning: DeviceClass, source: str = "", *, invert: bool = False) -> Point:
    return Point(
        name=name,
        source=source,
        kind=Kind.BINARY,
        device_class=meaning,
        invert=invert,
        lane=Lane.ALARM,
    )


BATTERY = (
    Point(name="battery", unit="%"),
    Point(name="voltage", unit="V", native_unit="mV"),
    Point(name="linkquality", unit="1"),
)

TYPES = {
    kind.id: kind
    for kind in (
        DeviceType(
            id="z2m-smoke",
            device_class="smoke",
            points=(
                _binary("smoke", DeviceClass.SMOKE),
                _binary("tamper", DeviceClass.TAMPER),
                *BATTERY,
                Point(name="update_state", source="update.state", kind=Kind.STATE, states={"idle": "idle"}),
            ),
        ),
        DeviceType(
            id="z2m-lock-door",
            device_class="door",
            points=(
                _binary("open", DeviceClass.DOOR, "contact", invert=True),
                _binary("tamper", DeviceClass.TAMPER),
                Point(
                    name="event",
                    source="action",
                    kind=Kind.EVENT,
                    states={"lock_forced": "forced_open"},
                    lane=Lane.ALARM,
                ),
                *BATTERY,
            ),
        ),
        DeviceType(
            id="z2m-climate",
            device_class="environment",
            points=(
                Point(name="temperature", unit="Cel", lane=Lane.ALARM),
                Point(name="humidity", unit="%"),
                *BATTERY,
            ),
        ),
        DeviceType(
            id="lift-controller",
            device_class="lift",
            points=(
                Point(name="speed", unit="m/s"),
                Point(name="position", unit="m"),
                Point(
                    name="available",
                    source="availability",
                    kind=Kind.BINARY,
                    device_class=DeviceClass.CONNECTIVITY,
                    true_when=("online",),
                ),
            ),
        ),
        DeviceType(
            id="frigate-camera",
            device_class="camera",
            points=(
                Point(name="event", kind=Kind.EVENT, lane=Lane.ALARM),
                Point(name="score", unit="1", lane=Lane.ALARM),
            ),
        ),
        DeviceType(
            id="xy-md02",
            device_class="environment",
            points=(
                Point(name="temperature", unit="Cel", lane=Lane.ALARM),
                Point(name="humidity", unit="%"),
            ),
            modbus=ModbusProfile(
                registers=(
                    Register(point="temperature", table="input", address=1, type="s16", scale=0.1),
                    Register(point="humidity", table="input", address=2, scale=0.1),
                )
            ),
        ),
        DeviceType(
            id="novabo-smoke",
            device_class="smoke",
            points=(_binary("smoke", DeviceClass.SMOKE, invert=True),),
            modbus=ModbusProfile(
                registers=(Register(point="smoke", table="discrete", address=0, type="bit"),)
            ),
        ),
    )
}

PLACES = {
    place.id: place
    for place in (
        Place(
            id="b1-kitchen",
            name={"zh": "一号楼厨房", "en": "Kitchen"},
            grid="g",
            building="1",
            fire_zone="z1",
        ),
        Place(
            id="b1-corridor",
            name={"zh": "走廊", "en": "Corridor"},
            grid="g",
            building="1",
            fire_zone="z1",
        ),
        Place(id="b2-flat", name={"zh": "二号楼", "en": "Flat"}, grid="g", building="2", fire_zone="z1"),
        Place(id="yard", name={"zh": "院子", "en": "Yard"}, grid="g2", closed="nights"),
    )
}


def device(
    name: str, kind: str, place: str, connection: str, address: str | None = None, edge: str = "e1"
) -> Device:
    """A device whose address is its id, unless given."""
    return Device(id=name, type=kind, place=place, edge=edge, connection=connection, address=address or name)


def ensemble_of(devices: Iterable[Device]) -> Ensemble:
    """These devices with the types and places of this file."""
    return Ensemble({found.id: found for found in devices}, TYPES, PLACES)


@pytest.fixture
def house() -> Ensemble:
    """Ten devices on three wires: two smoke detectors in one fire zone, one in another building …"""
    return ensemble_of(
        [
            device("flat-smoke", "z2m-smoke", "b2-flat", "z2m", "flat/smoke"),
            device("kitchen-smoke", "z2m-smoke", "b1-kitchen", "z2m", "kitchen/smoke"),
            device("corridor-smoke", "z2m-smoke", "b1-corridor", "z2m"),
            device("kitchen-climate", "z2m-climate", "b1-kitchen", "z2m"),
            device("yard-door", "z2m-lock-door", "yard", "z2m"),
            device("lift", "lift-controller", "yard", "z2m"),
            device("corridor-camera", "frigate-camera", "b1-corridor", "nvr", "corridor_cam"),
            device("yard-camera", "frigate-camera", "yard", "nvr", "yard_cam"),
            device("cellar-md02", "xy-md02", "b1-corridor", "rs485", "17"),
            device("cellar-smoke", "novabo-smoke", "b1-corridor", "rs485", "255"),
        ]
    )


@pytest.fixture
def wiring() -> EdgeWiring:
    """The house's edge."""
    return EdgeWiring(
        id="e1",
        connections=(
            Connection(id="z2m", driver="zigbee2mqtt"),
            Connection(id="nvr", driver="frigate"),
            Connection(id="rs485", driver="modbus-rtu", settings={"port": "rs485-1"}),
        ),
    )


SITE = """
name: Test
timezone: Asia/Shanghai
grids:
  - {id: R1, name: R1, kind: residential, level: 1}
  - {id: R1-01, name: R1-01, kind: residential, level: 2, parent: R1}
  - {id: R1-01-01, name: R1-01-01, kind: residential, level: 3, parent: R1-01}
places:
  - {id: kitchen, name: {zh: 厨房, en: Kitchen}, grid: R1-01-01, building: "1", fire_zone: z1}
  - {id: corridor, name: {zh: 走廊, en: Corridor}, grid: R1-01-01, building: "1", fire_zone: z1}
people: []
"""

DEVICES = """
- {id: kitchen-smoke, type: z2m-smoke, place: kitchen, edge: e1, connection: z2m, address: kitchen/smoke}
- {id: corridor-smoke, type: z2m-smoke, place: corridor, edge: e1, connection: z2m, address: corridor}
- {id: stairs, type: frigate-camera, place: corridor, edge: e1, connection: nvr, address: stairs_cam}
- {id: cellar, type: xy-md02, place: corridor, edge: e1, connection: rs485, address: "17"}
"""

EDGE = """
id: e1
place: corridor
connections:
  - {id: z2m, driver: zigbee2mqtt}
  - {id: nvr, driver: frigate}
  - {id: rs485, driver: modbus-rtu, settings: {port: rs485-1}}
"""


@pytest.fixture
def site_folder(tmp_path: Path) -> Path:
    """A site with four devices on three wires."""
    folder = tmp_path / "site"
    (folder / "edges").mkdir(parents=True)
    (folder / "site.yaml").write_text(SITE)
    (folder / "devices.yaml").write_text(DEVICES)
    (folder / "edges" / "e1.yaml").write_text(EDGE)
    return folder
