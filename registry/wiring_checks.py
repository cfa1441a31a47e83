"""Checks of what hangs on the wires: types in themselves, edges, and devices against both.

An edge agent makes the same checks of its own part, so nothing here knows grids or people; whoever has
the places passes their ids.
"""

from collections.abc import Collection
from typing import Any, Final

from language import N_, Message
from readings.units import UnknownUnit, conversion, known_units
from readings.vocabulary import EDGE_CONNECTION, DeviceClass
from registry.device_types import DeviceType, Kind
from registry.devices import Device, EdgeWiring
from registry.listings import Draft, Drafts, repeated, twice
from registry.problems import Part, Problem, did_you_mean

NO_PLACE: Final = N_("there is no place `{name}`")
NO_TYPE: Final = N_("there is no device type `{name}`")
NO_EDGE: Final = N_("there is no edge `{name}`")
NO_CONNECTION: Final = N_("the edge {edge} has no connection `{name}`")
NO_DRIVER: Final = N_("there is no driver `{name}`")
NO_POINT: Final = N_("the type has no point `{name}`")
NO_UNIT_OF_MEASURE: Final = N_("`{name}` is no unit that is known (UCUM codes)")

_OWN_CONNECTION: Final = N_("the connection `{name}` is kept for what an edge says about itself")
_HIGHEST_MODBUS_ADDRESS: Final = 255
_SECRET_WORDS: Final = ("password", "passwd", "secret", "token", "api_key")


class Types(dict[str, DeviceType | None]):
    """Types by id; None for one that has a mistake of its own."""

    incomplete = False
    """A file of types could not be read: an id that is not here may still have been meant."""


def check_types(types: Drafts[DeviceType]) -> list[Problem]:
    """Units convert, names are unique, registers and left-out points fit the points."""
    return [problem for draft in types.values() for problem in _check_type(draft)]


def _check_type(draft: Draft[DeviceType]) -> list[Problem]:
    kind = draft.item
    natives = [point.native for point in kind.points]
    problems = repeated(draft, "points", "name", [point.name for point in kind.points])
    problems += repeated(draft, "points", "source", natives)
    for index in range(len(kind.points)):
        problems += _check_point(draft, index)
    for index, name in enumerate(kind.ignore):
        if name in natives:
            message = Message(N_("`{name}` is both a point and left out"), {"name": name})
            problems.append(draft.problem(("ignore", index), message, value=name))
    if kind.modbus is not None:
        read = [register.point for register in kind.modbus.registers]
        for index, name in enumerate(read):
            inside: tuple[Part, ...] = ("modbus", "registers", index, "point")
            if name not in natives:
                problems.append(draft.unknown(inside, NO_POINT, name, natives))
        problems += repeated(draft, ("modbus", "registers"), "point", read)
        for index, name in enumerate(natives):
            if name not in read:
                message = Message(N_("no register is read for the point `{name}`"), {"name": name})
                problems.append(draft.problem(("points", index), message, value=name))
    return problems


def _check_point(draft: Draft[DeviceType], index: int) -> list[Problem]:
    point = draft.item.points[index]
    inside: tuple[Part, ...] = ("points", index)
    problems = []
    for key, unit in (("unit", point.unit), ("native_unit", point.native_unit)):
        if unit and unit not in known_units():
            problems.append(draft.unknown((*inside, key), NO_UNIT_OF_MEASURE, unit, known_units()))
    if not problems:
        try:
            conversion(point.native_unit, point.unit)
        except UnknownUnit:
            message = Message(
                N_("{native} cannot be converted into {unit}"),
                {"native": point.native_unit, "unit": point.unit or "-"},
            )
            problems.append(draft.problem((*inside, "native_unit"), message, value=point.native_unit))
    if point.minimum is not None and point.maximum is not None and point.minimum >= point.maximum:
        message = Message(
            N_("the minimum {minimum} is not below the maximum {maximum}"),
            {"minimum": point.minimum, "maximum": point.maximum},
        )
        problems.append(draft.problem((*inside, "minimum"), message, value=point.minimum))
    moment = point.device_class is DeviceClass.TIMESTAMP
    if moment and point.unit != "s":
        message = Message(N_("a moment is kept in seconds: write `unit: s`"))
        problems.append(draft.problem((*inside, "device_class"), message, value=point.device_class))
    belongs = {
        "invert": (Kind.BINARY,),
        "true_when": (Kind.BINARY,),
        "device_class": (Kind.NUMBER if moment else Kind.BINARY,),
        "states": (Kind.STATE, Kind.EVENT),
        "unit": (Kind.NUMBER,),
    }
    for key, kinds in belongs.items():
        if getattr(point, key) and point.kind not in kinds:
            message = Message(
                N_("`{key}` has no meaning for a point of kind {kind}, only for {kinds}"),
                {"key": key, "kind": point.kind.value, "kinds": ", ".join(k.value for k in kinds)},
            )
            problems.append(draft.problem((*inside, key), message, at_key=True))
    return problems


