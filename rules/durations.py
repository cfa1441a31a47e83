"""Lengths of time in rules: ``0s``, ``500ms``, ``90s``, ``5m``, ``1h 30m``, ``7d``; inside, nanoseconds."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer

from language import N_
from registry.model import Invalid

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000 * MILLISECOND
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_UNITS: Final = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": MILLISECOND}
_PART: Final = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*(ms|d|h|m|s)\s*", re.ASCII)


def nanoseconds(text: str) -> int:
    """The nanoseconds in ``1h 30m``; raises `Invalid` (a ValueError) when `text` is no length of time."""
    total, at = 0, 0
    while part := _PART.match(text, at):
        total += round(float(part[1]) * _UNITS[part[2]])
        at = part.end()
    if at != len(text) or not text:
        raise Invalid(N_("`{text}` is no length of time; write 30s, 5m, 1h or 1h 30m"), text=text)
    return total


def written(length: int) -> str:
    """Nanoseconds as people write them: ``1h 30m``; ``0s`` for nothing."""
    parts = []
    for unit, size in _UNITS.items():
        count, length = divmod(length, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def _from_any(value: object) -> object:
    if isinstance(value, str):
        return nanoseconds(value.strip())
    raise Invalid(N_("`{text}` is no length of time; write 30s, 5m, 1h or 1h 30m"), text=value)


Duration = Annotated[
    int,
    BeforeValidator(_from_any, json_schema_input_type=str),
    Field(ge=0, le=400 * DAY),
    PlainSerializer(written, return_type=str),
]
"""A pydantic field that takes ``5m`` and gives nanoseconds. A bare number is refused: of what unit?"""
