"""Conditions as rules write them: comparisons of a point, joined by all, any and not."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from language import N_
from readings.sample import Scalar
from registry.model import Invalid, Model

Operator = Literal["==", "!=", ">", ">=", "<", "<=", "in", "between"]

ORDERING: Final = frozenset({">", ">=", "<", "<=", "between"})
"""The operators that need numbers."""

_LATER: Final = {
    "rate": N_("`rate`, a rate of change, is not available in this version"),
    "aggregate": N_("`aggregate`, an aggregate over a window, is not available in this version"),
    "correlate": N_("`correlate`, a correlation of devices, is not available in this version"),
    "sequence": N_("`sequence`, a sequence of events, is not available in this version"),
    "baseline": N_("`baseline`, a learned baseline, is not available in this version"),
}


class Comparison(Model):
    """One point against one value. Unknown while the point is missing, NaN or of another type."""

    point: str = Field(description="Canonical name of the point.")
    op: Operator = Field("==", description="==, !=, >, >=, <, <=, in (a list) or between (two numbers).")
    value: Scalar | tuple[Scalar, ...] = Field(description="What the point is compared with.")

    @model_validator(mode="after")
    def _value_fits(self) -> "Comparison":
        several = isinstance(self.value, tuple)
        if self.op == "between":
            if not several or len(self._numbers()) != 2 or self._numbers()[0] > self._numbers()[1]:
                raise Invalid(N_("`between` needs two numbers, the smaller first"))
        elif self.op == "in":
            if not several or not self.values:
                raise Invalid(N_("`in` needs a list of values"))
        elif several:
            raise Invalid(N_("`{op}` needs one value, not a list"), op=self.op)
        elif self.op in ORDERING and not self._numbers():
            raise Invalid(N_("`{op}` needs a number"), op=self.op)
        return self

    @property
    def values(self) -> tuple[Scalar, ...]:
        """What it compares with, as a tuple always."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    def _numbers(self) -> tuple[float, ...]:
        return tuple(v for v in self.values if isinstance(v, int | float) and not isinstance(v, bool))


class All(Model):
    """TRUE when all are; FALSE as soon as one is."""

    all: tuple["Condition", ...] = Field(min_length=1)


class Any_(Model):  # noqa: N801 - `Any` is typing's
    """TRUE as soon as one is; FALSE when all are."""

    any: tuple["Condition", ...] = Field(min_length=1)


class Not(Model):
    """The opposite; unknown stays unknown."""

    not_: "Condition" = Field(alias="not")


def _form(value: Any) -> str:
    if isinstance(value, dict):
        return next((key for key in ("all", "any", "not") if key in value), "point")
    return "all" if isinstance(value, All) else "any" if isinstance(value, Any_) else _leaf(value)


def _leaf(value: Any) -> str:
    return "not" if isinstance(value, Not) else "point"


def _available(value: Any) -> Any:
    if isinstance(value, dict):
        for key, refusal in _LATER.items():
            if key in value:
                raise Invalid(refusal)
    return value


Condition = Annotated[
    Annotated[Comparison, Tag("point")]
    | Annotated[All, Tag("all")]
    | Annotated[Any_, Tag("any")]
    | Annotated[Not, Tag("not")],
    Discriminator(_form),
    BeforeValidator(_available),
]
"""``{point, op, value}``, ``{all: […]}``, ``{any: […]}`` or ``{not: …}``, nested as deep as needed."""

for _model in (All, Any_, Not):
    _model.model_rebuild()


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every comparison in `condition`, from left to right."""
    match condition:
        case Comparison():
            yield condition
        case All(all=parts) | Any_(any=parts):
            for part in parts:
                yield from comparisons(part)
        case Not(not_=part):
            yield from comparisons(part)


def points(condition: Condition) -> frozenset[str]:
    """The points that `condition` looks at."""
    return frozenset(comparison.point for comparison in comparisons(condition))


def with_point(clear: Any, when: Any) -> Any:
    """``{op, value}`` completed with the point of `when`, where `when` has a single comparison.

    Works on plain data, before validation, so that ``clear: {op: "<", value: 65}`` reads as it is meant.
    """
    if not isinstance(clear, dict) or clear.keys() & {"point", "all", "any", "not"}:
        return clear
    while isinstance(when, dict) and "point" not in when:
        inner = when.get("all", when.get("any"))
        if not isinstance(inner, list | tuple) or len(inner) != 1:
            return clear
        when = inner[0]
    point = when.get("point") if isinstance(when, dict) else getattr(when, "point", None)
    return clear if point is None else {**clear, "point": point}
