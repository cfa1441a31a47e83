"""Device types from files: those that ship with GridWarden, and a site's own, which add or replace."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from registry.device_types import DeviceType
from registry.listings import Drafts, collected, read_folder
from registry.problems import InvalidConfiguration, Problem
from registry.wiring_checks import Types, check_types

SHIPPED: Final = Path(__file__).with_name("types")


def read_types(folder: Path, problems: list[Problem], *, used: Collection[str] | None = None) -> Types:
    """The shipped types and those of a site's ``types/``, which add or replace.

    With `used` (ids of types), mistakes in files that hold none of these are left to others.
    """
    found: list[Problem] = []
    own = _read(folder, found)
    named: dict[str, DeviceType | None] = dict.fromkeys(own.named)
    types = Types({**shipped_types(), **named, **{name: draft.item for name, draft in own.items()}})
    types.incomplete = own.incomplete
    if used is not None and all(types.get(name) is not None for name in used):
        files = {own[name].listing.file for name in used if name in own}
        found = [problem for problem in found if problem.file in files]
    problems += found
    return types


def shipped_types() -> dict[str, DeviceType]:
    """The types in ``registry/types``, by id."""
    problems: list[Problem] = []
    drafts = _read(SHIPPED, problems)
    if problems:
        raise InvalidConfiguration(problems)
    return {name: draft.item for name, draft in drafts.items()}


def _read(folder: Path, problems: list[Problem]) -> Drafts[DeviceType]:
    found = collected(DeviceType, read_folder(folder, problems), problems)
    problems += check_types(found)
    return found
