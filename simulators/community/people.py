"""The people: officers of every grid, the smart centre's three, departments, verifiers."""

import random
from collections.abc import Iterator, Sequence

from registry.grids import Person, Role
from simulators.community.grids import Cell
from simulators.community.names import GIVEN, SURNAMES

_STAFF = (
    ("centre-1", Role.SMART_CENTRE, "smart-centre"),
    ("centre-2", Role.SMART_CENTRE, "smart-centre"),
    ("centre-3", Role.SMART_CENTRE, "smart-centre"),
    ("coordination-1", Role.DEPARTMENT, "coordination"),
    ("residents-1", Role.DEPARTMENT, "residents"),
    ("social-affairs-1", Role.DEPARTMENT, "social-affairs"),
    ("city-management-1", Role.DEPARTMENT, "city-management"),
    ("city-management-2", Role.DEPARTMENT, "city-management"),
    ("verifier-1", Role.VERIFIER, "coordination"),
    ("verifier-2", Role.VERIFIER, "coordination"),
    ("safety-1", Role.SAFETY_OFFICER, "smart-centre"),
    ("administrator", Role.ADMINISTRATOR, "smart-centre"),
    ("viewer", Role.VIEWER, "coordination"),
)

_LARGEST_ROUND = 3
"""Level-3 grids that one officer walks."""

_LEAD_HAS = 5
"""Level-2 grids of one lead."""


def people(cells: Sequence[Cell], seed: int) -> tuple[list[Person], dict[str, str]]:
    """Everybody, and who is responsible for each grid (grid id → person id)."""
    chance = random.Random(f"{seed}/people")
    names = _names(chance)
    phones = iter(range(10_000))
    officers: dict[str, str] = {}
    found = [_person(name, role, unit, next(names), next(phones)) for name, role, unit in _STAFF]

    def responsible(person: str, grids: Sequence[Cell]) -> None:
        found.append(_person(person, Role.GRID_OFFICER, "grid-team", next(names), next(phones)))
        officers.update((cell.id, person) for cell in grids)

    for head in (cell for cell in cells if cell.level == 1):
        responsible(f"head-{head.id.lower()}", [head])
        seconds = _under(head, cells)
        for number, part in enumerate(_parts(seconds, _LEAD_HAS), start=1):
            responsible(f"lead-{head.id.lower()}-{number:02}", part)
        for second in seconds:
            for number, part in enumerate(_parts(_under(second, cells), _LARGEST_ROUND), start=1):
                responsible(f"officer-{second.id.lower()}-{number}", part)
    return found, officers


def _person(name: str, role: Role, unit: str, called: str, phone: int) -> Person:
    return Person(id=name, name=called, role=role, phone=f"0551-5550{phone:04}", unit=unit)


def _names(chance: random.Random) -> Iterator[str]:
    used: set[str] = set()
    while True:
        given = "".join(chance.sample(GIVEN, chance.choice((1, 2, 2))))
        name = chance.choice(SURNAMES) + given
        if name not in used:
            used.add(name)
            yield name


def _under(parent: Cell, cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.parent == parent.id]


def _parts(cells: Sequence[Cell], largest: int) -> Iterator[Sequence[Cell]]:
    """`cells` in as few even parts as `largest` allows: four become two and two."""
    count = -(-len(cells) // largest)
    for part in range(count):
        yield cells[part * len(cells) // count : (part + 1) * len(cells) // count]
