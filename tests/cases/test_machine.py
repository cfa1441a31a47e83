"""Whatever people and time do in whatever order: history only grows, and nothing closes unproved."""

import itertools

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from cases.case import RESIDENT, SYSTEM, Action, Actor, Case, Proof, Refused, Standing, Terms, Wanted
from cases.lifecycle import advance, available_actions, tick
from cases.states import ENDED, Act, Rank, State
from registry.categories import EvidenceKind
from registry.grids import Role
from registry.spans import Length
from rules.findings import Condition

MINUTE = 60 * 10**9

PEOPLE = [
    SYSTEM,
    RESIDENT,
    Actor("g3", Role.GRID_OFFICER, grids=("R1",)),
    Actor("g2", Role.GRID_OFFICER, grids=("R1",)),
    Actor("c1", Role.SMART_CENTRE, rank=Rank.SHIFT_LEAD),
    Actor("so", Role.SAFETY_OFFICER, rank=Rank.CHIEF),
    Actor("d1", Role.DEPARTMENT, unit="fire-team"),
    Actor("d2", Role.DEPARTMENT, unit="city"),
    Actor("v1", Role.VERIFIER),
    Actor("g3", Role.VERIFIER),
    Actor("eye", Role.VIEWER),
]

BEGINNINGS = {Act.RAISE: True, Act.REPORT: False}


FORWARD: dict[State, list[Act]] = {
    State.REPORTED: [Act.FILE, Act.HAND_TO_GRID],
    State.SELF_HANDLING: [Act.ACCEPT, Act.FILE],
    State.FILED: [Act.DISPATCH, Act.JOIN],
    State.DISPATCHED: [Act.ACCEPT, Act.RETURN, Act.DEFER],
    State.RETURNED: [Act.ACCEPT_RETURN, Act.REFUSE_RETURN, Act.JOIN],
    State.JOINT: [Act.FINISH_TASK, Act.FEEDBACK, Act.DEFER],
    State.IN_PROGRESS: [Act.FEEDBACK, Act.FEEDBACK, Act.DEFER, Act.ESCALATE, Act.RETURN],
    State.DEFERRED: [Act.RESUME],
    State.FEEDBACK: [Act.VERIFY],
    State.VERIFY: [Act.APPROVE, Act.APPROVE, Act.APPROVE, Act.REWORK],
    State.CLOSED_PENDING_CALLBACK: [Act.SATISFIED, Act.UNREACHED, Act.SKIP_CALLBACK, Act.DISSATISFIED],
    State.CLOSED: [Act.REOPEN],
    State.REOPENED: [Act.DISPATCH, Act.HAND_TO_GRID],
}
"""What brings a case on, so that the search does not stay at its beginning."""


