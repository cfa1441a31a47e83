"""Checks of the community against itself: does everything that is named exist, and fit?

Each function takes drafts (valid by themselves) and returns what does not go together.
"""

from typing import Final

from language import N_, Message
from registry.calendars import known_countries
from registry.categories import Category
from registry.grids import Calendar, Grid, Person, Place, Unit
from registry.listings import Draft, Drafts, repeated, twice
from registry.problems import Problem

NO_CALENDAR: Final = N_("there is no calendar `{name}`")
NO_UNIT: Final = N_("there is no unit `{name}`")
NO_PERSON: Final = N_("there is no person `{name}`")
NO_GRID: Final = N_("there is no grid `{name}`")


def check_grids(grids: Drafts[Grid], people: Drafts[Person]) -> list[Problem]:
    """Parents exist, one level up and of the same kind; officers exist; somebody is responsible."""
    problems = []
    for draft in grids.values():
        grid = draft.item
        if grid.officer is not None and people.lacks(grid.officer):
            problems.append(draft.unknown(("officer",), NO_PERSON, grid.officer, people.named))
        if grid.parent is None:
            continue
        parent = grids.get(grid.parent)
        if parent is None:
            if grids.lacks(grid.parent):
                problems.append(draft.unknown(("parent",), NO_GRID, grid.parent, grids.named))
        elif parent.item.level != grid.level - 1:
            message = Message(
                N_(
                    "the parent `{name}` is of level {level}; a grid of level {own} has one of level {wanted}"
                ),
                {
                    "name": grid.parent,
                    "level": parent.item.level,
                    "own": grid.level,
                    "wanted": grid.level - 1,
                },
            )
            problems.append(draft.problem(("parent",), message, value=grid.parent))
        elif parent.item.kind is not grid.kind:
            message = Message(
                N_("the parent `{name}` is {parent}, this grid is {own}: a tree is of one kind"),
                {"name": grid.parent, "parent": parent.item.kind.value, "own": grid.kind.value},
            )
            problems.append(draft.problem(("kind",), message, value=grid.kind.value))
    return problems + _unwatched(grids)


def _unwatched(grids: Drafts[Grid]) -> list[Problem]:
    problems = []
    for draft in grids.values():
        step: Draft[Grid] | None = draft
        for _ in range(draft.item.level):
            if step is None or step.item.officer is not None:
                break
            step = grids.get(step.item.parent or "")
        else:
            if draft.item.level == 3:
                message = Message(
                    N_("nobody is responsible for the grid `{name}` or those around it"),
                    {"name": draft.item.id},
                )
                problems.append(draft.problem(("id",), message, severity="warning"))
    return problems


def check_places(
    places: Drafts[Place],
    grids: Drafts[Grid],
    calendars: Drafts[Calendar],
) -> list[Problem]:
    """Places lie in grids of level 3, close by calendars that exist, and share no sign."""
    problems = []
    signs: dict[str, Draft[Place]] = {}
    for draft in places.values():
        place = draft.item
        if place.sign and (first := signs.setdefault(place.sign, draft)) is not draft:
            problems.append(twice(draft, first, ("sign",), place.sign))
        grid = grids.get(place.grid)
        if grid is None:
            if grids.lacks(place.grid):
                problems.append(draft.unknown(("grid",), NO_GRID, place.grid, grids.named))
        elif grid.item.level != 3:
            message = Message(
                N_("`{name}` is a grid of level {level}; a place lies in a grid of level 3"),
                {"name": place.grid, "level": grid.item.level},
            )
            problems.append(draft.problem(("grid",), message, value=place.grid))
        if place.closed and calendars.lacks(place.closed):
            problems.append(draft.unknown(("closed",), NO_CALENDAR, place.closed, calendars.named))
        if (place.x is None) != (place.y is None):
            message = Message(N_("a position needs both x (longitude) and y (latitude)"))
            problems.append(draft.problem(("x",) if place.x is not None else ("y",), message))
    return problems


def check_people(people: Drafts[Person], units: Drafts[Unit]) -> list[Problem]:
    """People belong to units that exist."""
    return [
        draft.unknown(("unit",), NO_UNIT, draft.item.unit, units.named)
        for draft in people.values()
        if draft.item.unit and units.lacks(draft.item.unit)
    ]


def check_calendars(calendars: Drafts[Calendar]) -> list[Problem]:
    """Holidays of countries that are known; no day both closed and open."""
    problems = []
    for draft in calendars.values():
        country = draft.item.holidays
        if country and country not in known_countries():
            problems.append(
                draft.unknown(
                    ("holidays",), N_("no holidays are known for `{name}`"), country, known_countries()
                )
            )
        for day in sorted(set(draft.item.closed_on) & set(draft.item.open_on)):
            message = Message(N_("{day} is in both `closed_on` and `open_on`"), {"day": day})
            problems.append(draft.problem(("closed_on", draft.item.closed_on.index(day)), message, value=day))
    return problems


def check_categories(
    categories: Drafts[Category],
    calendars: Drafts[Calendar],
    units: Drafts[Unit],
) -> list[Problem]:
    """Calendars and units exist; urgent cases run on the wall clock; milestones come before the end."""
    problems = []
    for draft in categories.values():
        category = draft.item
        if units.lacks(category.unit):
            problems.append(draft.unknown(("unit",), NO_UNIT, category.unit, units.named))
        if category.calendar and calendars.lacks(category.calendar):
            problems.append(draft.unknown(("calendar",), NO_CALENDAR, category.calendar, calendars.named))
        if category.urgent and category.calendar:
            message = Message(N_("an urgent category runs on the wall clock: leave `calendar` out"))
            problems.append(draft.problem(("calendar",), message, value=category.calendar))
        for index, milestone in enumerate(category.milestones):
            if milestone.within > category.handle_within:
                message = Message(
                    N_("the milestone {milestone} is due after the handling limit ({limit})"),
                    {"milestone": milestone.id, "limit": category.handle_within},
                )
                inside = ("milestones", index, "within")
                problems.append(draft.problem(inside, message, value=str(milestone.within)))
        problems += repeated(draft, "milestones", "id", [m.id for m in category.milestones])
        problems += repeated(draft, "evidence", "id", [e.id for e in category.evidence])
    return problems
