"""Writes the reference parts of docs/site-folder.md and docs/gateway.md from the models that validate them.

``--check`` only says whether the page is up to date.
"""

import sys
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from edge.drivers import DRIVERS, driver_class
from gateway.config import GatewayConfig, OperationsConfig, WebConfig
from ingest.config import BusConfig, DiskConfig, InfluxConfig, KeepConfig
from registry.categories import Category, EvidenceWanted, Milestone
from registry.device_types import DeviceType, ModbusProfile, Point, Register
from registry.devices import Connection, Device, EdgeWiring
from registry.grids import Calendar, Grid, Person, Place, Unit
from registry.head import Head
from rules.model import CaseTemplate, Confirm, Flap, Group, Inhibit, Level, Match, NoData, Rule, Schedule

SITE_PAGE = Path("docs/site-folder.md")
GATEWAY_PAGE = Path("docs/gateway.md")
MARK = "<!-- from here on written by scripts/reference.py -->"

SECOND = 1_000_000_000

SECTIONS: list[tuple[str, list[type[BaseModel]]]] = [
    ("site.yaml", [Head, Calendar, Category, Milestone, EvidenceWanted, Unit]),
    ("grids.csv", [Grid]),
    ("places.csv", [Place]),
    ("people.csv", [Person]),
    ("devices.csv", [Device]),
    ("edges/*.yaml", [EdgeWiring, Connection]),
    ("types/*.yaml", [DeviceType, Point, ModbusProfile, Register]),
    ("rules/*.yaml", [Rule, Match, Level, Schedule, NoData, Confirm, Flap, Group, CaseTemplate, Inhibit]),
]


def type_name(annotation: Any) -> str:
    """A type as an installer reads it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return type_name(get_args(annotation)[0])
    if origin is Literal:
        return " \\| ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, UnionType):
        return " or ".join(type_name(part) for part in get_args(annotation) if part is not type(None))
    if origin in (tuple, list, frozenset):
        return f"list of {type_name(get_args(annotation)[0])}"
    if origin is dict:
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    if isinstance(annotation, type) and hasattr(annotation, "__members__"):
        return " \\| ".join(f"`{member.value}`" for member in annotation)
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation))
    )


def default_of(field: FieldInfo) -> str:
    """A default as an installer reads it."""
    if field.is_required():
        return "**required**"
    value = field.default
    if value is PydanticUndefined or value in (None, "", (), {}, []) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, int) and value >= SECOND and value % SECOND == 0:  # durations are kept in ns
        return f"`{value // SECOND}s`"
    return f"`{getattr(value, 'value', value)}`"


def table(model: type[BaseModel]) -> list[str]:
    """The fields of `model` as a Markdown table."""
    lines = [f"### {model.__name__}", "", (model.__doc__ or "").strip().splitlines()[0], ""]
    lines += ["| key | what | value | default |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        what = (field.description or "").replace("|", "\\|").replace("\n", " ")
        lines.append(
            f"| `{field.alias or name}` | {what} | {type_name(field.annotation)} | {default_of(field)} |"
        )
    return [*lines, ""]


def site_reference() -> str:
    """Every file of a site folder, and the settings of every driver."""
    lines: list[str] = []
    for title, models in SECTIONS:
        lines += [f"## {title}", ""]
        for model in models:
            lines += table(model)
    lines += ["## Drivers", "", "What goes into `settings` of a connection.", ""]
    for name in DRIVERS:
        lines += [f"### `{name}`", "", *table(driver_class(name).settings)[2:]]
    return "\n".join(lines).rstrip() + "\n"


def gateway_reference() -> str:
    """The gateway's configuration file."""
    models = (GatewayConfig, BusConfig, WebConfig, OperationsConfig, InfluxConfig, KeepConfig, DiskConfig)
    return "\n".join(line for model in models for line in table(model)).rstrip() + "\n"


def main(check: bool) -> int:
    """Write the pages, or only compare; the exit code is 1 when one is out of date."""
    outdated = 0
    for file, reference in ((SITE_PAGE, site_reference), (GATEWAY_PAGE, gateway_reference)):
        before = file.read_text(encoding="utf-8")
        page = f"{before.split(MARK)[0]}{MARK}\n\n{reference()}"
        if page == before:
            continue
        outdated += 1
        if check:
            sys.stdout.write(f"{file} is out of date: run scripts/reference.py\n")
        else:
            file.write_text(page, encoding="utf-8")
    return int(check and outdated > 0)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
