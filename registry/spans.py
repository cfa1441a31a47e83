"""Lengths of time as people write limits: ``90s``, ``15m``, ``4h``, ``3d``, ``1d 4h``."""

import re
import sys
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

from language import N_
from registry.model import Invalid

_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)\s*(s|m|h|d)\s*", re.ASCII)
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_DAYS: Final = 3_660
"""Ten years: a limit beyond is a slip, and its end would lie outside every calendar."""


@dataclass(frozen=True, slots=True, order=True)
class Length:
    """Whole days and seconds, kept apart because a day means something else on a working calendar.

    On the wall clock a day is 24 h and an hour 3,600 s. On a calendar's clock only open time counts:
    an hour is an hour of open time, a day is one working day of the calendar.
    """

    days: int = 0
    seconds: float = 0.0

    @property
    def wall_seconds(self) -> float:
        """The length on the wall clock, in seconds."""
        return self.days * 86_400 + self.seconds

    def __str__(self) -> str:
        parts = [f"{self.days}d"] if self.days else []
        rest = self.seconds
        for unit in ("h", "m"):
            count, rest = divmod(rest, _SECONDS[unit])
            parts += [f"{int(count)}{unit}"] if count else []
        parts += [f"{rest:g}s"] if rest or not parts else []
        return " ".join(parts)


def length(text: str) -> Length:
    """The length in `text`; raises `Invalid` (a ValueError) when it is none or is not above zero."""
    days, seconds, at = 0.0, 0.0, 0
    while part := _PART.match(text, at):
        if part[2] == "d":
            days += float(part[1])
        else:
            seconds += float(part[1]) * _SECONDS[part[2]]
        at = part.end()
    if at != len(text) or days != int(days) or not (days or seconds):
        raise Invalid(N_("`{text}` is no length of time; write 90s, 15m, 4h, 3d or 1d 4h"), text=text)
    return _within_reason(Length(int(days), seconds), text)


def _within_reason(found: Length, text: object) -> Length:
    if not found.wall_seconds <= LONGEST_DAYS * 86_400:
        raise Invalid(N_("`{text}` is longer than ten years"), text=text)
    return found


def _from_any(value: object) -> Any:
    if isinstance(value, str):
        return length(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return _within_reason(Length(0, float(min(value, sys.float_info.max))), value)
    if isinstance(value, Length):
        return value
    raise Invalid(N_("`{text}` is no length of time; write 90s, 15m, 4h, 3d or 1d 4h"), text=value)


Span = Annotated[Length, BeforeValidator(_from_any), PlainSerializer(str, return_type=str)]
"""A pydantic field that takes ``15m`` (or a number of seconds) and gives a `Length`."""
