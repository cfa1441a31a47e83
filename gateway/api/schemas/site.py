"""The community as the API tells it: grids, people, categories, rules."""

from typing import Literal

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


class UnitOut(Schema):
    """A department or team that cases are dispatched to."""

    id: str = Field(examples=["fire-team"])
    name: Text
    phone: str = ""


class LimitOut(Schema):
    """A threshold that a rule compares a point with: a line in the point's chart."""

    rule: str = Field(examples=["temperature-high"])
    point: str = Field(examples=["temperature"])
    op: Literal[">", ">=", "<", "<="]
    value: float = Field(examples=[65.0], description="In the point's unit.")
    severity: Severity


class RuleOut(Schema):
    """A rule as people read it."""

    id: str
    version: int
    label: Text
    severity: Severity
    sentence: str = Field(description="The rule as one sentence, in the language of Accept-Language.")
    limits: list[LimitOut] = Field([], description="Its thresholds; a device may have others of its own.")


class SiteOut(Schema):
    """The community: loaded once by a client, reloaded when `revision` changes."""

    name: Text
    timezone: str = Field(examples=["Asia/Shanghai"])
    languages: list[str]
    revision: str = Field(description="Changes whenever the site folder was reloaded with changes.")
    version: str = Field(description="GridWarden's version.")
    grafana: str = Field(description="Address of Grafana; empty: there is none to link to.")
    grids: list[GridOut]
    people: list[PersonOut]
    units: list[UnitOut]
    categories: list[CategoryOut]
    rules: list[RuleOut]
    devices: int
