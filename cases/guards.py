"""What has to hold before a transition: each guard is a sentence when it does not.

A guard that can be satisfied by giving something names the fields it asks for, so that a screen can
put up the right form before anybody is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cases.case import Action, Case
from cases.proofs import asked, proofs_of
from cases.sla import SECOND
from cases.states import Letter, Rank, State
from language import N_, Message
from rules.findings import Condition

DAY: Final = 86_400 * SECOND
REOPEN_WITHIN: Final = 7 * DAY
CALLBACK_ATTEMPTS: Final = 3
REWORK_ESCALATES: Final = 3
EXTENSIONS: Final = 2
PRIORITIES: Final = ("P1", "P2", "P3", "P4")

_CONDITIONS: Final = {
    Condition.NORMAL: N_("over"),
    Condition.PENDING: N_("pending"),
    Condition.PREALARM: N_("in pre-alarm"),
    Condition.ACTIVE: N_("active"),
    Condition.RECOVERING: N_("recovering"),
    Condition.LATCHED: N_("latched"),
}

Check = Callable[[Case, Action, int], Message | None]


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition of a transition. `asks` are the fields of the action that can satisfy it.

    `hides`: who does not satisfy it is not even told of the act; there is nothing to say about it.
    """

    name: str
    check: Check
    asks: tuple[str, ...] = ()
    hides: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Decides which of several rows of one action and state applies; refuses nobody."""

    name: str
    holds: Callable[[Case], bool]


def wider_level(case: Case) -> int:
    """The next wider grid level that has an officer; 0 when there is none."""
    below = case.level or len(case.officers) + 1
    return next((level for level in range(below - 1, 0, -1) if _officer_at(case, level)), 0)


def narrowest_level(case: Case) -> int:
    """The narrowest grid level that has an officer; 0 when there is none."""
    return next((level for level in range(len(case.officers), 0, -1) if _officer_at(case, level)), 0)


def _officer_at(case: Case, level: int) -> str:
    return case.officers[level - 1] if 0 < level <= len(case.officers) else ""


def _reason(case: Case, action: Action, now: int) -> Message | None:
    return None if action.reason.strip() or action.message else Message(N_("Give a reason."))


def _location(case: Case, action: Action, now: int) -> Message | None:
    return None if case.place or case.grids else Message(N_("The case has no location yet."))


def _category(case: Case, action: Action, now: int) -> Message | None:
    return None if case.category or action.category else Message(N_("Choose a category."))


def _grid_officer(case: Case, action: Action, now: int) -> Message | None:
    return None if narrowest_level(case) else Message(N_("None of the place's grids has an officer."))


def _theirs(case: Case, action: Action, now: int) -> Message | None:
    actor = action.actor
    letters = actor.letters
    if letters & {Letter.CENTRE, Letter.SENSOR} or actor.id in (case.holder, case.officer, case.verifier):
        return None
    if Letter.GRID in letters and (actor.id in case.officers or set(actor.grids) & {*case.grids}):
        return None
    if Letter.DEPARTMENT in letters and actor.unit and actor.unit in _teams(case):
        return None
    return Message(N_("This case is not with you; {holder} has it."), {"holder": case.holder or "–"})


def _teams(case: Case) -> set[str]:
    return {*case.units, *(task.team for task in case.tasks)}


def _may_hand_over(case: Case, action: Action, now: int) -> Message | None:
    if not action.officer:
        return Message(N_("Say who takes over."))
    if action.officer == case.officer:
        return Message(N_("{officer} has this case already."), {"officer": action.officer})
    return None


def _urgent_if_system(case: Case, action: Action, now: int) -> Message | None:
    if case.terms.urgent or Letter.SENSOR not in action.actor.letters:
        return None
    return Message(N_("Only life-safety cases are dispatched without the smart centre."))


def _urgent(case: Case, action: Action, now: int) -> Message | None:
    return None if case.terms.urgent else Message(N_("Only life-safety cases go straight to filed."))


def _unit(case: Case, action: Action, now: int) -> Message | None:
    if action.units or reachable(case):
        return None
    return Message(N_("Say which department or team handles it."))


def reachable(case: Case) -> bool:
    """Whether there is a department or an officer that the system can send it to by itself."""
    return bool(case.terms.unit or case.officer or any(case.officers))


def _dispatched(case: Case, action: Action, now: int) -> Message | None:
    if case.dispatched:
        return None
    return Message(N_("The grid handles this case itself; nothing was dispatched that could be returned."))


def _team(case: Case, action: Action, now: int) -> Message | None:
    if not action.lead:
        return Message(N_("Name the lead team."))
    if not [team for team in action.members if team != action.lead]:
        return Message(N_("Name at least one further team."))
    return None


def _own_task(case: Case, action: Action, now: int) -> Message | None:
    mine = [task for task in case.tasks if task.team == action.actor.unit]
    if not mine:
        return Message(N_("Your team has no task in this case."))
    if all(task.done is not None for task in mine):
        return Message(N_("Your team's task is done already."))
    return None


def _task_result(case: Case, action: Action, now: int) -> Message | None:
    if action.note.strip() or action.evidence:
        return None
    return Message(N_("Say what your team did, or add evidence."))


def _lead(case: Case, action: Action, now: int) -> Message | None:
    leads = [task.team for task in case.tasks if task.lead]
    if case.state is not State.JOINT or action.actor.unit in leads:
        return None
    return Message(N_("The lead team {team} reports the joint case as handled."), {"team": ", ".join(leads)})


def _tasks_done(case: Case, action: Action, now: int) -> Message | None:
    waiting = [task.team for task in case.tasks if task.done is None and not task.lead]
    if case.state is not State.JOINT or not waiting:
        return None
    return Message(N_("Not every team is done: {teams}."), {"teams": ", ".join(waiting)})


def _evidence(case: Case, action: Action, now: int) -> Message | None:
    proofs = proofs_of(case, action)
    missing = [one.wanted.id for one in asked(case, proofs) if one.wanted.required and not one.done]
    if missing:
        return Message(N_("Evidence is missing: {wanted}."), {"wanted": ", ".join(missing)})
    if not proofs:
        return Message(N_("Evidence is missing: add a note, a photo or a reading."))
    return None


def _review(case: Case, action: Action, now: int) -> Message | None:
    if action.review is None:
        return Message(N_("Give the date on which the deferral is reviewed."))
    return None if action.review > now else Message(N_("The review date must lie in the future."))


def _extension(case: Case, action: Action, now: int) -> Message | None:
    if not action.extend_by:
        return Message(N_("Say by how long the limit is extended."))
    return None


def _extension_rank(case: Case, action: Action, now: int) -> Message | None:
    rank = action.actor.rank
    if case.clock.extended >= EXTENSIONS:
        return Message(N_("The limit was extended twice already; it cannot be extended again."))
    if case.clock.extended and rank < Rank.CHIEF:
        return Message(N_("A second extension needs the chief of the smart centre."))
    if rank < Rank.SHIFT_LEAD:
        return Message(N_("An extension needs the shift lead of the smart centre."))
    return None


def _not_handler(case: Case, action: Action, now: int) -> Message | None:
    verifier = action.verifier or action.actor.id
    if verifier in case.handlers:
        return Message(N_("{verifier} handled this case and cannot verify it."), {"verifier": verifier})
    return None


def _verifier(case: Case, action: Action, now: int) -> Message | None:
    if action.verifier or Letter.VERIFIER in action.actor.letters:
        return None
    return Message(N_("Name the verifier."))


def _standard(case: Case, action: Action, now: int) -> Message | None:
    if action.standard_met:
        return None
    return Message(N_("Confirm that the closing standard of the category is met."))


def _alarms_quiet(case: Case, action: Action, now: int) -> Message | None:
    if not case.standing:
        return None
    first = case.standing[0]
    return Message(
        N_("The linked alarm {alarm} is still {condition}; it must be over or reset first."),
        {"alarm": first.alarm, "condition": Message(_CONDITIONS[first.condition])},
    )


def _resident(case: Case, action: Action, now: int) -> Message | None:
    return None if case.resident else Message(N_("No resident reported this case; skip the call-back."))


def _no_resident(case: Case, action: Action, now: int) -> Message | None:
    if not case.resident:
        return None
    return Message(N_("A resident reported this case and must be called back."))


def _reopen_window(case: Case, action: Action, now: int) -> Message | None:
    if case.closed is None or now - case.closed <= REOPEN_WITHIN:
        return None
    return Message(N_("The case was closed more than 7 days ago; report it anew."))


def _parent(case: Case, action: Action, now: int) -> Message | None:
    if action.parent is None:
        return Message(N_("Name the case that this one repeats."))
    if action.parent.id == case.id:
        return Message(N_("A case cannot be the duplicate of itself."))
    if not action.parent.open:
        return Message(N_("{parent} is over; link to an open case."), {"parent": action.parent.id})
    return None


def _said(case: Case, action: Action, now: int) -> Message | None:
    return None if action.note.strip() else Message(N_("Write the note."))


def _shown(case: Case, action: Action, now: int) -> Message | None:
    if action.evidence or action.note.strip():
        return None
    return Message(N_("Add a photo, a reading, a signature or a note."))


def _priority(case: Case, action: Action, now: int) -> Message | None:
    if action.priority not in PRIORITIES:
        return Message(N_("Choose a priority: {priorities}."), {"priorities": ", ".join(PRIORITIES)})
    return None


def _milestone(case: Case, action: Action, now: int) -> Message | None:
    waiting = [mark.id for mark in case.clock.milestones if mark.reached is None]
    if action.milestone in waiting:
        return None
    if not waiting:
        return Message(N_("No milestone is left to be reached."))
    return Message(N_("Say which milestone is reached: {milestones}."), {"milestones": ", ".join(waiting)})


def _second_party(case: Case, action: Action, now: int) -> Message | None:
    if action.actor.id in case.handlers:
        return Message(N_("You have accepted this case already."))
    return None


REASON: Final = Guard("reason", _reason, ("reason",))
LOCATION: Final = Guard("location", _location)
CATEGORY: Final = Guard("category", _category, ("category",))
GRID_OFFICER: Final = Guard("grid officer", _grid_officer)
THEIRS: Final = Guard("theirs", _theirs)
NEW_OFFICER: Final = Guard("new officer", _may_hand_over, ("officer",))
URGENT: Final = Guard("urgent", _urgent)
URGENT_IF_SYSTEM: Final = Guard("urgent if by the system", _urgent_if_system)
UNIT: Final = Guard("unit", _unit, ("units",))
WAS_DISPATCHED: Final = Guard("dispatched", _dispatched)
TEAM: Final = Guard("lead and members", _team, ("lead", "members"))
OWN_TASK: Final = Guard("own task", _own_task)
TASK_RESULT: Final = Guard("task result", _task_result, ("note",))
LEAD: Final = Guard("lead team", _lead)
TASKS_DONE: Final = Guard("tasks done", _tasks_done)
EVIDENCE: Final = Guard("evidence", _evidence, ("evidence",))
REVIEW: Final = Guard("review date", _review, ("review",))
EXTENSION: Final = Guard("extension", _extension, ("extend_by",))
EXTENSION_RANK: Final = Guard("extension rank", _extension_rank)
NOT_HANDLER: Final = Guard("verifier is not the handler", _not_handler)
VERIFIER: Final = Guard("verifier", _verifier, ("verifier",))
STANDARD: Final = Guard("closing standard", _standard, ("standard_met",))
ALARMS_QUIET: Final = Guard("alarms over", _alarms_quiet)
RESIDENT: Final = Guard("resident", _resident)
NO_RESIDENT: Final = Guard("no resident", _no_resident)
REOPEN_WINDOW: Final = Guard("within 7 days", _reopen_window)
PARENT: Final = Guard("parent", _parent, ("parent",))
SAID: Final = Guard("note", _said, ("note",))
SHOWN: Final = Guard("shown", _shown, ("evidence",))
PRIORITY: Final = Guard("priority", _priority, ("priority",))
MILESTONE: Final = Guard("milestone", _milestone, ("milestone",))
SECOND_PARTY: Final = Guard("not accepted yet", _second_party, hides=True)

WIDER: Final = Route("a wider level has an officer", lambda case: wider_level(case) > 0)
TOP: Final = Route("no wider level has an officer", lambda case: wider_level(case) == 0)
OWN_WIDER: Final = Route(
    "the grid's own, a wider level has an officer",
    lambda case: not case.dispatched and wider_level(case) > 0,
)
OWN_TOP: Final = Route(
    "the grid's own, no wider level has an officer",
    lambda case: not case.dispatched and wider_level(case) == 0,
)
FROM_DISPATCHED: Final = Route("was dispatched", lambda case: case.resume_to is State.DISPATCHED)
FROM_PROGRESS: Final = Route("was in progress", lambda case: case.resume_to is State.IN_PROGRESS)
FROM_JOINT: Final = Route("was joint", lambda case: case.resume_to is State.JOINT)
REWORK_FEW: Final = Route("before the third time", lambda case: (case.rework + 1) % REWORK_ESCALATES != 0)
REWORK_MANY: Final = Route("every third time", lambda case: (case.rework + 1) % REWORK_ESCALATES == 0)
ATTEMPTS_LEFT: Final = Route(
    "before the third attempt", lambda case: case.callback_attempts + 1 < CALLBACK_ATTEMPTS
)
LAST_ATTEMPT: Final = Route("the third attempt", lambda case: case.callback_attempts + 1 >= CALLBACK_ATTEMPTS)
