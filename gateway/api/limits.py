"""A rule's thresholds as lines for charts."""

from collections.abc import Iterator, Mapping

from gateway.api.schemas import LimitOut
from rules.conditions import All, Any_, Comparison, Condition
from rules.model import Rule
from rules.thresholds import overridden


def limits_of(rule: Rule, overrides: Mapping[str, float] | None = None) -> list[LimitOut]:
    """The thresholds of `rule`, worst first; with `overrides` those of a device with its own.

    Only comparisons that speak for themselves: one inside `all` with others, or inside `not`, is no line
    that a curve must not cross.
    """
    return [
        LimitOut(
            rule=rule.id,
            point=found.point,
            op=found.op,
            value=found.value,
            severity=step.severity,
        )
        for step in overridden(rule, overrides or {})
        for found in _alone(step.when)
        if found.op in (">", ">=", "<", "<=") and isinstance(found.value, int | float)
    ]


def _alone(condition: Condition) -> Iterator[Comparison]:
    match condition:
        case Comparison():
            yield condition
        case Any_(any=parts):
            for part in parts:
                yield from _alone(part)
        case All(all=(part,)):
            yield from _alone(part)
