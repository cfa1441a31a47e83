"""The whole life of a case as one table: GRID.md's, row by row.

Each row reads: this act, in one of these states, leads there; these may do it; which row applies when
there are several (`when`), what has to hold (`needs`), and what changes besides the state (`does`).
`SAME` keeps the state. Rows of one act and state are tried in order; their `when` excludes each other.
"""

from dataclasses import dataclass
from typing import Final

from cases import effects as e
from cases import guards as g
from cases.effects import Effect
from cases.guards import Guard, Route
from cases.states import ENDED, OPEN, UNATTENDED, Act, Letter, State

SAME: Final = None


@dataclass(frozen=True, slots=True)
class Row:
    """One transition. `who` are GRID.md's letters."""

    act: Act
    start: frozenset[State]
    to: State | None
    who: frozenset[Letter]
    needs: tuple[Guard, ...] = ()
    does: tuple[Effect, ...] = ()
    when: tuple[Route, ...] = ()


def _row(
    act: Act,
    start: set[State] | frozenset[State],
    to: State | None,
    who: str,
    *,
    when: tuple[Route, ...] = (),
    needs: tuple[Guard, ...] = (),
    does: tuple[Effect, ...] = (),
) -> Row:
    return Row(act, frozenset(start), to, frozenset(map(Letter, who)), needs, does, when)


HANDLING: Final = frozenset({State.DISPATCHED, State.IN_PROGRESS, State.JOINT})
"""Somebody is at it and the limit counts."""

