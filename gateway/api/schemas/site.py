"""The community as the API tells it: grids, people, categories, rules."""

from pydantic import Field

from gateway.api.schemas.base import Schema, Text
from registry.grids import GridKind, Role
from rules.findings import Severity


class GridOut(Schema):
    """One grid of the tree."""

    id: str = Field(examples=["R1-03-07"])
    name: Text
    kind: GridKind
    level: int = Field(ge=1, le=3)
    parent: str | None
    officer: str | None = Field(description="Id of the person responsible.")


class PersonOut(Schema):
    """Somebody who handles cases."""

    id: str
    name: str
    role: Role
    unit: str = ""
    phone: str = ""


class CategoryOut(Schema):
    """A category of cases."""

    id: str
    label: Text
    closing_standard: Text


class RuleOut(Schema):
    """A rule as people read it."""

    id: str
    version: int
    label: Text
    severity: Severity
    sentence: str = Field(description="The rule as one sentence, in the language of Accept-Language.")


class SiteOut(Schema):
    """The community: loaded once by a client, reloaded when `revision` changes."""

    name: Text
    timezone: str = Field(examples=["Asia/Shanghai"])
    languages: list[str]
    revision: str = Field(description="Changes whenever the site folder was reloaded with changes.")
    version: str = Field(description="GridWarden's version.")
    grids: list[GridOut]
    people: list[PersonOut]
    categories: list[CategoryOut]
    rules: list[RuleOut]
    devices: int
