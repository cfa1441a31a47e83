"""What all bodies have in common."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[dict[str, str], Field(examples=[{"zh": "临滨苑 8 栋", "en": "Linbin Garden, building 8"}])]
"""A name by language, ``{"zh": …, "en": …}``."""


POINT_CLASS: Final = "What true means on a binary point: smoke, door …; empty: nothing special."


class Schema(BaseModel):
    """Base of every body: unknown keys in requests are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(Schema):
    """One place at which a request is wrong."""

    where: str = Field(description="Part of the request and the way to the value.", examples=["query.limit"])
    message: str = Field(
        description="What is wrong, in the language of Accept-Language.",
        examples=["must be 1 or more, not `0`"],
    )


class Problem(Schema):
    """An error as RFC 9457 describes it (``application/problem+json``)."""

    type: str = Field("about:blank", examples=["urn:gridwarden:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field("", description="In the language of Accept-Language.")
    instance: str = Field("", examples=["/api/v1/cases/BH-20261123-0001"])
    errors: list[Fault] = Field([], description="Where the request was wrong, field by field.")
