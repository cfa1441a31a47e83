"""The head of ``site.yaml``: what a site is called, where it is, when it is there."""

from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, ValidationError

from language import N_, Message
from registry.model import Model, Text
from registry.problems import InvalidConfiguration, Problem, did_you_mean
from registry.reading_files import Document, read_yaml
from registry.validation import problems_from_pydantic

SITE_FILE: Final = "site.yaml"


class Position(Model):
    """The middle of the community on the map."""

    x: float = Field(description="Longitude in degrees (WGS 84).", ge=-180, le=180)
    y: float = Field(description="Latitude in degrees (WGS 84).", ge=-90, le=90)


class Head(Model):
    """``site.yaml``. Each list may stand here, in a file named here, or in the file of its own name."""

    name: Text = Field(description="What people call the community, by language.")
    timezone: str = Field(description="IANA time zone: Asia/Shanghai.")
    languages: tuple[str, ...] = Field(("zh-CN", "en"), description="Languages shown, the default first.")
    position: Position | None = None
    grids: Any = Field(None, description="A list, or the name of a file beside; without: grids.csv.")
    places: Any = Field(None, description="A list, or the name of a file beside; without: places.csv.")
    people: Any = Field(None, description="A list, or the name of a file beside; without: people.csv.")
    units: Any = Field(None, description="A list, or the name of a file beside; without: units.yaml.")
    calendars: Any = Field(None, description="A list, or the name of a file beside; without: calendars.yaml.")
    categories: Any = Field(
        None, description="A list, or the name of a file beside; without: categories.yaml."
    )


def read_head(folder: Path, problems: list[Problem]) -> Head | None:
    """The valid head of the site in `folder`, or None; what is wrong goes to `problems`."""
    return read_site_file(folder, problems)[0]


def read_site_file(folder: Path, problems: list[Problem]) -> tuple[Head | None, Document | None]:
    """The head, and the document it stands in."""
    try:
        document = read_yaml(folder / SITE_FILE)
    except InvalidConfiguration as error:
        problems += error.problems
        return None, None
    problems += document.problems
    head: Head | None = None
    try:
        head = Head.model_validate({} if document.data is None else document.data)
    except ValidationError as error:
        problems += problems_from_pydantic(document, error, document.file, model=Head)
    data = document.data if isinstance(document.data, dict) else {}
    zone = data.get("timezone")
    if isinstance(zone, str) and not _is_zone(zone):
        line, column = document.position(("timezone",))
        message = Message(N_("there is no time zone `{name}`"), {"name": zone})
        suggestion = did_you_mean(zone, available_timezones())
        problems.append(Problem(document.file, line, column, "timezone", zone, message, suggestion))
        head = None
    return head, document


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return False
    return True
