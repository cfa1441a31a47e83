"""The life of a case: a pure function over `cases.table`.

``advance(case, action, now, hours)`` gives the case as it is afterwards and the line for its history,
or refuses with a sentence that says what is missing. ``tick`` does what the passing of time asks for.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from cases.case import SYSTEM, Action, Actor, Case, Entry, Outcome, Refused, Timer
from cases.guards import Guard
from cases.sla import WALL_CLOCK, Hours
from cases.states import ACT_NAMES, LETTERS, STATE_NAMES, Act, Letter, State
from cases.table import TABLE, Row
from language import N_, Message
from registry.grids import Role

SYSTEM_ONLY: Final = frozenset({Act.RECALL, Act.FOLD, Act.ALARM, Act.OVERDUE, Act.MILESTONE, Act.ADOPT})
"""Acts that are never a person's to choose."""


def _index() -> dict[tuple[State, Act], tuple[Row, ...]]:
    rows: defaultdict[tuple[State, Act], list[Row]] = defaultdict(list)
    for row in TABLE:
        for state in row.start:
            rows[state, row.act].append(row)
    return {key: tuple(found) for key, found in rows.items()}


_ROWS: Final = _index()

_WAY: Final[Mapping[State, tuple[Act, ...]]] = {
    State.REPORTED: (Act.FILE, Act.HAND_TO_GRID),
    State.SELF_HANDLING: (Act.ACCEPT,),
    State.FILED: (Act.DISPATCH, Act.JOIN),
    State.DISPATCHED: (Act.ACCEPT,),
    State.RETURNED: (Act.ACCEPT_RETURN, Act.REFUSE_RETURN),
    State.JOINT: (Act.FINISH_TASK, Act.FEEDBACK),
    State.IN_PROGRESS: (Act.FEEDBACK, Act.ACCEPT),
    State.FEEDBACK: (Act.VERIFY,),
    State.DEFERRED: (Act.RESUME,),
    State.VERIFY: (Act.APPROVE, Act.REWORK),
    State.CLOSED_PENDING_CALLBACK: (Act.SATISFIED, Act.UNREACHED, Act.DISSATISFIED, Act.SKIP_CALLBACK),
    State.REOPENED: (Act.DISPATCH, Act.HAND_TO_GRID),
}
"""What takes a case on from each state: offered before anything else."""


class Available(msgspec.Struct, frozen=True):
    """Something that may be done now.

    `needs` are the fields that must be given; `refused` says why it cannot be done yet although it is
    this actor's to do (a screen shows it, switched off). `forward`: it takes the case on along its way.
    """

    act: Act
    to: State
    roles: tuple[Role, ...]
    needs: tuple[str, ...] = ()
    refused: Message | None = None
    forward: bool = False

    @property
    def label(self) -> str:
        """The act's English name, to be translated where it is shown."""
        return ACT_NAMES[self.act]


def advance(case: Case, action: Action, now: int, hours: Hours = WALL_CLOCK) -> Outcome:
    """What `action` makes of `case`; raises `Refused`.

    `hours` are those that the case's limits count (``case.terms.calendar``). Acting on a duplicate's
    parent is part of the outcome (`Outcome.parent`). Nothing else of the world is touched.
    """
    row = _row_for(case, action)
    if not row.who & action.actor.letters:
        raise Refused(Message(N_("Your role may not do this: {action}."), {"action": _named(action.act)}))
    for guard in row.needs:
        if problem := guard.check(case, action, now):
            raise Refused(problem)
    outcome = _apply(case, row, action, now, hours)
    if action.act is Act.DUPLICATE and action.parent is not None:
        adopt = replace(action, act=Act.ADOPT, parent=case, reason=action.reason, note=case.id)
        return replace(outcome, parent=advance(action.parent, adopt, now, hours))
    return outcome


def tick(case: Case, now: int, hours: Hours = WALL_CLOCK) -> tuple[Outcome, ...]:
    """What the deadlines of `case` that have passed by `now` lead to, in the order they passed.

    A deadline that was missed while nothing ran is handled once, now; what it arms counts from now.
    """
    outcomes: list[Outcome] = []
    for timer in sorted(case.timers, key=lambda timer: timer.at):
        if timer.at > now:
            break
        if timer not in case.timers:
            continue  # an earlier deadline of this tick has ended it
        outcome = advance(case, _due(timer), now, hours)
        outcomes.append(outcome)
        case = outcome.case
    return tuple(outcomes)


