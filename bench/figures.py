"""What a measurement returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Tell = Callable[[str], None]
"""Says what is being done just now."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach on the reference machine."""

    limit: float
    direction: Literal["at least", "at most"]

    def met_by(self, value: float) -> bool:
        """Whether `value` reaches it."""
        return value >= self.limit if self.direction == "at least" else value <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, its unit, and under which circumstances it was got."""

    measurement: str
    name: str
    value: float
    unit: str
    goal: Goal | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        return None if self.goal is None else self.goal.met_by(self.value)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a measurement is given."""

    folder: Path
    """Its own, empty; deleted afterwards."""
    seconds: float
    tell: Tell
    profile: Path | None = None
    """The folder for the core's profiles, when they are wanted."""
    devices: int = 2000
    rules: int = 200
    edge: str = field(default="binhu-east")
    """The edge of the reference community that is run for real, where one is."""


class CannotMeasure(Exception):
    """The measurement came to no figure; the sentence says why."""
