"""What InfluxDB's answers to a write mean; which points it means when it refuses some.

Every version names something, each in its own way (seen with 1.6.7; 3.x from its documentation and tests):

- 1.x and 2.x: ``unable to parse 'LINE': WHY`` for every line that is none;
- 1.x and 2.x: ``partial write: WHY dropped=N``, where N counts the points of one shard only, so it says
  which ones they are just when it is as many as there were;
- 1.x and 2.x: ``input field "F" on measurement "M" is type T, already exists as type U`` of the first such
  point; there may be more of them, and points of another shard may be in order;
- 3.x: a list with the number of each line and what is wrong with it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import httpx

_DROPPED: Final = re.compile(r"\bdropped=(\d{1,9})\b")
_NOT_PARSED: Final = re.compile(r"unable to parse '(.*)': (.*)")
_CONFLICT: Final = re.compile(
    r'input field "(?P<field>.+?)" on measurement "(?P<measurement>.+?)"'
    r" is type (?P<kind>\w+), already exists"
)
_OF_POINTS: Final = re.compile(
    r"partial write|unable to parse|field type conflict|beyond retention|outside retention"
    r"|points? .*dropped|max-values-per-tag|max-series-per-database|max key length|time outside range"
    r"|line protocol",
    re.IGNORECASE,
)
_NUMBER: Final = r"-?[\d.]+(?![\di])"
_VALUES: Final = {"string": '"', "boolean": "[tTfF]", "integer": r"-?\d+i"}
"""How values of a type begin in line protocol."""
_SHOWN: Final = 300
"""Characters of a reason that are kept for people."""


class Verdict(Enum):
    """What became of a request."""

    WRITTEN = auto()
    REFUSED = auto()
    """Something in it will never be written; the rest may or may not have been."""
    TOO_LARGE = auto()


@dataclass(frozen=True)
class Refusal:
    """What the server said to a request; positions count the request's lines from 0."""

    reason: str
    """Its words, as far as a person wants to read them."""
    of_points: bool = True
    """Whether it is known to be about single points; else it may as well be about the request as a whole."""
    dropped: int | None = None
    parse_errors: Mapping[str, str] = field(default_factory=dict)
    """Why, by line."""
    numbered: Mapping[int, str] = field(default_factory=dict)
    """Why, by position."""
    conflict: tuple[str, str, str] | None = None
    """Field, measurement and the field's type in the request."""

    def named(self, lines: Sequence[str]) -> dict[int, str]:
        """The positions of those of the request's `lines` that the server named one by one, with why."""
        if self.dropped == len(lines):
            return dict.fromkeys(range(len(lines)), self.reason)
        found: dict[int, str] = {}
        if self.numbered and not any("\n" in line for line in lines):  # else the numbers are not ours
            found = {at: why for at, why in self.numbered.items() if 0 <= at < len(lines)}
        if self.parse_errors:
            errors = self.parse_errors
            found |= {at: errors[line] for at, line in enumerate(lines) if line in errors}
        return found

    def suspects(self, lines: Sequence[str]) -> list[int]:
        """The positions of those of the `lines` that may be meant: worth asking about on their own."""
        if self.conflict is None:
            return []
        name, measurement, kind = self.conflict
        starts = _escaped(measurement, ", ")
        has_it = re.compile(f"[ ,]{re.escape(_escaped(name, ',= '))}={_VALUES.get(kind, _NUMBER)}")
        return [
            at
            for at, line in enumerate(lines)
            if line.startswith((f"{starts},", f"{starts} ")) and has_it.search(line)
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, with what the server said."""

    verdict: Verdict
    refusal: Refusal = Refusal("")


WRITTEN: Final = Outcome(Verdict.WRITTEN)


def read_refusal(answer: httpx.Response) -> Refusal:
    """The refusal in an answer with status 400 or 422."""
    whole, numbered = _told(answer)
    parse_errors: dict[str, str] = {}
    for text in whole.splitlines():
        if match := _NOT_PARSED.search(text):
            parse_errors[match[1]] = _DROPPED.sub("", match[2]).strip()
    dropped = _DROPPED.search(whole)
    conflict = _CONFLICT.search(whole)
    return Refusal(
        reason=shown(whole),
        of_points=bool(numbered) or _OF_POINTS.search(whole) is not None,
        dropped=int(dropped[1]) if dropped else None,
        parse_errors=parse_errors,
        numbered=numbered,
        conflict=(conflict["field"], conflict["measurement"], conflict["kind"]) if conflict else None,
    )


def reason_of(answer: httpx.Response) -> str:
    """The server's words in any answer, short enough to be shown."""
    return shown(_told(answer)[0])


def shown(text: str) -> str:
    """`text` on one line, cut where nobody reads on."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} …"


def _escaped(name: str, characters: str) -> str:
    return "".join(f"\\{one}" if one in characters else one for one in name)


def _told(answer: httpx.Response) -> tuple[str, dict[int, str]]:
    """The sentence, and what 3.x says about single lines."""
    try:
        told = answer.json()
    except (ValueError, RecursionError):
        return answer.text.strip() or answer.reason_phrase, {}
    if not isinstance(told, dict):
        return str(told), {}
    numbered: dict[int, str] = {}
    data = told.get("data")
    for entry in data if isinstance(data, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("line_number"), int):
            numbered[entry["line_number"] - 1] = shown(str(entry.get("error_message", "")))
    return str(told.get("error") or told.get("message") or told), numbered
