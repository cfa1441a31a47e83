"""What is wrong with a file of the site, in words that say where and what was probably meant."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from language import N_, Message

FOLDERS: Final = ("edges", "rules", "types")
"""The folders inside a site folder."""

Part = str | int
"""One step into a document: a key or the index in a list."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, and the exact spot.

    `line` and `column` count from 1. `where` is the dotted way inside the file (``types[2].points``) or
    the column's name in a table; `value` is what stands there, cut short, as text.
    """

    file: Path
    line: int
    column: int | None
    where: str
    value: str
    message: Message
    suggestion: Message | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """``types/own.yaml:4:16: error: points[0].kind: `binry` is not one of …; did you mean `binary`?``."""
        return str(self.told(self.short))

    @property
    def short(self) -> str:
        """The file as somebody who knows the site folder calls it."""
        return "/".join(self.file.parts[-2:]) if self.file.parent.name in FOLDERS else self.file.name

    def told(self, file: object) -> Message:
        """Where in what is called `file`, what is wrong, and what was probably meant, in one line."""
        what = self.message
        if self.suggestion is not None:
            what = Message(N_("{what}; {hint}"), {"what": what, "hint": self.suggestion})
        if self.where:
            what = Message(N_("{where}: {what}"), {"where": self.where, "what": what})
        spot = f"{file}:{self.line}" + (f":{self.column}" if self.column else "")
        template = N_("{spot}: error: {what}") if self.severity == "error" else N_("{spot}: warning: {what}")
        return Message(template, {"spot": spot, "what": what})


class InvalidConfiguration(Exception):
    """A file of the site cannot be used as it is: stop, or keep the old one, and show `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Positions(Protocol):
    """Whatever can tell where in its file a value stands."""

    def contains(self, path: tuple[Part, ...]) -> bool:
        """Whether there is anything at `path`."""

    def position(self, path: tuple[Part, ...]) -> tuple[int, int | None]:
        """Line and column (from 1) of the value at `path`, or of the nearest thing around it."""

    def key_position(self, path: tuple[Part, ...]) -> tuple[int, int | None]:
        """Line and column (from 1) of the key that the last step of `path` names."""


def did_you_mean(wrong: str, known: Iterable[str]) -> Message | None:
    """The nearest of `known` to `wrong` as a suggestion; None when nothing is near."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wrong.lower(), names, n=1, cutoff=0.6)
    return Message(N_("did you mean `{name}`?"), {"name": names[near[0]]}) if near else None


def shown(value: object, *, limit: int = 60) -> str:
    """`value` as a problem shows it: one line, cut at `limit` characters."""
    text = "" if value is None else value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def dotted(path: Iterable[Part]) -> str:
    """A path as people write it: ``points[2].unit``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def in_reading_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sorted by file, line and column: the order in which somebody mends them."""
    return sorted(problems, key=lambda p: (str(p.file), p.line, p.column or 0, p.where))
