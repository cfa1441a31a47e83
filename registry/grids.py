"""The community as people know it: grids, places, people, calendars."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from language import N_
from registry.model import Id, Invalid, Model, Text

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of a week as calendars and schedules write them; Monday is 0."""


def weekdays(text: str) -> frozenset[int]:
    """The days in ``mon-fri``, ``sat,sun`` or ``fri-mon`` (over the weekend); Monday is 0.

    Raises `Invalid`.
    """
    found: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise Invalid(N_("`{text}` are no days of the week; write mon-fri or sat,sun"), text=text)
        start, end = DAYS.index(first), DAYS.index(last or first)
        found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return frozenset(found)


class GridKind(StrEnum):
    """The three kinds of grid of a community."""

    RESIDENTIAL = "residential"
    STREET = "street"
    COMMERCIAL = "commercial"


class Grid(Model):
    """One cell of the community's grid tree: three kinds, three levels."""

    id: Id = Field(description="Stable id; by convention kind letter and path: R1, R1-03, R1-03-07.")
    name: Text = Field(description="What people call it, by language.")
    kind: GridKind = Field(description="residential, street or commercial.")
    level: int = Field(ge=1, le=3, description="1 is the widest, 3 the one a grid officer walks.")
    parent: Id | None = Field(None, description="The grid of the next wider level; none on level 1.")
    officer: Id | None = Field(None, description="The person responsible for this grid.")

    @model_validator(mode="after")
    def _parent_matches_level(self) -> "Grid":
        if (self.parent is None) != (self.level == 1):
            raise Invalid(N_("a grid of level 1 has no parent, every other grid has one"))
        return self


class Place(Model):
    """Where a device hangs and an officer goes: a spot in a building or on a street."""

    id: Id
    name: Text
    grid: Id = Field(description="The level-3 grid the place lies in.")
    building: str = Field("", description="Building or block, as the signs say.")
    unit: str = Field("", description="Unit or entrance.")
    floor: str = Field("", description="Floor, as in the lift.")
    fire_zone: str = Field("", description="Zone in which a second detector confirms a first.")
    closed: str = Field(
        "", description="Calendar of the hours in which nobody should be here; empty: never closed."
    )
    sign: str = Field("", description="Number on the sign (QR code) posted here; empty: none.")
    x: float | None = Field(None, description="Longitude in degrees (WGS 84).", ge=-180, le=180)
    y: float | None = Field(None, description="Latitude in degrees (WGS 84).", ge=-90, le=90)


class Role(StrEnum):
    """What a person does in the grid workflow (GRID.md's actors)."""

    ADMINISTRATOR = "administrator"
    SAFETY_OFFICER = "safety_officer"
    SMART_CENTRE = "smart_centre"
    GRID_OFFICER = "grid_officer"
    DEPARTMENT = "department"
    VERIFIER = "verifier"
    VIEWER = "viewer"


class Person(Model):
    """Somebody who handles cases."""

    id: Id
    name: str
    role: Role
    phone: str = Field("", description="Where the person is called; shown to staff only.")
    unit: str = Field("", description="Department or team.")


class Unit(Model):
    """A department or team that cases are dispatched to."""

    id: Id
    name: Text = Field(description="What people call it, by language.")
    phone: str = ""


def _days(text: str) -> str:
    weekdays(text)
    return text


def _iso_day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(N_("`{text}` is no date; write it like 2026-10-01"), text=text) from error
    return text


TimeOfDay = Annotated[str, Field(pattern=r"^(?:([01]\d|2[0-3]):[0-5]\d|24:00)$")]
"""Local time as ``08:30``; ``24:00`` is the end of the day."""

Days = Annotated[str, AfterValidator(_days)]
"""Days of a week as `weekdays` reads them."""

Day = Annotated[str, AfterValidator(_iso_day)]
"""A date as ``2026-10-01``."""


class Calendar(Model):
    """Hours of a week, and the days that differ: office hours, or when a zone is closed."""

    id: Id
    days: Days = Field("mon-sun", description="Days the hours begin on: `mon-fri`, `sat,sun`.")
    start: TimeOfDay = Field("00:00", description="Local time the hours begin.")
    end: TimeOfDay = Field("24:00", description="Local time they end; before `start` means overnight.")
    outside: bool = Field(
        False,
        description="Mean the time outside these hours: a shop's opening hours then say when it is closed.",
    )
    holidays: str = Field(
        "", description="Country whose public holidays do not count, e.g. CN; make-up workdays do."
    )
    closed_on: tuple[Day, ...] = Field((), description="Further days (YYYY-MM-DD) that do not count.")
    open_on: tuple[Day, ...] = Field((), description="Make-up workdays (YYYY-MM-DD) that count.")

    @model_validator(mode="after")
    def _hours_exist(self) -> "Calendar":
        if self.start in (self.end, "24:00"):
            raise Invalid(
                N_("hours from {start} to {end} are empty; 00:00 to 24:00 is the whole day"),
                start=self.start,
                end=self.end,
            )
        return self
