"""Per-device thresholds: ``overrides: {room-temperature.critical: 80}`` on a device of the registry."""

from collections.abc import Iterable, Mapping

from rules.conditions import ORDERING, All, Any_, Comparison, Condition, Not, comparisons
from rules.model import Level, Rule


def override_name(rule: Rule, level: Level) -> str:
    """What a device calls the threshold of `level`: the rule's id, with levels ``rule.severity``."""
    return f"{rule.id}.{level.severity}" if rule.levels else rule.id


def adjustable(condition: Condition) -> Comparison | None:
    """The one comparison that an override may change: the only ``>``, ``>=``, ``<`` or ``<=``."""
    found = [c for c in comparisons(condition) if c.op in ORDERING and c.op != "between"]
    return found[0] if len(found) == 1 else None


def overridden(rule: Rule, overrides: Mapping[str, float]) -> tuple[Level, ...]:
    """The rule's steps with this device's thresholds.

    The threshold of `clear` moves by the same amount, so that the hysteresis keeps its width.
    """
    return tuple(_step(rule, step, overrides) for step in rule.steps)


def override_names(rules: Iterable[Rule]) -> frozenset[str]:
    """Every name that a device may give a threshold."""
    return frozenset(
        override_name(rule, step) for rule in rules for step in rule.steps if adjustable(step.when)
    )


def _step(rule: Rule, step: Level, overrides: Mapping[str, float]) -> Level:
    wanted = overrides.get(override_name(rule, step))
    found = adjustable(step.when)
    if wanted is None or found is None:
        return step
    shift = wanted - float(found.values[0])
    clear = step.clear
    if clear is not None:
        closing = adjustable(clear)
        if closing is not None and closing.point == found.point:
            clear = _replaced(clear, closing, float(closing.values[0]) + shift)
    return step.model_copy(update={"when": _replaced(step.when, found, wanted), "clear": clear})


def _replaced(condition: Condition, target: Comparison, value: float) -> Condition:
    match condition:
        case Comparison():
            return condition.model_copy(update={"value": value}) if condition is target else condition
        case All(all=parts):
            return All(all=tuple(_replaced(part, target, value) for part in parts))
        case Any_(any=parts):
            return Any_(any=tuple(_replaced(part, target, value) for part in parts))
        case Not(not_=part):
            return Not.model_validate({"not": _replaced(part, target, value)})
