"""JSON from outside: parsed strictly, flattened into samples' points, never trusted.

``NaN``, bytes that are not UTF-8, nesting without end, numbers out of range and payloads beyond
`LARGEST` are `Malformed`; the rest of the agent only sees scalars of bounded size.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from readings import Scalar

LARGEST: Final = 256 * 1024
"""Bytes; Zigbee2MQTT's and Frigate's own messages stay under 10 kB."""
LONGEST_TEXT: Final = 4096
DEEPEST: Final = 8
_LONGEST_POINT: Final = 128
_INT64: Final = 1 << 63

_decoder = msgspec.json.Decoder()


class Malformed(ValueError):
    """Not what the protocol allows. Dead-letter it, under `source` where one is known."""

    def __init__(self, reason: str, source: str = "") -> None:
        super().__init__(reason)
        self.source = source


def parse(payload: bytes, source: str) -> Any:
    """The JSON value in `payload`; raises `Malformed`."""
    if len(payload) > LARGEST:
        raise Malformed(f"{len(payload)} bytes are more than {LARGEST}", source)
    try:
        return _decoder.decode(payload)
    except RecursionError as error:
        raise Malformed("nested too deeply", source) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"not JSON: {error}", source) from error


def flat(values: Mapping[str, Any], source: str) -> Iterator[tuple[str, Scalar]]:
    """The scalars in a JSON object as (dotted point, value).

    null says nothing and is left out; a list becomes its JSON text; a whole number beyond 64 bits becomes
    a float. Raises `Malformed` for names, texts or nesting beyond the limits.
    """
    for point, value in values.items():
        # The common case first: this runs for every value of every message.
        if (value is True or value is False or type(value) is float) and len(point) <= _LONGEST_POINT:
            yield point, value
        elif type(value) is int:
            yield point_name(point, source), _number(value, source)
        elif value is not None:
            yield from _composite(point_name(point, source), value, source, 1)


def _composite(point: str, value: Any, source: str, depth: int) -> Iterator[tuple[str, Scalar]]:
    if depth > DEEPEST:
        raise Malformed("nested too deeply", source)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _composite(point_name(f"{point}.{key}", source), inner, source, depth + 1)
        return
    if isinstance(value, list):
        value = msgspec.json.encode(value).decode()
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise Malformed(f"{point}: a text of {len(value)} characters", source)
    elif type(value) is int:
        value = _number(value, source)
    if value is not None:
        yield point, value


def point_name(point: str, source: str) -> str:
    """`point` when it is short enough for a point's name; raises `Malformed`."""
    if len(point) > _LONGEST_POINT:
        raise Malformed(f"a name of {len(point)} characters", source)
    return point


def _number(value: int, source: str) -> int | float:
    if -_INT64 <= value < _INT64:
        return value
    try:
        return float(value)
    except OverflowError as error:
        raise Malformed("a number beyond every range", source) from error