def available_actions(case: Case, actor: Actor | None = None, now: int = 0) -> list[Available]:
    """What `actor` may do with `case` (everything that anybody may, without an actor).

    What takes the case on comes first. Acts that lack only what the actor can give are listed with what
    they need.
    """
    found: list[Available] = []
    way = _WAY.get(case.state, ())
    for act in (*way, *(act for act in Act if act not in way)):
        if act in SYSTEM_ONLY:
            continue
        row = next((row for row in _ROWS.get((case.state, act), ()) if _routed(row, case)), None)
        if row is None or (row.who == {Letter.SENSOR}):
            continue
        if actor is not None and not row.who & actor.letters:
            continue
        probe = Action(act=act, actor=actor or SYSTEM)
        if actor is not None and any(g.hides and g.check(case, probe, now) for g in row.needs):
            continue
        needs, refused = _wanting(row.needs, case, probe, now, anybody=actor is None)
        roles = tuple(role for role in Role if LETTERS[role] & row.who)
        found.append(Available(act, row.to or case.state, roles, needs, refused, act in way))
    return found


def _wanting(
    guards: Iterable[Guard], case: Case, probe: Action, now: int, *, anybody: bool
) -> tuple[tuple[str, ...], Message | None]:
    needs: list[str] = []
    refused: Message | None = None
    for guard in guards:
        problem = guard.check(case, probe, now)
        if problem is None:
            continue
        if guard.asks:
            needs += guard.asks
        elif refused is None and not (anybody and guard.name in _PERSONAL):
            refused = problem
    return tuple(dict.fromkeys(needs)), refused


_PERSONAL: Final = frozenset(
    {
        "theirs",
        "own task",
        "lead team",
        "extension rank",
        "not accepted yet",
        "verifier is not the handler",
        "urgent if by the system",
    }
)
"""Guards about the person who acts: nothing to say before we know who."""


def _row_for(case: Case, action: Action) -> Row:
    rows = _ROWS.get((case.state, action.act), ())
    row = next((row for row in rows if _routed(row, case)), None)
    if row is None:
        raise Refused(
            Message(
                N_("This is not possible now: {action} (the case is {state})."),
                {"action": _named(action.act), "state": Message(STATE_NAMES[case.state])},
            )
        )
    return row


def _named(act: Act) -> Message:
    return Message(ACT_NAMES[act])


def _routed(row: Row, case: Case) -> bool:
    return all(route.holds(case) for route in row.when)


def _apply(case: Case, row: Row, action: Action, now: int, hours: Hours) -> Outcome:
    after = case
    for effect in row.does:
        after = effect(after, action, now, hours)
    to = row.to or case.state
    after = replace(after, state=to, changed=now)
    after = replace(after, timers=_timers(after))
    said = action.message
    entry = Entry(
        case=case.id,
        act=action.act,
        actor=action.actor.id,
        actor_name=action.actor.name,
        role=action.actor.role,
        on_behalf_of=action.on_behalf_of,
        from_state=case.state,
        to_state=to,
        reason=action.reason,
        note=action.note,
        template=said.template if said else "",
        values={key: value for key, value in said.values.items() if isinstance(value, str | int)}
        if said
        else {},
        rule=action.rule or case.rule,
        rule_version=action.rule_version or case.rule_version,
        time=now,
        holder=after.holder,
    )
    return Outcome(after, entry)


def _timers(case: Case) -> tuple[Timer, ...]:
    """The deadlines people set, and those of the limit clock while it runs."""
    kept = [timer for timer in case.timers if timer.name in ("accept", "review")]
    clock = case.clock
    if not case.open or not clock.running:
        return tuple(kept)
    if clock.due is not None and clock.overdue is None:
        kept.append(Timer("limit", clock.due))
    kept += [
        Timer(f"milestone:{mark.id}", mark.due)
        for mark in clock.milestones
        if not mark.missed and mark.reached is None
    ]
    return tuple(kept)


def _due(timer: Timer) -> Action:
    kind, _, detail = timer.name.partition(":")
    if kind == "accept":
        why = N_("Nobody accepted it in time.")
        return Action(act=Act.ESCALATE, actor=SYSTEM, message=Message(why))
    if kind == "review":
        why = N_("The review date has come.")
        return Action(act=Act.RESUME, actor=SYSTEM, message=Message(why))
    if kind == "limit":
        return Action(act=Act.OVERDUE, actor=SYSTEM, message=Message(N_("The handling limit has passed.")))
    missed = Message(N_("The milestone {milestone} was not reached in time."), {"milestone": detail})
    return Action(act=Act.MILESTONE, actor=SYSTEM, milestone=detail, message=missed)