def check_edges(
    edges: Drafts[EdgeWiring], places: Drafts[Any] | None, drivers: Collection[str]
) -> list[Problem]:
    """Connections are unique and not reserved; drivers and places exist where these are known."""
    problems = []
    for draft in edges.values():
        edge = draft.item
        if places is not None and (not edge.place or places.lacks(edge.place)):
            if edge.place:
                problems.append(draft.unknown(("place",), NO_PLACE, edge.place, places.named))
            else:
                message = Message(N_("`place` is missing: where the box hangs"))
                problems.append(draft.problem(("place",), message))
        problems += repeated(draft, "connections", "id", [c.id for c in edge.connections])
        for index, connection in enumerate(edge.connections):
            inside = ("connections", index)
            if connection.id == EDGE_CONNECTION:
                message = Message(_OWN_CONNECTION, {"name": connection.id})
                problems.append(draft.problem((*inside, "id"), message, value=connection.id))
            if drivers and connection.driver not in drivers:
                problems.append(draft.unknown((*inside, "driver"), NO_DRIVER, connection.driver, drivers))
            problems += _secrets(draft, index)
    return problems


def check_devices(
    devices: Drafts[Device],
    types: Types,
    edges: Drafts[EdgeWiring],
    places: Drafts[Any] | None,
) -> list[Problem]:
    """Everything a device names exists, and no two hang on the same wire at the same address."""
    problems = []
    heard: dict[tuple[str, str], Draft[Device]] = {}
    drivers = {
        edge: {wire.id: wire.driver for wire in reversed(draft.item.connections)}
        for edge, draft in edges.items()
    }
    for draft in devices.values():
        device = draft.item
        kind = types.get(device.type)
        if device.type not in types and not types.incomplete:
            problems.append(draft.unknown(("type",), NO_TYPE, device.type, types))
        if places is not None and places.lacks(device.place):
            problems.append(draft.unknown(("place",), NO_PLACE, device.place, places.named))
        if edges.lacks(device.edge):
            problems.append(draft.unknown(("edge",), NO_EDGE, device.edge, edges.named))
        elif device.edge not in drivers:
            continue
        elif device.connection not in drivers[device.edge]:
            if device.connection != EDGE_CONNECTION:
                problems.append(_no_connection(draft, drivers[device.edge]))
        elif kind is not None:
            problems += _of_protocol(draft, kind, drivers[device.edge][device.connection])
        first = heard.setdefault((device.edge, device.source), draft)
        if first is not draft:
            problems.append(twice(draft, first, ("address",), f"{device.edge} {device.source}"))
    return problems


def _no_connection(draft: Draft[Device], known: Collection[str]) -> Problem:
    device = draft.item
    message = Message(NO_CONNECTION, {"edge": device.edge, "name": device.connection})
    suggestion = did_you_mean(device.connection, known)
    return draft.problem(("connection",), message, suggestion, value=device.connection)


def _of_protocol(draft: Draft[Device], kind: DeviceType, driver: str) -> list[Problem]:
    modbus = driver.startswith("modbus")
    address = draft.item.address
    if modbus and kind.modbus is None:
        message = Message(
            N_("the type {type} has no Modbus registers, but the connection's driver is {driver}"),
            {"type": kind.id, "driver": driver},
        )
        return [draft.problem(("type",), message, value=kind.id)]
    if kind.modbus is not None and not modbus:
        message = Message(
            N_("the type {type} is read over Modbus, but the connection's driver is {driver}"),
            {"type": kind.id, "driver": driver},
        )
        return [draft.problem(("connection",), message, value=draft.item.connection)]
    if modbus and not (address.isdecimal() and 1 <= int(address) <= _HIGHEST_MODBUS_ADDRESS):
        message = Message(
            N_("`{address}` is no Modbus address (1 to 247, some devices 255)"), {"address": address}
        )
        return [draft.problem(("address",), message, value=address)]
    return []


def _secrets(draft: Draft[EdgeWiring], index: int) -> list[Problem]:
    """The site folder is copied and shared: it may name the file of a secret, never hold one."""
    return [
        draft.problem(
            ("connections", index, "settings", key),
            Message(N_("secrets do not belong into the site's files")),
            Message(N_("name the file that holds it: `{key}_file`"), {"key": key}),
            value="…",
        )
        for key in draft.item.connections[index].settings
        if any(key.lower() == word or key.lower().endswith(f"_{word}") for word in _SECRET_WORDS)
    ]
