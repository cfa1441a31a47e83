"""The levels of one alarm: which are on, which are on their way. Pure arithmetic on records."""

from collections.abc import Sequence

from rules.compile import Step
from rules.state import StepState
from rules.verdicts import Values


def advance(
    states: Sequence[StepState],
    steps: Sequence[Step],
    values: Values,
    at: int,
    *,
    max_gap: int | None,
    anew: bool = False,
) -> bool:
    """Judge every level, worst first, by the values at event time `at`; whether any record changed.

    An unknown verdict changes nothing. A level that is TRUE while a worse one is on needs no patience of
    its own: the worse one has had it. With `anew` a level that is on stays only if `when` is TRUE or
    unknown now, whatever its hysteresis says.
    """
    changed = worse = False
    for state, step in zip(states, steps, strict=True):
        verdict = step.when(values)
        if state.on:
            if verdict is not True and _over(step, values, verdict, anew):
                state.on, state.since, state.held = False, 0, 0
                changed = True
        elif verdict is True:
            _count(state, at, max_gap)
            state.on = worse or state.held >= step.hold
            changed = True
        elif verdict is False and state.since:
            state.since = state.held = 0
            changed = True
        worse = worse or state.on
    return changed


def due(state: StepState, step: Step, max_gap: int | None) -> int | None:
    """When `state` will have held long enough without another word; None when it cannot."""
    if state.on or not state.since:
        return None
    left = step.hold - state.held
    return state.seen + left if max_gap is None or left <= max_gap else None


def worst(states: Sequence[StepState]) -> int | None:
    """The index of the worst level that is on; None when none is."""
    for index, state in enumerate(states):
        if state.on:
            return index
    return None


def switch_off(states: Sequence[StepState]) -> None:
    """No level is on or on its way."""
    for state in states:
        state.on, state.since, state.held = False, 0, 0


def _over(step: Step, values: Values, verdict: bool | None, anew: bool) -> bool:
    if anew or step.clear is None:
        return verdict is False
    return step.clear(values) is True


def _count(state: StepState, at: int, max_gap: int | None) -> None:
    if not state.since or at < state.since:
        state.since, state.held = at, 0
    else:
        gap = at - state.seen
        if gap > 0 and (max_gap is None or gap <= max_gap):
            state.held += gap
    state.seen = at