class Life(RuleBasedStateMachine):
    """One case and its alarm, at the mercy of everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.history: list = []
        self.firing = True
        self.case: Case | None = None
        self.approved_after_last_reopening = False

    @initialize(act=st.sampled_from(sorted(BEGINNINGS)), resident=st.booleans(), wanted=st.booleans())
    def begin(self, act: Act, resident: bool, wanted: bool) -> None:
        terms = Terms(
            urgent=BEGINNINGS[act],
            accept_within=Length(0, 180.0),
            handle_within=Length(0, 3600.0),
            milestones=(("arrived", Length(0, 600.0)),),
            unit="fire-team",
            evidence=(Wanted("scene", EvidenceKind.PHOTO, True, {}),) if wanted else (),
        )
        case = Case(
            id="BH-1",
            category="fire",
            terms=terms,
            opened=0,
            changed=0,
            place="kitchen",
            grids=("R1", "R1-01", "R1-01-01"),
            officers=("g1", "g2", "g3"),
            resident="r" if resident else "",
            alarms=1,
            standing=(Standing("smoke:s1#1", Condition.ACTIVE),),
        )
        self.take(advance(case, Action(act=act, actor=SYSTEM), 0))

    def take(self, outcome) -> None:
        before = self.case.state if self.case else State.NEW
        assert outcome.entry.from_state is before
        assert outcome.entry.to_state is outcome.case.state
        if outcome.entry.act is Act.APPROVE:
            assert not self.firing
            assert outcome.entry.actor not in self.case.handlers
            self.approved_after_last_reopening = True
        if outcome.case.state is State.REOPENED:
            self.approved_after_last_reopening = False
        self.history.append(outcome.entry)
        self.case = outcome.case

    @rule(
        act=st.sampled_from(sorted(Act)),
        actor=st.sampled_from(PEOPLE),
        reason=st.sampled_from(["", "because"]),
        note=st.sampled_from(["", "done"]),
        proofs=st.sampled_from([(), (Proof(EvidenceKind.PHOTO, "a.jpg"),)]),
        met=st.booleans(),
        review=st.sampled_from([None, 5, 500]),
        rest=st.sampled_from(["", "city"]),
    )
    def somebody_tries(self, act, actor, reason, note, proofs, met, review, rest) -> None:
        before = self.case
        action = Action(
            act=act,
            actor=actor,
            reason=reason,
            note=note,
            evidence=proofs,
            standard_met=met,
            review=None if review is None else self.now + review * MINUTE,
            extend_by=Length(0, 600.0),
            lead="fire-team" if rest else "",
            members=(rest,) if rest else (),
            officer="g2",
            priority="P2",
            milestone="arrived",
            parent=replace(before, id="BH-2", state=State.FILED, timers=()) if rest and not met else None,
        )
        try:
            outcome = advance(before, action, self.now)
        except Refused:
            assert self.case is before
        else:
            self.take(outcome)

    @rule(data=st.data())
    def somebody_does_what_is_offered(self, data) -> None:
        actor = data.draw(st.sampled_from(PEOPLE))
        offered = [one for one in available_actions(self.case, actor, self.now) if one.refused is None]
        if offered:
            chosen = data.draw(st.sampled_from(offered))
            self.somebody_tries(
                chosen.act, actor, "because", "done", (Proof(EvidenceKind.PHOTO, "b.jpg"),), True, 500, "city"
            )

    @rule(data=st.data())
    def the_work_goes_on(self, data) -> None:
        acts = FORWARD.get(self.case.state)
        if acts is None:
            return
        act = data.draw(st.sampled_from(acts))
        for actor in data.draw(st.permutations(PEOPLE)):
            offered = {one.act: one for one in available_actions(self.case, actor, self.now)}
            if act in offered and offered[act].refused is None:
                photo = (Proof(EvidenceKind.PHOTO, "c.jpg"),)
                self.somebody_tries(act, actor, "because", "done", photo, True, 500, "city")
                return

    @rule(minutes=st.sampled_from([1, 4, 11, 70]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        for outcome in tick(self.case, self.now):
            self.take(outcome)
        assert tick(self.case, self.now) == ()

    @rule(firing=st.sampled_from([False, False, True]))
    def the_alarm_changes(self, firing: bool) -> None:
        if firing and self.case.state is State.CLOSED:
            return  # the desk reopens such a case; see the stories of the desk
        self.firing = firing
        standing = (Standing("smoke:s1#1", Condition.LATCHED),) if firing else ()
        self.case = replace(self.case, standing=standing)

    @invariant()
    def history_is_one_chain_of_states(self) -> None:
        for one, next_one in itertools.pairwise(self.history):
            assert one.to_state is next_one.from_state
            assert one.time <= next_one.time

    @invariant()
    def closed_only_after_the_standard_was_met_by_somebody_who_did_not_handle_it(self) -> None:
        if self.case is None or self.case.state not in (State.CLOSED, State.CLOSED_PENDING_CALLBACK):
            return
        assert self.approved_after_last_reopening
        assert self.case.standard_met_by
        assert self.case.standard_met_by not in self.case.handlers

    @invariant()
    def what_is_over_has_no_deadline_and_no_holder(self) -> None:
        if self.case is not None and self.case.state in ENDED:
            assert (self.case.timers, self.case.holder, self.case.clock.running) == ((), "", False)
        elif self.case is not None and self.case.state is not State.RECORDED:
            assert self.case.holder

    @invariant()
    def deadlines_belong_to_the_state(self) -> None:
        if self.case is None:
            return
        names = {timer.name for timer in self.case.timers}
        if "accept" in names:
            assert self.case.state in (State.SELF_HANDLING, State.DISPATCHED)
        if "review" in names:
            assert self.case.state is State.DEFERRED


Life.TestCase.settings = settings(
    max_examples=80, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestNoSequenceOfActionsBreaksACase = Life.TestCase