TABLE: Final[tuple[Row, ...]] = (
    # --- how a case begins
    _row(
        Act.REPORT, {State.NEW}, State.REPORTED, "SGCDR", needs=(g.LOCATION, g.CATEGORY), does=(e.to_centre,)
    ),
    _row(Act.RAISE, {State.NEW}, State.FILED, "S", needs=(g.URGENT,), does=(e.to_centre,)),
    _row(Act.RECORD, {State.NEW}, State.RECORDED, "S", does=(e.ended,)),
    # --- the grid helps itself: level 3, 2, 1, then the smart centre
    _row(
        Act.HAND_TO_GRID,
        {State.REPORTED, State.REOPENED},
        State.SELF_HANDLING,
        "SGC",
        needs=(g.GRID_OFFICER,),
        does=(e.to_grid, e.arm_accept, e.own_clock),
    ),
    _row(
        Act.ESCALATE,
        {State.SELF_HANDLING},
        State.SELF_HANDLING,
        "SG",
        when=(g.WIDER,),
        needs=(g.THEIRS, g.REASON),
        does=(e.to_wider_level, e.arm_accept),
    ),
    _row(
        Act.ESCALATE,
        {State.SELF_HANDLING},
        State.REPORTED,
        "SG",
        when=(g.TOP,),
        needs=(g.THEIRS, g.REASON),
        does=(e.past_the_grid, e.disarm_accept),
    ),
    _row(
        Act.ESCALATE,
        {State.DISPATCHED},
        State.DISPATCHED,
        "S",
        when=(g.WIDER,),
        needs=(g.REASON,),
        does=(e.to_wider_level, e.arm_accept),
    ),
    _row(
        Act.ESCALATE,
        {State.DISPATCHED},
        State.DISPATCHED,
        "S",
        when=(g.TOP,),
        needs=(g.REASON,),
        does=(e.past_the_grid, e.disarm_accept),
    ),
    _row(
        Act.ESCALATE,
        {State.IN_PROGRESS},
        State.SELF_HANDLING,
        "G",
        when=(g.OWN_WIDER,),
        needs=(g.THEIRS, g.REASON),
        does=(e.to_wider_level, e.arm_accept),
    ),
    _row(
        Act.ESCALATE,
        {State.IN_PROGRESS},
        State.REPORTED,
        "G",
        when=(g.OWN_TOP,),
        needs=(g.THEIRS, g.REASON),
        does=(e.past_the_grid,),
    ),
    # --- the smart centre: file or reject, dispatch
    _row(
        Act.FILE,
        {State.REPORTED, State.SELF_HANDLING, State.REOPENED},
        State.FILED,
        "C",
        needs=(g.CATEGORY, g.LOCATION),
        does=(e.filed,),
    ),
    _row(
        Act.REJECT,
        {State.REPORTED, State.SELF_HANDLING, State.FILED, State.REOPENED},
        State.REJECTED,
        "C",
        needs=(g.REASON, g.ALARMS_QUIET),
        does=(e.ended,),
    ),
    _row(
        Act.DISPATCH,
        {State.FILED, State.REOPENED},
        State.DISPATCHED,
        "CS",
        needs=(g.URGENT_IF_SYSTEM, g.UNIT),
        does=(e.dispatched, e.arm_accept),
    ),
    _row(
        Act.RECALL,
        UNATTENDED,
        State.DISPATCHED,
        "S",
        needs=(g.URGENT_IF_SYSTEM, g.UNIT, g.REASON),
        does=(e.recalled, e.dispatched, e.arm_accept),
    ),
    # --- the department
    _row(
        Act.RETURN,
        {State.DISPATCHED, State.IN_PROGRESS},
        State.RETURNED,
        "D",
        needs=(g.THEIRS, g.WAS_DISPATCHED, g.REASON),
        does=(e.returned,),
    ),
    _row(Act.ACCEPT_RETURN, {State.RETURNED}, State.FILED, "C", does=(e.return_accepted,)),
    _row(
        Act.REFUSE_RETURN,
        {State.RETURNED},
        State.DISPATCHED,
        "C",
        needs=(g.REASON,),
        does=(e.return_refused, e.arm_accept),
    ),
    # --- several teams
    _row(
        Act.JOIN,
        {State.FILED, State.DISPATCHED, State.IN_PROGRESS, State.RETURNED, State.REOPENED},
        State.JOINT,
        "C",
        needs=(g.TEAM,),
        does=(e.joined,),
    ),
    _row(
        Act.FINISH_TASK,
        {State.JOINT},
        SAME,
        "GD",
        needs=(g.OWN_TASK, g.TASK_RESULT),
        does=(e.proved, e.task_done, e.handled),
    ),
    # --- handling
    _row(
        Act.ACCEPT,
        {State.SELF_HANDLING, State.DISPATCHED},
        State.IN_PROGRESS,
        "GD",
        needs=(g.THEIRS,),
        does=(e.accepted,),
    ),
    _row(
        Act.ACCEPT,
        {State.IN_PROGRESS},
        SAME,
        "GD",
        needs=(g.THEIRS, g.WAS_DISPATCHED, g.SECOND_PARTY),
        does=(e.accepted,),
    ),
    _row(
        Act.FEEDBACK,
        {State.IN_PROGRESS, State.JOINT},
        State.FEEDBACK,
        "GD",
        needs=(g.THEIRS, g.LEAD, g.TASKS_DONE, g.EVIDENCE),
        does=(e.proved, e.handled, e.fed_back),
    ),
    _row(
        Act.DEFER,
        HANDLING,
        State.DEFERRED,
        "C",
        needs=(g.REASON, g.REVIEW, g.ALARMS_QUIET),
        does=(e.deferred,),
    ),
    _row(
        Act.RESUME,
        {State.DEFERRED},
        State.DISPATCHED,
        "CS",
        when=(g.FROM_DISPATCHED,),
        does=(e.resumed, e.arm_accept),
    ),
    _row(Act.RESUME, {State.DEFERRED}, State.IN_PROGRESS, "CS", when=(g.FROM_PROGRESS,), does=(e.resumed,)),
    _row(Act.RESUME, {State.DEFERRED}, State.JOINT, "CS", when=(g.FROM_JOINT,), does=(e.resumed,)),
    _row(
        Act.EXTEND,
        HANDLING,
        SAME,
        "C",
        needs=(g.EXTENSION_RANK, g.REASON, g.EXTENSION),
        does=(e.extended,),
    ),
    # --- verify, never by a handler
    _row(
        Act.VERIFY,
        {State.FEEDBACK},
        State.VERIFY,
        "VC",
        needs=(g.VERIFIER, g.NOT_HANDLER),
        does=(e.to_verifier,),
    ),
    _row(
        Act.APPROVE,
        {State.VERIFY},
        State.CLOSED_PENDING_CALLBACK,
        "V",
        needs=(g.NOT_HANDLER, g.STANDARD, g.ALARMS_QUIET),
        does=(e.approved,),
    ),
    _row(
        Act.REWORK,
        {State.VERIFY},
        State.IN_PROGRESS,
        "V",
        when=(g.REWORK_FEW,),
        needs=(g.NOT_HANDLER, g.REASON),
        does=(e.sent_back,),
    ),
    _row(
        Act.REWORK,
        {State.VERIFY},
        State.IN_PROGRESS,
        "V",
        when=(g.REWORK_MANY,),
        needs=(g.NOT_HANDLER, g.REASON),
        does=(e.sent_back, e.raised_a_level),
    ),
    # --- call the resident back
    _row(
        Act.SATISFIED,
        {State.CLOSED_PENDING_CALLBACK},
        State.CLOSED,
        "C",
        needs=(g.RESIDENT, g.ALARMS_QUIET),
        does=(e.satisfied, e.ended),
    ),
    _row(
        Act.UNREACHED,
        {State.CLOSED_PENDING_CALLBACK},
        SAME,
        "C",
        when=(g.ATTEMPTS_LEFT,),
        needs=(g.RESIDENT,),
        does=(e.called,),
    ),
    _row(
        Act.UNREACHED,
        {State.CLOSED_PENDING_CALLBACK},
        State.CLOSED,
        "C",
        when=(g.LAST_ATTEMPT,),
        needs=(g.RESIDENT, g.ALARMS_QUIET),
        does=(e.unreachable, e.ended),
    ),
    _row(
        Act.DISSATISFIED,
        {State.CLOSED_PENDING_CALLBACK},
        State.REOPENED,
        "C",
        needs=(g.RESIDENT, g.REASON),
        does=(e.reopened,),
    ),
    _row(
        Act.SKIP_CALLBACK,
        {State.CLOSED_PENDING_CALLBACK},
        State.CLOSED,
        "C",
        needs=(g.NO_RESIDENT, g.REASON, g.ALARMS_QUIET),
        does=(e.callback_skipped, e.ended),
    ),
    _row(
        Act.REOPEN,
        {State.CLOSED, State.CLOSED_PENDING_CALLBACK},
        State.REOPENED,
        "RCS",
        needs=(g.REOPEN_WINDOW, g.REASON),
        does=(e.reopened,),
    ),
    # --- the same thing twice
    _row(
        Act.DUPLICATE,
        OPEN - {State.CLOSED_PENDING_CALLBACK},
        State.DUPLICATE,
        "C",
        needs=(g.PARENT,),
        does=(e.repeats, e.ended),
    ),
    _row(Act.ADOPT, OPEN, SAME, "C", does=(e.adopted,)),
    # --- what changes no state
    _row(Act.NOTE, OPEN | ENDED, SAME, "SGCDVR", needs=(g.SAID,)),
    _row(Act.EVIDENCE, OPEN, SAME, "GCDV", needs=(g.THEIRS, g.SHOWN), does=(e.proved,)),
    _row(Act.ON_MY_WAY, HANDLING | {State.SELF_HANDLING}, SAME, "GD", needs=(g.THEIRS,), does=(e.handled,)),
    _row(
        Act.REACH,
        HANDLING,
        SAME,
        "GDC",
        needs=(g.THEIRS, g.MILESTONE),
        does=(e.handled, e.milestone_reached),
    ),
    _row(
        Act.HAND_OVER,
        {State.SELF_HANDLING, State.DISPATCHED, State.IN_PROGRESS},
        SAME,
        "GC",
        needs=(g.THEIRS, g.NEW_OFFICER, g.REASON),
        does=(e.handed_over,),
    ),
    _row(Act.PRIORITISE, OPEN, SAME, "C", needs=(g.PRIORITY, g.REASON), does=(e.prioritised,)),
    _row(Act.FOLD, OPEN | {State.RECORDED}, SAME, "S", does=(e.folded,)),
    _row(Act.ALARM, OPEN | ENDED, SAME, "S", does=(e.folded,)),
    _row(Act.OVERDUE, OPEN, SAME, "S", does=(e.limit_passed,)),
    _row(Act.MILESTONE, OPEN, SAME, "S", needs=(), does=(e.milestone_passed,)),
)
