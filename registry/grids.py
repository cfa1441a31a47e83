"""The community as people know it: grids, places, people, calendars."""

from enum import StrEnum

from pydantic import Field, model_validator

from language import N_
from registry.model import Invalid, Model, Text

Identifier = str


class GridKind(StrEnum):
    """The three kinds of grid of a community."""

    RESIDENTIAL = "residential"
    STREET = "street"
    COMMERCIAL = "commercial"


class Grid(Model):
    """One cell of the community's grid tree: three kinds, three levels."""

    id: Identifier = Field(description="Stable id; by convention kind letter and path: R1, R1-03, R1-03-07.")
    name: Text = Field(description="What people call it, by language.")
    kind: GridKind = Field(description="residential, street or commercial.")
    level: int = Field(ge=1, le=3, description="1 is the widest, 3 the one a grid officer walks.")
    parent: Identifier | None = Field(None, description="The grid of the next wider level; none on level 1.")
    officer: Identifier | None = Field(None, description="The person responsible for this grid.")

    @model_validator(mode="after")
    def _parent_matches_level(self) -> "Grid":
        if (self.parent is None) != (self.level == 1):
            raise Invalid(N_("a grid of level 1 has no parent, every other grid has one"))
        return self


class Place(Model):
    """Where a device hangs and an officer goes: a spot in a building or on a street."""

    id: Identifier
    name: Text
    grid: Identifier = Field(description="The level-3 grid the place lies in.")
    building: str = Field("", description="Building or block, as the signs say.")
    unit: str = Field("", description="Unit or entrance.")
    floor: str = Field("", description="Floor, as in the lift.")
    fire_zone: str = Field("", description="Zone in which a second detector confirms a first.")
    closed: str = Field(
        "", description="Calendar of the hours in which nobody should be here; empty: never closed."
    )
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

    id: Identifier
    name: str
    role: Role
    phone: str = Field("", description="Where the person is called; shown to staff only.")
    unit: str = Field("", description="Department or team.")


class Calendar(Model):
    """Hours of a week, and the days that differ: office hours, or when a zone is closed."""

    id: Identifier
    days: str = Field("mon-sun", description="Days the hours hold on: `mon-fri`, `sat,sun`.")
    start: str = Field(
        "00:00", pattern=r"^([01]\d|2[0-4]):[0-5]\d$", description="Local time the hours begin."
    )
    end: str = Field(
        "24:00",
        pattern=r"^([01]\d|2[0-4]):[0-5]\d$",
        description="Local time they end; before `start` means overnight.",
    )
    holidays: str = Field(
        "", description="Country whose public holidays do not count, e.g. CN; make-up workdays do."
    )
    closed_on: tuple[str, ...] = Field((), description="Further days (YYYY-MM-DD) that do not count.")
    open_on: tuple[str, ...] = Field((), description="Make-up workdays (YYYY-MM-DD) that count.")
