"""What a transition changes besides the state: who has the case, its clock and deadlines, its marks."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from cases import sla
from cases.case import Action, Case, Task, Timer
from cases.guards import narrowest_level, wider_level
from cases.proofs import proofs_of
from cases.sla import Clock, Hours
from cases.states import Letter
from rules.findings import Severity

CENTRE = "centre"
"""The holder's name while the smart centre has a case."""

Effect = Callable[[Case, Action, int, Hours], Case]


def _with_timer(case: Case, name: str, at: int | None) -> Case:
    kept = tuple(timer for timer in case.timers if timer.name != name)
    return replace(case, timers=kept if at is None else (*kept, Timer(name, at)))


def _once(*values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for group in values for value in group if value))


def arm_accept(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Somebody has to accept it within the category's time."""
    return _with_timer(replace(case, accepted=None), "accept", hours.after(now, case.terms.accept_within))


def disarm_accept(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The accept timer ends."""
    return _with_timer(case, "accept", None)


def to_centre(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The smart centre has it; nobody needs to accept it."""
    return _with_timer(replace(case, holder=CENTRE), "accept", None)


def to_grid(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The officer of the narrowest level that has one gets it."""
    return _to_level(case, narrowest_level(case))


def to_wider_level(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The officer of the next wider level gets it."""
    return _to_level(replace(case, escalations=case.escalations + 1), wider_level(case))


def past_the_grid(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """No level is left: the smart centre triages it."""
    return replace(case, level=0, holder=CENTRE, escalations=case.escalations + 1)


def _to_level(case: Case, level: int) -> Case:
    officer = case.officers[level - 1] if level else ""
    return replace(case, level=level, officer=officer, holder=officer or CENTRE)


def own_clock(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The grid's own handling has a limit too; dispatching starts it anew."""
    if case.clock.started is not None:
        return case
    terms = case.terms
    return replace(case, clock=sla.start(now, terms.handle_within, terms.milestones, hours))


def dispatched(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The limit clock starts (or goes on after a pause); grid and departments have it in parallel."""
    units = _once(action.units or (case.terms.unit,))
    case = dispatch_clock(replace(case, units=units), action, now, hours)
    level = case.level or narrowest_level(case)
    officer = action.officer or case.officer or (case.officers[level - 1] if level else "")
    holder = f"unit:{units[0]}" if units else officer or CENTRE
    if case.terms.urgent and officer:
        holder = officer
    return replace(case, level=level, officer=officer, holder=holder, tasks=())


def recalled(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Whatever spoke for closing it is void; it begins again with the officer nearest to the place.

    Whoever handled it stays a handler: what they did before still counts when somebody verifies.
    """
    case = replace(case, proofs=(), standard_met_by="", verifier="", resume_to=None, officer="", level=0)
    return _with_timer(case, "review", None)


def dispatch_clock(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The limit counts from the first dispatch on; after a pause it goes on."""
    if case.dispatched:
        return replace(case, clock=sla.resume(case.clock, now, hours))
    terms = case.terms
    clock = sla.start(now, terms.handle_within, terms.milestones, hours)
    return replace(case, clock=clock, dispatched=True)


def accepted(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Somebody has it in hand; a grid officer who accepts is the one responsible from now on."""
    actor = action.actor.id
    holder = case.holder if case.accepted is not None else actor
    case = replace(case, accepted=case.accepted or now, holder=holder)
    if Letter.GRID in action.actor.letters:
        level = case.officers.index(actor) + 1 if actor in case.officers else case.level
        case = replace(case, officer=actor, level=level)
    return _with_timer(handled(case, action, now, hours), "accept", None)


def handled(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The actor, and whom they act for, count as handlers from now on: they may not verify."""
    return replace(case, handlers=_once(case.handlers, (action.actor.id, action.on_behalf_of)))


def filed(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The smart centre takes the case under the category's terms."""
    if action.terms is not None and action.category:
        case = replace(case, category=action.category, terms=action.terms)
    return to_centre(case, action, now, hours)


def returned(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The smart centre has to decide on the return; the clock runs on until it accepts."""
    return _with_timer(replace(case, returns=case.returns + 1, holder=CENTRE), "accept", None)


def return_accepted(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The clock pauses until the case is dispatched again."""
    return replace(case, units=(), accepted=None, clock=sla.pause(case.clock, now, hours))


def return_refused(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The department that returned it has it again."""
    return replace(case, holder=f"unit:{case.units[0]}" if case.units else case.officer)


def joined(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Lead and members get a sub-task each; the lead has the case."""
    teams = _once((action.lead,), action.members)
    tasks = tuple(Task(team, lead=team == action.lead) for team in teams)
    case = replace(case, tasks=tasks, units=teams, holder=f"unit:{action.lead}")
    return _with_timer(dispatch_clock(case, action, now, hours), "accept", None)


def task_done(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The actor's team is done with its part."""
    tasks = tuple(
        replace(task, done=now, by=action.actor.id)
        if task.team == action.actor.unit and task.done is None
        else task
        for task in case.tasks
    )
    return replace(case, tasks=tasks)


def proved(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """What was shown is kept with the case."""
    given = proofs_of(case, action)[len(case.proofs) :]
    stamped = tuple(replace(proof, actor=action.actor.id, time=now) for proof in given)
    return replace(case, proofs=(*case.proofs, *stamped))


def fed_back(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Handled: the handling limit stops counting until somebody sends it back."""
    tasks = tuple(
        replace(task, done=now, by=action.actor.id) if task.done is None else task for task in case.tasks
    )
    clock = sla.pause(case.clock, now, hours)
    return _with_timer(replace(case, clock=clock, tasks=tasks, holder=CENTRE), "accept", None)


def deferred(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The clock pauses; the review date brings it back."""
    clock = sla.pause(case.clock, now, hours)
    case = replace(case, clock=clock, resume_to=case.state)
    return _with_timer(_with_timer(case, "accept", None), "review", action.review)


def resumed(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The clock goes on where it was held."""
    case = replace(case, clock=sla.resume(case.clock, now, hours), resume_to=None)
    return _with_timer(case, "review", None)


def extended(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The limit moves."""
    if action.extend_by is None:
        return case
    return replace(case, clock=sla.extend(case.clock, now, action.extend_by, hours))


def to_verifier(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The verifier has it."""
    verifier = action.verifier or action.actor.id
    return replace(case, verifier=verifier, holder=verifier)


def approved(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The closing standard is met: the clock stops, the resident is called back."""
    clock = sla.stop(case.clock, now)
    return replace(case, standard_met_by=action.actor.id, clock=clock, holder=CENTRE, callback_attempts=0)


def sent_back(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The handler has it again, with what was left of the limit; new evidence is wanted."""
    last = case.handlers[-1] if case.handlers else CENTRE
    clock = sla.resume(case.clock, now, hours)
    return replace(case, rework=case.rework + 1, clock=clock, holder=last, proofs=(), standard_met_by="")


def raised_a_level(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Sent back too often: the next wider level, or the smart centre, takes it over."""
    if wider_level(case):
        return to_wider_level(case, action, now, hours)
    return past_the_grid(case, action, now, hours)


def called(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """One more attempt to reach the resident."""
    return replace(case, callback_attempts=case.callback_attempts + 1)


def satisfied(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The resident is satisfied."""
    return replace(called(case, action, now, hours), callback="satisfied")


def unreachable(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The resident could not be reached."""
    return replace(called(case, action, now, hours), callback="unreachable")


def callback_skipped(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """There is nobody to call."""
    return replace(case, callback="skipped")


def ended(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Nobody has it any more, no deadline is left."""
    return replace(case, closed=now, holder="", timers=(), clock=sla.stop(case.clock, now))


def reopened(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """A new round: everything that spoke for closing it is void, its limit starts anew when dispatched."""
    return replace(
        case,
        reopened=case.reopened + 1,
        closed=None,
        callback="",
        callback_attempts=0,
        standard_met_by="",
        verifier="",
        proofs=(),
        tasks=(),
        accepted=None,
        dispatched=False,
        resume_to=None,
        clock=Clock(),
        timers=(),
        level=0,
        holder=CENTRE,
    )


def repeats(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Linked to the case it repeats."""
    return replace(case, parent=action.parent.id if action.parent else "")


def adopted(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """The duplicate's alarms and findings count here; the stricter clock holds."""
    child = action.parent
    if child is None:
        return case
    return replace(
        case,
        clock=sla.earliest(case.clock, child.clock),
        findings=case.findings + child.findings,
        alarms=case.alarms + child.alarms,
        worst=_worse(case.worst, child.worst),
        first_finding=min(filter(None, (case.first_finding, child.first_finding)), default=0),
        last_finding=max(case.last_finding, child.last_finding),
        resident=case.resident or child.resident,
        standing=(*case.standing, *child.standing),
    )


def handed_over(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Another officer is responsible."""
    return replace(case, officer=action.officer, holder=action.officer)


def prioritised(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Another priority."""
    return replace(case, priority=action.priority)


def folded(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Further findings of the same merge key; priority and worst severity may rise, never fall."""
    return replace(
        case,
        priority=min(case.priority, action.priority or case.priority),
        worst=_worse(case.worst, action.severity),
        findings=case.findings + action.folded,
        alarms=case.alarms + action.alarms,
        last_finding=max(case.last_finding, action.finding_time),
    )


def _worse(*severities: Severity | None) -> Severity | None:
    known = [severity for severity in severities if severity is not None]
    return min(known, key=lambda severity: severity.rank, default=None)


def limit_passed(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """Overdue from now on."""
    return replace(case, clock=replace(case.clock, overdue=now))


def milestone_reached(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """A milestone is reached, in time or not."""
    marks = tuple(
        replace(mark, reached=now) if mark.id == action.milestone else mark for mark in case.clock.milestones
    )
    return replace(case, clock=replace(case.clock, milestones=marks))


def milestone_passed(case: Case, action: Action, now: int, hours: Hours) -> Case:
    """A milestone was not reached in time."""
    marks = tuple(
        replace(mark, missed=True) if mark.id == action.milestone else mark for mark in case.clock.milestones
    )
    return replace(case, clock=replace(case.clock, milestones=marks))
