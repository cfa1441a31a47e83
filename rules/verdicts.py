"""Conditions as closures over a device's last values: True, False, or None for unknown.

`values` maps a point to its last value, or to None when the last reading said nothing usable (NaN, a
value of another type). A point that was never read is missing, which is unknown as well. Values have
been checked against the point's kind once, when they came in, so that a closure only compares.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from readings.sample import Scalar
from registry.device_types import Kind
from rules.conditions import ORDERING, All, Any_, Comparison, Condition, Not

Verdict = bool | None
"""TRUE, FALSE or UNKNOWN."""

Values = Mapping[str, Scalar | None]
Test = Callable[[Values], Verdict]

_TYPES: Final[dict[Kind, tuple[type, ...]]] = {
    Kind.BINARY: (bool,),
    Kind.NUMBER: (int, float),
    Kind.STATE: (str,),
    Kind.EVENT: (str,),
}


def usable(value: Scalar, kind: Kind) -> bool:
    """Whether `value` says something about a point of this kind; NaN and infinity do not."""
    if type(value) is float:
        return kind is Kind.NUMBER and isfinite(value)
    return type(value) in _TYPES[kind]  # exactly: True is no number here


def fits(comparison: Comparison, kind: Kind) -> bool:
    """Whether the comparison makes sense for a point of this kind."""
    if comparison.op in ORDERING and kind is not Kind.NUMBER:
        return False
    return all(usable(value, kind) for value in comparison.values)


def specialised(condition: Condition, kinds: Mapping[str, Kind]) -> Condition | None:
    """`condition` for a device type that has the points in `kinds`; None when nothing of it remains.

    A detector without a carbon-monoxide cell must not stay unknown under ``any: [gas, carbon_monoxide]``:
    what a type cannot say is left out of `any`, and takes the whole `all` with it.
    """
    match condition:
        case Comparison(point=point):
            return condition if point in kinds and fits(condition, kinds[point]) else None
        case All(all=parts):
            kept = [specialised(part, kinds) for part in parts]
            whole = tuple(part for part in kept if part is not None)
            return All(all=whole) if len(whole) == len(parts) else None
        case Any_(any=parts):
            some = tuple(part for part in (specialised(part, kinds) for part in parts) if part is not None)
            return Any_(any=some) if some else None
        case Not(not_=part):
            inner = specialised(part, kinds)
            return None if inner is None else Not.model_validate({"not": inner})


def compiled(condition: Condition) -> Test:
    """The closure of `condition`, which must have been specialised."""
    match condition:
        case Comparison():
            return _comparison(condition)
        case All(all=parts):
            return _all([compiled(part) for part in parts])
        case Any_(any=parts):
            return _any([compiled(part) for part in parts])
        case Not(not_=part):
            return _not(compiled(part))


def _comparison(comparison: Comparison) -> Test:
    point, operand = comparison.point, comparison.value
    limit: Any = operand

    def equal(values: Values) -> Verdict:
        value = values.get(point)
        return None if value is None else value == limit

    def unequal(values: Values) -> Verdict:
        value = values.get(point)
        return None if value is None else value != limit

    def above(values: Values) -> Verdict:
        value: Any = values.get(point)
        return None if value is None else value > limit

    def at_least(values: Values) -> Verdict:
        value: Any = values.get(point)
        return None if value is None else value >= limit

    def below(values: Values) -> Verdict:
        value: Any = values.get(point)
        return None if value is None else value < limit

    def at_most(values: Values) -> Verdict:
        value: Any = values.get(point)
        return None if value is None else value <= limit

    if comparison.op == "in":
        among = frozenset(comparison.values)

        def one_of(values: Values) -> Verdict:
            value = values.get(point)
            return None if value is None else value in among

        return one_of
    if comparison.op == "between":
        low: Any
        high: Any
        low, high = comparison.values

        def within(values: Values) -> Verdict:
            value: Any = values.get(point)
            return None if value is None else low <= value <= high

        return within
    return {"==": equal, "!=": unequal, ">": above, ">=": at_least, "<": below, "<=": at_most}[comparison.op]


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def every(values: Values) -> Verdict:
        verdict: Verdict = True
        for test in tests:
            found = test(values)
            if found is False:
                return False
            if found is None:
                verdict = None
        return verdict

    return every


def _any(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def some(values: Values) -> Verdict:
        verdict: Verdict = False
        for test in tests:
            found = test(values)
            if found is True:
                return True
            if found is None:
                verdict = None
        return verdict

    return some


def _not(test: Test) -> Test:
    def opposite(values: Values) -> Verdict:
        found = test(values)
        return None if found is None else not found

    return opposite


def any_of(tests: list[Test]) -> Test:
    """TRUE when one of `tests` is."""
    return _any(tests)


def never(_values: Values) -> Verdict:
    """Always unknown."""
    return None
