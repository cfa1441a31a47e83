"""The grid tree with the counts of the case study: 12 + 243 + 745 = 1,000 grids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry.grids import GridKind
from simulators.community.names import COMPOUNDS, PLAZA, QUARTERS, ROADS, Named

COUNTS: Final = {
    GridKind.RESIDENTIAL: (8, 169, 455),
    GridKind.STREET: (3, 67, 267),
    GridKind.COMMERCIAL: (1, 7, 23),
}
"""Grids of level 1, 2 and 3 of each kind. The source prints the last residential count as "x55"."""

_LETTER: Final = {GridKind.RESIDENTIAL: "R", GridKind.STREET: "S", GridKind.COMMERCIAL: "C"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One grid before anybody is responsible for it.

    `number` counts within the grid of level 1 (a compound's buildings, say), from 1; `named` is that grid
    of level 1.
    """

    id: str
    kind: GridKind
    level: int
    parent: str
    zh: str
    en: str
    number: int
    named: Named


def shares(total: int, among: int) -> list[int]:
    """`total` split as evenly as whole numbers allow, the larger shares first."""
    each, more = divmod(total, among)
    return [each + 1] * more + [each] * (among - more)


def cells() -> list[Cell]:
    """Every grid, parents before children."""
    firsts: dict[GridKind, Sequence[Named]] = {
        GridKind.RESIDENTIAL: COMPOUNDS,
        GridKind.STREET: QUARTERS,
        GridKind.COMMERCIAL: (PLAZA,),
    }
    return [cell for kind, named in firsts.items() for cell in _tree(kind, named)]


def _tree(kind: GridKind, firsts: Sequence[Named]) -> Iterator[Cell]:
    one, two, three = COUNTS[kind]
    seconds = shares(two, one)
    thirds = iter(shares(three, two))
    for index, named in enumerate(firsts):
        first = f"{_LETTER[kind]}{index + 1}"
        yield Cell(first, kind, 1, "", named.zh, named.en, index + 1, named)
        count = 0
        for number in range(1, seconds[index] + 1):
            second = f"{first}-{number:02}"
            zh, en = _second(kind, index, number, named)
            yield Cell(second, kind, 2, first, zh, en, number, named)
            for inner in range(1, next(thirds) + 1):
                count += 1
                third_zh, third_en = _third(kind, inner, count, zh, en, named)
                yield Cell(f"{second}-{inner:02}", kind, 3, second, third_zh, third_en, count, named)


def _second(kind: GridKind, first: int, number: int, named: Named) -> tuple[str, str]:
    match kind:
        case GridKind.RESIDENTIAL:
            return f"{named.zh}第{number}片", f"{named.en} section {number}"
        case GridKind.STREET:
            roads = ROADS[first]
            road, part = roads[(number - 1) % len(roads)], (number - 1) // len(roads) + 1
            return f"{road.zh}第{part}段", f"{road.en} stretch {part}"
        case GridKind.COMMERCIAL:
            letter = "ABCDEFGH"[number - 1]
            return f"{named.zh}{letter}区", f"{named.en} zone {letter}"


def _third(kind: GridKind, inner: int, count: int, zh: str, en: str, named: Named) -> tuple[str, str]:
    match kind:
        case GridKind.RESIDENTIAL:
            return f"{named.zh}{count}号楼", f"{named.en} building {count}"
        case GridKind.STREET:
            return f"{zh}第{inner}格", f"{en} block {inner}"
        case GridKind.COMMERCIAL:
            return f"{zh}第{inner}组商铺", f"{en} shops {inner}"
