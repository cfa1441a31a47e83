"""What the sampler found, as two lists: by room and library, and the dearest functions."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = str(Path(__file__).parent.parent) + "/"
FUNCTIONS: Final = 25


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the core's processor time."""

    name: str
    percent: float
    caller: str = ""
    """The function of ours it worked for, when it is not ours."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the processor time of ingest and gateway went."""

    seconds: float
    rooms: list[Share]
    """Self time by package; a library's time counts as the library's."""
    callers: list[Share]
    """By the room that it was spent for: a library's time counts for who called it."""
    functions: list[Share]
    threads: list[Share]


def read_profile(folder: Path) -> Profile:
    """The profiles that `bench.sampled_core` wrote, one file a process."""
    rooms: dict[str, float] = defaultdict(float)
    callers: dict[str, float] = defaultdict(float)
    threads: dict[str, float] = defaultdict(float)
    functions: dict[tuple[str, str], float] = defaultdict(float)
    rows = [
        (path.stem, *row)
        for path in sorted(folder.glob("*.json"))
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]
    for process, thread, file, function, own_file, own_function, spent in rows:
        rooms[package(file)] += spent
        callers[module(own_file) if own_file else "(event loop)"] += spent
        name = "event loop" if thread == "MainThread" else thread.rstrip("0123456789").rstrip("-_")
        threads[f"{process}: {name}"] += spent
        own = "" if own_file == file else f"{module(own_file)}.{own_function}" if own_file else ""
        functions[f"{module(file)}.{function}", own] += spent
    total = sum(rooms.values()) or 1.0

    def shares(found: Mapping[str, float]) -> list[Share]:
        ordered = sorted(found.items(), key=lambda item: -item[1])
        return [Share(name, 100 * spent / total) for name, spent in ordered[:FUNCTIONS]]

    dearest = sorted(functions.items(), key=lambda item: -item[1])[:FUNCTIONS]
    return Profile(
        seconds=total,
        rooms=shares(rooms),
        callers=shares(callers),
        threads=shares(threads),
        functions=[Share(name, 100 * spent / total, own) for (name, own), spent in dearest],
    )


def package(file: str) -> str:
    """The top-level package of a file: a room of ours, a library, or ``python``."""
    if file.startswith(_ROOT) and "site-packages" not in file:
        return file.removeprefix(_ROOT).partition("/")[0]
    _, installed, inside = file.rpartition("site-packages/")
    return inside.partition("/")[0].removesuffix(".py") if installed else "python"


def module(file: str) -> str:
    """A file as a module's name."""
    short = file.removeprefix(_ROOT) if "site-packages" not in file else file.rpartition("site-packages/")[2]
    if short == file:
        short = (
            file.rpartition("/")[2]
            if "/lib/python" not in file
            else file.rpartition("/python3")[2].partition("/")[2]
        )
    return short.removesuffix(".py").replace("/", ".")
