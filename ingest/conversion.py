"""From a value on the wire to a canonical one, compiled once per point and unit.

`compile_point` makes a closure; on the hot path only the closure runs. A number becomes a float in the
point's canonical unit, a binary point a bool with canonical polarity, states and events become words.
What cannot mean anything for the point raises `Unusable`, which says what was expected.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

from language import N_, Message
from readings import Quality, Scalar
from readings.units import conversion
from registry.device_types import Kind, Point

Convert = Callable[[Scalar], tuple[Scalar, int]]
"""Wire value → (canonical value, `Quality` bits); raises `Unusable`."""

LONGEST_WORD: Final = 1000
"""Characters of a state or event; anything longer is rubbish, not a word."""

_TRUE: Final = "true on yes 1 open opened active alarm detected triggered unlocked online connected"
_FALSE: Final = "false off no 0 close closed inactive idle normal clear cleared locked offline disconnected"
TRUE_WORDS: Final = frozenset(_TRUE.split())
FALSE_WORDS: Final = frozenset(_FALSE.split())
NO_VALUE_WORDS: Final = frozenset(
    ("", "unknown", "unavailable", "none", "null", "undefined", "error", "n/a", "-")
)
"""What devices and bridges say when they have no value; never "normal"."""

_WORDS_KNOWN: Final = 32
"""Spellings a switch remembers; a device has two or three."""
_GOOD: Final[int] = int(Quality.GOOD)
_UNKNOWN: Final = (math.nan, int(Quality.NOT_A_NUMBER))
_OUT_OF_RANGE: Final[int] = int(Quality.OUT_OF_RANGE)


class Unusable(ValueError):
    """The value cannot be one of this point's; keep it raw. `message` says what was expected."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


def compile_point(point: Point, unit: str) -> Convert:
    """The conversion of `point` for samples that carry `unit` (empty: the type's own word).

    Raises `readings.units.UnknownUnit` when there is no way from the sample's unit to the point's.
    """
    if point.kind is Kind.NUMBER:
        return _number(point, unit)
    if point.kind is Kind.BINARY:
        return _binary(point)
    return _word(point)


def _number(point: Point, unit: str) -> Convert:
    factor, offset = conversion(unit or point.native_unit, point.unit)
    low = -math.inf if point.minimum is None else point.minimum
    high = math.inf if point.maximum is None else point.maximum

    def convert(value: Scalar) -> tuple[Scalar, int]:
        kind = type(value)
        number = value if kind is float else _as_float(value)
        converted = number * factor + offset  # type: ignore[operator]  # a float by the line above
        if low <= converted <= high and -math.inf < converted < math.inf:
            return converted, _GOOD
        if math.isfinite(converted):
            return converted, _OUT_OF_RANGE
        return _UNKNOWN

    return convert


def _as_float(value: Scalar) -> float:
    if isinstance(value, bool):
        raise Unusable(Message(N_("expected a number, got the switch value {value}"), {"value": value}))
    if isinstance(value, str):
        text = value.strip()
        # float() also takes "1_000" and digits of other scripts, which no device means as a number.
        if not text.isascii() or "_" in text:
            raise Unusable(_no_number(value))
        try:
            return float(text)
        except ValueError:
            raise Unusable(_no_number(value)) from None
    return float(value)


def _no_number(value: str) -> Message:
    return Message(N_("expected a number, got the word {value}"), {"value": repr(value[:40])})


def _binary(point: Point) -> Convert:
    told = frozenset(map(_key, point.true_when))
    words = {key for key in told if isinstance(key, str)}
    invert = point.invert
    known: dict[str, tuple[Scalar, int]] = {}

    def convert(value: Scalar) -> tuple[Scalar, int]:
        if type(value) is bool and not told:
            return value is not invert, _GOOD
        if type(value) is str:
            if (result := known.get(value)) is None:
                result = understand(value)
                if len(known) < _WORDS_KNOWN:
                    known[value] = result
            return result
        return understand(value)

    def understand(value: Scalar) -> tuple[Scalar, int]:
        key = _key(value)
        if told:
            switched = key in told
            if not switched and not _may_mean_false(key, words=bool(words), numbers=len(words) < len(told)):
                raise Unusable(_no_switch(value))
        elif key in (True, False):
            switched = key == True  # noqa: E712 - 1, 1.0 and True all mean it
        elif key in TRUE_WORDS:
            switched = True
        elif key in FALSE_WORDS:
            switched = False
        else:
            raise Unusable(_no_switch(value))
        return switched is not invert, _GOOD

    return convert


def _key(value: Scalar) -> Scalar:
    return value.strip().casefold() if isinstance(value, str) else value


def _may_mean_false(key: Scalar, *, words: bool, numbers: bool) -> bool:
    """Whether a value that is none of `true_when` may be taken for the other side.

    A word for "no value" never means normal, and a value of another sort than the type names is a
    mistake in the type, not a state of the device.
    """
    if isinstance(key, str):
        return key not in NO_VALUE_WORDS and (words or key in FALSE_WORDS)
    return isinstance(key, bool) or (numbers and math.isfinite(key)) or key == 0


def _no_switch(value: Scalar) -> Message:
    return Message(N_("expected on or off, got {value}"), {"value": repr(value)[:40]})


def _word(point: Point) -> Convert:
    states: Mapping[str, str] = {_state_key(wire): state for wire, state in point.states.items()}
    canonical = frozenset(point.states.values())
    is_state = point.kind is Kind.STATE

    def convert(value: Scalar) -> tuple[Scalar, int]:
        if isinstance(value, str):
            word = value
        elif is_state or (states and not isinstance(value, bool)):
            word = _state_text(value)
        else:
            raise Unusable(Message(N_("expected an event's name, got {value}"), {"value": repr(value)[:40]}))
        if len(word) > LONGEST_WORD:
            raise Unusable(Message(N_("expected a word, got {length} characters"), {"length": len(word)}))
        if states:
            known = states.get(_state_key(word))
            if known is not None:
                return known, _GOOD
            if is_state and word not in canonical:
                wanted = ", ".join(sorted(point.states)[:8])
                raise Unusable(
                    Message(
                        N_("expected one of {wanted}, got {value}"),
                        {"wanted": wanted, "value": repr(word[:40])},
                    )
                )
        return word, _GOOD

    return convert


def _state_key(word: str) -> str:
    return word.strip().casefold()


def _state_text(value: bool | int | float) -> str:
    """A number or switch as the keys of `states` are written in YAML: ``true``, ``3``."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower()
