"""Every row of the table and every guard, driven from the table itself: nothing in it is untested."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from cases import sla
from cases.case import RESIDENT, SYSTEM, Action, Actor, Case, Proof, Refused, Standing, Task, Terms, Wanted
from cases.guards import Guard
from cases.lifecycle import SYSTEM_ONLY, advance, available_actions, tick
from cases.proofs import asked
from cases.states import ACT_NAMES, ENDED, LETTERS, OPEN, STATE_NAMES, Act, Letter, Rank, State
from cases.table import TABLE, Row
from language import Message
from registry.categories import EvidenceKind
from registry.grids import Role
from registry.spans import Length
from rules.findings import Condition

HOUR = 3600 * 10**9
NOW = 1_800_000_000 * 10**9

PHOTO = Proof(EvidenceKind.PHOTO, "scene.jpg")

PEOPLE = {
    Letter.SENSOR: SYSTEM,
    Letter.GRID: Actor("g3", Role.GRID_OFFICER, unit="grid-team"),
    Letter.CENTRE: Actor("c1", Role.SMART_CENTRE, rank=Rank.CHIEF),
    Letter.DEPARTMENT: Actor("d1", Role.DEPARTMENT, unit="fire-team"),
    Letter.VERIFIER: Actor("v1", Role.VERIFIER),
    Letter.RESIDENT: RESIDENT,
}

TERMS = Terms(
    urgent=True,
    accept_within=Length(0, 180.0),
    handle_within=Length(0, 7200.0),
    milestones=(("arrived", Length(0, 600.0)),),
    unit="fire-team",
    evidence=(Wanted("scene", EvidenceKind.PHOTO, True, {}), Wanted("extra", EvidenceKind.NOTE, False, {})),
)


def case_in(state: State, row: Row | None = None) -> Case:
    """A case in `state`, made so that it satisfies whatever a row can ask of a case."""
    running = sla.start(NOW - HOUR, TERMS.handle_within, TERMS.milestones, sla.WALL_CLOCK)
    case = Case(
        id="BH-1",
        category="fire",
        terms=TERMS,
        opened=NOW - HOUR,
        changed=NOW - HOUR,
        state=state,
        place="kitchen",
        grids=("R1", "R1-01", "R1-01-01"),
        officers=("g1", "g2", "g3"),
        level=3,
        officer="g3",
        holder="" if state in ENDED else "g3",
        verifier="v1",
        units=("fire-team", "city"),
        dispatched=state not in (State.REPORTED, State.SELF_HANDLING),
        clock=running,
        resident="r-1",
        alarms=1,
        closed=NOW - HOUR if state in ENDED else None,
    )
    if state is State.JOINT:
        tasks = (Task("fire-team", lead=True), Task("grid-team", lead=True, done=NOW - 1))
        case = replace(case, tasks=tasks)
        if row is not None and row.act is Act.FINISH_TASK:
            case = replace(case, tasks=(Task("fire-team", lead=True), Task("grid-team")))
    if state is State.DEFERRED:
        case = replace(case, clock=sla.pause(running, NOW - 60 * 10**9, sla.WALL_CLOCK))
    for route in row.when if row else ():
        case = next(one for one in _variants(case) if route.holds(one))
    if row is not None and any(guard.name == "no resident" for guard in row.needs):
        case = replace(case, resident="")
    return case


def _variants(case: Case) -> list[Case]:
    return [
        case,
        replace(case, level=1),
        replace(case, dispatched=False),
        replace(case, dispatched=False, level=1),
        *(replace(case, resume_to=state) for state in (State.DISPATCHED, State.IN_PROGRESS, State.JOINT)),
        replace(case, rework=2),
        replace(case, callback_attempts=2),
    ]


def action_for(row: Row, letter: Letter, case: Case) -> Action:
    """What satisfies whatever a row can ask of an action."""
    return Action(
        act=row.act,
        actor=PEOPLE[letter],
        reason="because",
        note="what was done",
        evidence=(PHOTO,),
        officer="g2",
        verifier="v1",
        lead="fire-team",
        members=("city",),
        review=NOW + 24 * HOUR,
        extend_by=Length(0, 3600.0),
        priority="P2",
        parent=replace(case_in(State.IN_PROGRESS), id="BH-2") if row.act is Act.DUPLICATE else None,
        standard_met=True,
        milestone="arrived",
    )


ROWS = [(row, state, letter) for row in TABLE for state in sorted(row.start) for letter in sorted(row.who)]


@pytest.mark.parametrize(
    ("row", "state", "letter"), ROWS, ids=[f"{s}-{r.act}-{r.to or 'same'}-by-{w}" for r, s, w in ROWS]
)
def test_every_transition_of_the_table_happens_and_is_told(row, state, letter):
    case = case_in(state, row)
    outcome = advance(case, action_for(row, letter, case), NOW)
    entry = outcome.entry
    assert outcome.case.state is (row.to or state)
    assert (entry.from_state, entry.to_state, entry.act) == (state, outcome.case.state, row.act)
    assert (entry.actor, entry.role, entry.time) == (PEOPLE[letter].id, PEOPLE[letter].role, NOW)
    assert entry.holder == outcome.case.holder
    assert outcome.case.changed == NOW
    assert outcome.case.open == (outcome.case.state not in ENDED)
    if not outcome.case.open:
        assert (outcome.case.timers, outcome.case.holder) == ((), "")


NOT_THEIRS = [(row, state) for row in TABLE for state in sorted(row.start)]


@pytest.mark.parametrize(("row", "state"), NOT_THEIRS)
def test_nobody_else_may(row, state):
    case = case_in(state, row)
    for letter in set(Letter) - row.who:
        with pytest.raises(Refused, match="may not do this"):
            advance(case, action_for(row, letter, case), NOW)
    viewer = replace(action_for(row, min(row.who), case), actor=Actor("eye", Role.VIEWER))
    with pytest.raises(Refused, match="may not do this"):
        advance(case, viewer, NOW)


def test_what_the_table_does_not_name_is_refused():
    named = {(state, row.act) for row in TABLE for state in row.start}
    tried = 0
    for state in State:
        for act in Act:
            if (state, act) in named:
                continue
            with pytest.raises(Refused, match="not possible now"):
                advance(case_in(state), Action(act=act, actor=PEOPLE[Letter.CENTRE]), NOW)
            tried += 1
    assert tried + len(named) == len(State) * len(Act)


Breaking = Callable[[Case, Action], tuple[Case, Action]]


def _action(**fields: object) -> Breaking:
    return lambda case, action: (case, replace(action, **fields))


def _case(**fields: object) -> Breaking:
    return lambda case, action: (replace(case, **fields), action)


def _actor(**fields: object) -> Breaking:
    return lambda case, action: (case, replace(action, actor=replace(action.actor, **fields)))


STANDING = (Standing("smoke:s1#1", Condition.LATCHED),)
EXTENDED = sla.Clock(started=1, due=NOW + HOUR, extended=1)

BREAKS: dict[str, list[tuple[Breaking, str]]] = {
    "reason": [(_action(reason=" "), "Give a reason")],
    "location": [(_case(place="", grids=()), "no location")],
    "category": [(_case(category=""), "Choose a category")],
    "grid officer": [(_case(officers=("", "", "")), "None of the place's grids")],
    "theirs": [
        (
            lambda case, action: (
                replace(
                    case,
                    officers=(),
                    officer="x",
                    holder="x",
                    verifier="",
                    grids=("R9",),
                    units=("o",),
                    tasks=(),
                ),
                action,
            ),
            "not with you; x has it",
        )
    ],
    "new officer": [
        (_action(officer=""), "who takes over"),
        (_action(officer="g3"), "has this case already"),
    ],
    "urgent": [(_case(terms=replace(TERMS, urgent=False)), "straight to filed")],
    "urgent if by the system": [(_case(terms=replace(TERMS, urgent=False)), "without the smart centre")],
    "unit": [
        (
            lambda case, action: (
                replace(case, terms=replace(TERMS, unit=""), officer="", officers=()),
                replace(action, units=()),
            ),
            "which department or team",
        )
    ],
    "dispatched": [(_case(dispatched=False), "nothing was dispatched")],
    "lead and members": [
        (_action(lead=""), "Name the lead team"),
        (_action(members=("fire-team",)), "at least one further team"),
    ],
    "own task": [
        (_actor(unit="parks"), "no task in this case"),
        (_case(tasks=(Task("fire-team", done=1), Task("grid-team", done=1))), "done already"),
    ],
    "task result": [(_action(note="", evidence=()), "what your team did")],
    "lead team": [(_case(tasks=(Task("parks", lead=True),)), "The lead team parks")],
    "tasks done": [
        (_case(tasks=(Task("fire-team", lead=True), Task("grid-team", lead=True), Task("city"))), "Not every")
    ],
    "evidence": [
        (_action(evidence=(), note="only words"), r"Evidence is missing: scene\."),
        (
            lambda case, action: (
                replace(case, terms=replace(TERMS, evidence=())),
                replace(action, note="", evidence=()),
            ),
            "add a note, a photo",
        ),
    ],
    "review date": [(_action(review=None), "Give the date"), (_action(review=NOW), "in the future")],
    "extension": [(_action(extend_by=None), "by how long")],
    "extension rank": [
        (_actor(rank=Rank.MEMBER), "needs the shift lead"),
        (lambda c, a: _actor(rank=Rank.SHIFT_LEAD)(replace(c, clock=EXTENDED), a), "needs the chief"),
        (_case(clock=replace(EXTENDED, extended=2)), "extended twice already"),
    ],
    "verifier is not the handler": [(_case(handlers=("v1",)), "v1 handled this case")],
    "verifier": [
        (
            lambda case, action: (case, replace(action, verifier="", actor=PEOPLE[Letter.CENTRE])),
            "Name the verifier",
        )
    ],
    "closing standard": [(_action(standard_met=False), "closing standard")],
    "alarms over": [(_case(standing=STANDING), "smoke:s1#1 is still latched")],
    "resident": [(_case(resident=""), "No resident reported")],
    "no resident": [(_case(resident="r"), "must be called back")],
    "within 7 days": [(_case(closed=NOW - 7 * 24 * HOUR - 1), "more than 7 days ago")],
    "parent": [
        (_action(parent=None), "Name the case"),
        (lambda case, action: (case, replace(action, parent=case)), "duplicate of itself"),
        (_action(parent=replace(case_in(State.CLOSED), id="BH-2")), "BH-2 is over"),
    ],
    "note": [(_action(note=""), "Write the note")],
    "shown": [(_action(evidence=(), note=""), "Add a photo")],
    "priority": [(_action(priority="P9"), "Choose a priority")],
    "milestone": [
        (_action(milestone="x"), "which milestone is reached: arrived"),
        (_case(clock=sla.Clock()), "No milestone is left"),
    ],
    "not accepted yet": [
        (lambda c, a: (replace(c, handlers=(a.actor.id,)), a), "accepted this case already")
    ],
}

SYSTEM_GUARDS = {"urgent", "urgent if by the system"}
REFUSALS = [
    (row, guard, breaking, sentence)
    for row in TABLE
    for guard in row.needs
    for breaking, sentence in BREAKS[guard.name]
]


@pytest.mark.parametrize(("row", "guard", "breaking", "sentence"), REFUSALS)
def test_every_guard_refuses_with_its_sentence(row: Row, guard: Guard, breaking: Breaking, sentence: str):
    letter = (
        Letter.SENSOR
        if guard.name in SYSTEM_GUARDS
        else max(row.who - {Letter.SENSOR, Letter.CENTRE} or row.who)
    )
    state = min(row.start)
    if guard.name in ("lead team", "tasks done"):
        state, letter = State.JOINT, Letter.DEPARTMENT
    case = case_in(state, row)
    action = action_for(row, letter, case)
    with pytest.raises(Refused, match=sentence):
        advance(*breaking(case, action), NOW)


def test_every_guard_of_the_table_is_tried():
    assert {guard.name for row in TABLE for guard in row.needs} == BREAKS.keys()


def test_rows_of_one_act_and_state_exclude_each_other():
    for state in State:
        for act in Act:
            rows = [row for row in TABLE if row.act is act and state in row.start]
            for case in _variants(case_in(state)) if len(rows) > 1 else ():
                assert sum(all(route.holds(case) for route in row.when) for row in rows) <= 1


def test_every_state_can_be_reached_and_every_open_state_can_be_left():
    reached = {row.to for row in TABLE} - {None}
    assert reached == set(State) - {State.NEW}
    left = {state for row in TABLE if row.to is not None for state in row.start if row.to is not state}
    assert left >= OPEN


def test_every_state_act_and_role_has_its_words():
    assert STATE_NAMES.keys() == set(State)
    assert ACT_NAMES.keys() == set(Act) - {Act.ADOPT} | {Act.ADOPT}
    assert set(Role) <= LETTERS.keys()


# ------------------------------------------------------------------------------------- small stories


def done(case: Case, act: Act, letter: Letter, now: int = NOW, **fields: object) -> Case:
    """`case` after an action that must succeed."""
    return advance(case, Action(act=act, actor=PEOPLE[letter], **fields), now).case


def test_self_handling_climbs_three_two_one_and_then_the_smart_centre_triages():
    case = done(replace(case_in(State.REPORTED), clock=sla.Clock()), Act.HAND_TO_GRID, Letter.SENSOR)
    assert (case.level, case.holder, case.accept_by) == (3, "g3", NOW + 180 * 10**9)
    holders = []
    now = NOW
    for _ in range(3):
        now = case.accept_by
        (outcome,) = [one for one in tick(case, now) if one.entry.act is Act.ESCALATE]
        case = outcome.case
        holders.append((case.state, case.level, case.holder))
    assert holders == [
        (State.SELF_HANDLING, 2, "g2"),
        (State.SELF_HANDLING, 1, "g1"),
        (State.REPORTED, 0, "centre"),
    ]
    assert case.accept_by is None
    assert case.escalations == 3


def test_a_level_without_an_officer_is_left_out():
    case = replace(case_in(State.REPORTED), officers=("g1", "", "g3"), clock=sla.Clock())
    case = done(case, Act.HAND_TO_GRID, Letter.SENSOR)
    (first, *_) = tick(case, case.accept_by)
    assert (first.case.level, first.case.holder) == (1, "g1")


def test_accepting_ends_the_accept_timer_and_the_second_party_may_accept_too():
    case = done(case_in(State.FILED), Act.DISPATCH, Letter.SENSOR)
    assert (case.units, case.officer, case.holder) == (("fire-team",), "g3", "g3")
    case = done(case, Act.ACCEPT, Letter.GRID)
    assert (case.state, case.accept_by, case.accepted) == (State.IN_PROGRESS, None, NOW)
    case = done(case, Act.ACCEPT, Letter.DEPARTMENT, NOW + 5)
    assert (case.handlers, case.holder, case.accepted) == (("g3", "d1"), "g3", NOW)


def test_a_return_pauses_the_clock_only_when_the_centre_accepts_it():
    case = done(replace(case_in(State.FILED), dispatched=False), Act.DISPATCH, Letter.CENTRE)
    due = case.clock.due
    case = done(case, Act.RETURN, Letter.DEPARTMENT, NOW + HOUR, reason="not ours")
    assert case.clock.running
    case = done(case, Act.ACCEPT_RETURN, Letter.CENTRE, NOW + HOUR)
    assert not case.clock.running
    case = done(case, Act.DISPATCH, Letter.CENTRE, NOW + 6 * HOUR, units=("city",))
    assert (case.clock.due, case.units) == (due + 5 * HOUR, ("city",))


def test_a_deferred_case_returns_by_itself_on_its_review_date_with_what_was_left_of_the_limit():
    case = done(case_in(State.FILED), Act.DISPATCH, Letter.SENSOR)
    case = done(case, Act.ACCEPT, Letter.GRID)
    left = case.clock.due - NOW
    case = done(case, Act.DEFER, Letter.CENTRE, reason="spare part", review=NOW + 30 * HOUR)
    assert tick(case, NOW + 29 * HOUR) == ()
    (outcome,) = tick(case, NOW + 30 * HOUR)
    assert outcome.case.state is State.IN_PROGRESS
    assert outcome.case.clock.due == NOW + 30 * HOUR + left
    assert outcome.entry.message == Message("The review date has come.")


def test_a_joint_case_is_done_when_all_its_tasks_are_and_the_lead_says_so():
    case = done(case_in(State.FILED), Act.JOIN, Letter.CENTRE, lead="fire-team", members=("city", "parks"))
    assert [task.team for task in case.tasks] == ["fire-team", "city", "parks"]
    feedback = Action(act=Act.FEEDBACK, actor=PEOPLE[Letter.DEPARTMENT], evidence=(PHOTO,))
    with pytest.raises(Refused, match="city, parks"):
        advance(case, feedback, NOW)
    for team in ("city", "parks"):
        helper = Actor(f"{team}-1", Role.DEPARTMENT, unit=team)
        case = advance(case, Action(act=Act.FINISH_TASK, actor=helper, note="ok"), NOW).case
        with pytest.raises(Refused, match="lead team fire-team"):
            advance(case, replace(feedback, actor=helper), NOW)
    case = advance(case, feedback, NOW).case
    assert (case.state, case.handlers) == (State.FEEDBACK, ("city-1", "parks-1", "d1"))


def test_the_third_rework_goes_one_level_up_and_evidence_is_wanted_again_each_time():
    case = done(case_in(State.FILED), Act.DISPATCH, Letter.SENSOR)
    case = done(case, Act.ACCEPT, Letter.GRID)
    for count in (1, 2, 3):
        case = done(case, Act.FEEDBACK, Letter.GRID, evidence=(PHOTO,))
        assert not case.clock.running
        case = done(case, Act.VERIFY, Letter.VERIFIER)
        case = done(case, Act.REWORK, Letter.VERIFIER, reason="still smells")
        assert (case.state, case.rework, case.proofs) == (State.IN_PROGRESS, count, ())
        assert case.clock.running
    assert (case.level, case.holder, case.escalations) == (2, "g2", 1)


def test_whoever_handled_it_on_behalf_of_another_keeps_both_from_verifying():
    case = case_in(State.IN_PROGRESS)
    case = done(case, Act.FEEDBACK, Letter.GRID, evidence=(PHOTO,), on_behalf_of="v1")
    with pytest.raises(Refused, match="v1 handled this case"):
        done(case, Act.VERIFY, Letter.VERIFIER)


def test_three_attempts_without_an_answer_close_the_case_as_unreachable():
    case = case_in(State.CLOSED_PENDING_CALLBACK)
    for _ in range(2):
        case = done(case, Act.UNREACHED, Letter.CENTRE)
        assert case.state is State.CLOSED_PENDING_CALLBACK
    case = done(case, Act.UNREACHED, Letter.CENTRE)
    assert (case.state, case.callback, case.callback_attempts) == (State.CLOSED, "unreachable", 3)


def test_the_limit_and_each_milestone_are_missed_once():
    case = done(replace(case_in(State.FILED), dispatched=False), Act.DISPATCH, Letter.SENSOR)
    case = done(case, Act.ACCEPT, Letter.GRID)
    outcomes = tick(case, NOW + 3 * HOUR)
    assert [one.entry.act for one in outcomes] == [Act.MILESTONE, Act.OVERDUE]
    case = outcomes[-1].case
    assert case.overdue_at(NOW + 3 * HOUR)
    assert tick(case, NOW + 9 * HOUR) == ()


def test_a_milestone_reached_is_not_missed():
    case = done(replace(case_in(State.FILED), dispatched=False), Act.DISPATCH, Letter.SENSOR)
    case = done(case, Act.REACH, Letter.GRID, milestone="arrived")
    assert case.clock.milestones[0].reached == NOW
    assert [one.entry.act for one in tick(replace(case, timers=case.timers[1:]), NOW + HOUR)] == []


def test_an_extension_moves_the_limit_and_lifts_overdue():
    case = done(replace(case_in(State.FILED), dispatched=False), Act.DISPATCH, Letter.SENSOR)
    case = done(case, Act.ACCEPT, Letter.GRID)
    case = tick(case, NOW + 3 * HOUR)[-1].case
    case = done(
        case, Act.EXTEND, Letter.CENTRE, NOW + 3 * HOUR, reason="weather", extend_by=Length(0, 3600.0)
    )
    assert not case.overdue_at(NOW + 3 * HOUR)
    assert case.clock.due == NOW + 4 * HOUR


def test_a_reading_counts_as_evidence_once_every_linked_alarm_is_over():
    wanted = (Wanted("quiet", EvidenceKind.READING, True, {}),)
    case = replace(case_in(State.IN_PROGRESS), terms=replace(TERMS, evidence=wanted), standing=STANDING)
    with pytest.raises(Refused, match="quiet"):
        done(case, Act.FEEDBACK, Letter.GRID, note="ok")
    assert done(replace(case, standing=()), Act.FEEDBACK, Letter.GRID, note="ok").state is State.FEEDBACK


def test_a_grid_officer_who_accepts_is_the_one_responsible_and_the_place_keeps_its_own():
    case = done(case_in(State.FILED), Act.DISPATCH, Letter.SENSOR)
    for _ in range(2):
        case = tick(case, case.accept_by)[-1].case
    assert (case.officer, case.holder) == ("g1", "g1")
    case = done(case, Act.ACCEPT, Letter.GRID, NOW + HOUR)
    assert (case.officer, case.holder, case.level, case.place_officer) == ("g3", "g3", 3, "g3")
    case = done(case_in(State.DISPATCHED), Act.ACCEPT, Letter.DEPARTMENT)
    assert (case.officer, case.holder) == ("g3", "d1")


def test_a_proof_for_none_answers_what_is_required_first():
    wanted = (
        Wanted("view", EvidenceKind.PHOTO, False, {}),
        Wanted("scene", EvidenceKind.PHOTO, True, {}),
        Wanted("cause", EvidenceKind.NOTE, True, {}),
    )
    case = replace(case_in(State.IN_PROGRESS), terms=replace(TERMS, evidence=wanted))
    found = {one.wanted.id: one.done for one in asked(case, (PHOTO,))}
    assert found == {"view": False, "scene": True, "cause": False}
    both = asked(case, (PHOTO, Proof(EvidenceKind.PHOTO, "b", "view")))
    assert [one.by.text if one.by else None for one in both] == ["b", "scene.jpg", None]


# ---------------------------------------------------------------------------------- what may be done


@pytest.mark.parametrize("state", sorted(State))
def test_available_actions_are_those_that_advance_takes_and_no_others(state):
    for row_case in _variants(case_in(state)):
        for letter, actor in PEOPLE.items():
            offered = {one.act: one for one in available_actions(row_case, actor, NOW)}
            assert not offered.keys() & SYSTEM_ONLY
            for act in set(Act) - SYSTEM_ONLY:
                rows = [row for row in TABLE if row.act is act and state in row.start]
                row = next((r for r in rows if all(route.holds(row_case) for route in r.when)), None)
                mine = row is not None and letter in row.who and row.who != {Letter.SENSOR}
                assert (act in offered) == mine
                if row is None or not mine:
                    continue
                try:
                    outcome = advance(row_case, action_for(row, letter, row_case), NOW)
                except Refused:
                    assert offered[act].refused or offered[act].needs
                else:
                    assert offered[act].to is outcome.case.state
                    assert offered[act].refused is None


def test_what_takes_a_case_on_is_offered_first_and_nobody_may_accept_twice():
    case = done(case_in(State.DISPATCHED), Act.ACCEPT, Letter.GRID)
    near = available_actions(case, PEOPLE[Letter.GRID], NOW)
    assert (near[0].act, near[0].forward) == (Act.FEEDBACK, True)
    assert Act.ACCEPT not in {one.act for one in near}
    brigade = available_actions(case, PEOPLE[Letter.DEPARTMENT], NOW)
    assert [one.act for one in brigade[:2]] == [Act.FEEDBACK, Act.ACCEPT]
    assert not any(one.forward for one in brigade[2:])


@pytest.mark.parametrize("state", sorted(OPEN))
def test_every_open_state_has_a_way_forward(state):
    case = replace(case_in(state), resume_to=State.IN_PROGRESS)
    assert available_actions(case)[0].forward


def test_what_is_missing_is_said_before_anybody_is_refused():
    case = replace(case_in(State.VERIFY), standing=STANDING)
    approve = next(one for one in available_actions(case, PEOPLE[Letter.VERIFIER]) if one.act is Act.APPROVE)
    assert approve.needs == ("standard_met",)
    assert "still latched" in str(approve.refused)
    assert Role.VERIFIER in approve.roles
