"""From a canonical value to what a device of some type would put on its wire, and back.

The way back is what a normaliser makes of it; a simulator needs it to write down which value the
store should hold after the wire's own rounding.
"""

from typing import Final

from readings import Scalar
from readings.units import conversion
from registry.device_types import Kind, Point

_OPPOSITE: Final[dict[Scalar, Scalar]] = {
    "ON": "OFF",
    "on": "off",
    "open": "closed",
    "OPEN": "CLOSED",
    "UNLOCK": "LOCK",
    "unlocked": "locked",
    "online": "offline",
    "true": "false",
    "yes": "no",
    "alarm": "normal",
}


def to_wire(point: Point, value: Scalar) -> Scalar:
    """`value` (canonical unit and polarity) as the device says it.

    Numbers are rounded to 1/1000 of the native unit, and whole ones are integers, as in the JSON of
    firmware written in JavaScript or C. Words that the type does not know pass unchanged.
    """
    if point.kind is Kind.BINARY:
        return _binary_to_wire(point, bool(value))
    if isinstance(value, str):
        return next((wire for wire, state in point.states.items() if state == value), value)
    if isinstance(value, bool):
        return value
    factor, offset = conversion(point.native_unit, point.unit)
    native = round((value - offset) / factor, 3)
    return int(native) if native == native and abs(native) < 1e15 and native == int(native) else native


def from_wire(point: Point, wire: Scalar) -> Scalar:
    """What `wire` means: the canonical value that a store should end up with."""
    if point.kind is Kind.BINARY:
        said = wire in point.true_when if point.true_when else bool(wire)
        return said is not point.invert
    if isinstance(wire, str):
        return point.states.get(wire, wire)
    if isinstance(wire, bool):
        return wire
    return conversion(point.native_unit, point.unit)(wire)


def _binary_to_wire(point: Point, abnormal: bool) -> Scalar:
    said = abnormal is not point.invert
    if not point.true_when:
        return said
    yes = point.true_when[0]
    if said:
        return yes
    return _OPPOSITE.get(yes, 0 if isinstance(yes, int | float) else "")
