"""From findings to cases: the stories of a safety officer's day."""

import pytest
from msgspec.structs import replace

from cases import opening
from cases.case import Proof, Refused
from cases.deliveries import DeliveryState, Receiver
from cases.desk import Desk, NoSuchCase, Report
from cases.states import Act, State
from cases.store import AlarmFilter
from registry.categories import EvidenceKind
from rules.findings import Condition, FindingKind, Severity


def test_a_kitchen_fire_seen_by_two_detectors_is_one_case_with_its_officer_and_the_brigade(story):
    opened = story.report(story.finding("s1", FindingKind.PREALARM)).opened
    story.later(seconds=20)
    again = story.report(story.finding("s1"), story.finding("s2"))
    assert opened == ("BH-20261123-0001",)
    assert (again.opened, again.cases) == ((), opened)
    case = story.case(opened[0])
    assert case.state is State.DISPATCHED
    assert (case.officer, case.units, case.priority) == ("g3", ("fire-team",), "P1")
    assert case.grids == ("R1", "R1-01", "R1-01-01")
    assert case.clock.due == case.opened + 2 * 3600 * 10**9
    assert (case.findings, case.alarms) == (3, 2)
    assert str(case.title_in("en")) == "Smoke: Building 8, kitchen"
    assert str(case.title_in("zh")) == "烟雾报警: 8 栋厨房"
    assert [standing.alarm for standing in case.standing] == ["smoke:s1#1", "smoke:s2#1"]
    assert story.acts(opened[0]) == ["raise", "dispatch", "alarm", "fold"]
    with story.store.reading() as books:
        file = books.case(opened[0])
    assert [str(line.entry.message) for line in file.history[2:]] == [
        "Pre-alarm confirmed, an alarm now: smoke:s1",
        "Another alarm joined: smoke:s2",
    ]
    assert [piece.alarm for piece in file.evidence] == ["smoke:s1#1", "smoke:s1#1", "smoke:s2#1"]
    assert file.evidence[0].readings[0].device == "s1"


def test_another_building_gets_its_own_case_at_once(story):
    opened = story.report(story.finding("s1"), story.finding("s2"), story.finding("s3")).opened
    assert opened == ("BH-20261123-0001", "BH-20261123-0002")
    assert story.case(opened[1]).building == "9"


def test_the_officer_of_the_next_level_is_responsible_where_the_nearest_grid_has_none(story):
    number = story.raised("s3").opened[0]
    case = story.case(number)
    assert (case.officer, case.level) == ("g1", 1)


def test_where_no_grid_has_an_officer_the_department_and_the_smart_centre_have_it(story):
    fire = story.case(story.raised("s4").opened[0])
    assert (fire.state, fire.officer, fire.holder) == (State.DISPATCHED, "", "unit:fire-team")
    damp = story.case(story.raised("s4", rule="damp").opened[0])
    assert (damp.state, damp.officer, damp.holder) == (State.REPORTED, "", "centre")


def test_what_is_not_urgent_goes_to_the_grid_first(story):
    case = story.case(story.raised("s1", rule="damp").opened[0])
    assert (case.state, case.level, case.holder) == (State.SELF_HANDLING, 3, "g3")
    assert story.acts(case.id) == ["report", "hand_to_grid"]


@pytest.mark.parametrize(("seconds", "folds"), [(1800, True), (1801, False)])
def test_the_merge_window_includes_its_last_second(story, seconds, folds):
    first = story.raised("s1").opened[0]
    story.later(seconds=seconds)
    second = story.raised("s2")
    assert (second.opened == ()) is folds
    if not folds:
        assert story.case(second.opened[0]).related == first


def test_the_window_moves_with_every_finding(story):
    first = story.raised("s1").opened[0]
    for device in ("s2", "s1", "s2"):
        story.later(minutes=29)
        story.occurrences[device] = story.occurrences.get(device, 1) + 1
        assert story.raised(device, occurrence=story.occurrences[device]).opened == ()
    assert story.case(first).findings == 4


def test_a_late_finding_joins_the_case_it_belongs_to_by_its_own_time(story):
    first = story.raised("s1").opened[0]
    story.later(minutes=50)
    changes = story.raised("s2", time=story.now - 45 * 60 * 10**9, late=True)
    assert (changes.opened, changes.cases) == ((), (first,))
    with story.store.reading() as books:
        found, _ = books.alarm("smoke:s2#1")
    assert found.late


def test_a_further_finding_may_raise_the_priority_and_never_lowers_it(story):
    number = story.raised("s1", rule="warm", severity=Severity.MEDIUM).opened[0]
    assert story.case(number).priority == "P2"
    story.raised("s1")
    assert story.case(number).priority == "P1"
    story.raised("s2", rule="warm")
    assert story.case(number).priority == "P1"


def test_what_happened_while_nobody_could_be_told_becomes_a_record_not_a_dispatch(story):
    number = story.raised("s1", kind=FindingKind.RECORD, replayed=True, since=story.now - 10**9).opened[0]
    case = story.case(number)
    assert (case.state, case.open, case.next_due) == (State.RECORDED, False, None)
    assert story.acts(number) == ["record"]
    with story.store.reading() as books:
        alarm, _ = books.alarm("smoke:s1#1")
        assert books.alarms().total == 0
    assert (alarm.record, alarm.replayed, alarm.open) == (True, True, False)
    story.later(minutes=5)
    again = story.raised("s2", kind=FindingKind.RECORD, replayed=True)
    assert (again.opened, story.case(number).findings) == ((), 2)


def test_a_real_alarm_after_a_record_is_a_case_of_its_own(story):
    record = story.raised("s1", kind=FindingKind.RECORD).opened[0]
    real = story.raised("s2").opened[0]
    assert story.case(real).state is State.DISPATCHED
    assert story.case(real).related == record


def test_a_record_during_an_open_case_is_evidence_of_that_case(story):
    number = story.raised("s1").opened[0]
    assert story.raised("s2", kind=FindingKind.RECORD).opened == ()
    assert story.case(number).findings == 2


def test_a_deleted_device_ends_the_alarm_and_the_case_keeps_its_snapshot_and_needs_verification(story):
    number = story.raised("s1").opened[0]
    story.act(number, Act.ACCEPT, "g3")
    gone = story.site.__class__.of(
        name="x",
        people=story.site.people.values(),
        categories=[category for category in story.site.categories.values() if category.id != "fire"],
    )
    story.desk.set_site(gone, [])
    story.report(story.finding("s1", FindingKind.ENDED, reason="device_removed", evidence=()))
    with story.store.reading() as books:
        alarm, timeline = books.alarm("smoke:s1#1")
    assert (alarm.open, alarm.ended, alarm.condition) == (False, "device_removed", Condition.NORMAL)
    assert [line.kind for line in timeline] == [FindingKind.RAISED, FindingKind.ENDED]
    case = story.case(number)
    assert (case.state, case.standing, case.device_name) == (State.IN_PROGRESS, (), "烟感一")
    assert story.acts(number)[-1] == "alarm"
    story.act(number, Act.FEEDBACK, "g3", evidence=(Proof(EvidenceKind.PHOTO, "a.jpg"),))
    with pytest.raises(Refused, match="not possible now"):
        story.act(number, Act.SKIP_CALLBACK, "c1", reason="gone")
    story.act(number, Act.VERIFY, "v1")
    assert story.act(number, Act.APPROVE, "v1", standard_met=True).state is State.CLOSED_PENDING_CALLBACK


def test_five_hundred_detectors_of_one_building_are_one_case_with_all_their_evidence(story):
    numbers: set[str] = set()
    labels = story.finding("s1").labels
    for second in range(50):
        findings = [
            story.finding(f"x{second}-{one}", labels={**labels, "device": f"x{second}-{one}"})
            for one in range(10)
        ]
        if second == 25:
            findings.append(story.finding("s3"))
        numbers.update(story.report(*findings).opened)
        story.later(seconds=1)
    assert sorted(numbers) == ["BH-20261123-0001", "BH-20261123-0002"]
    case = story.case("BH-20261123-0001")
    assert (case.findings, case.alarms) == (500, 500)
    with story.store.reading() as books:
        assert books.case(case.id).evidence_total == 500
        assert len(books.history(case.id)) == 52
        assert books.alarms(AlarmFilter(case=case.id)).total == 500
        assert books.alarms().total == 501


def told(story, number) -> list[str]:
    """The system's sentences in a case's history, in order."""
    with story.store.reading() as books:
        return [str(line.entry.message) for line in books.history(number) if line.entry.message]


def test_the_history_says_what_became_of_an_alarm_and_the_case_keeps_the_worst_of_it(story):
    number = story.raised("s1", rule="warm", severity=Severity.MEDIUM).opened[0]
    for severity in (Severity.CRITICAL, Severity.MEDIUM):
        story.report(story.finding("s1", FindingKind.SEVERITY, rule="warm", severity=severity))
    story.report(story.finding("s1", FindingKind.CLEARED, rule="warm", severity=Severity.MEDIUM))
    story.raised("s1", rule="warm", severity=Severity.MEDIUM, occurrence=2)
    assert told(story, number)[2:] == [
        "Severity rose from medium to critical: warm:s1",
        "Severity fell from critical to medium: warm:s1",
        "Alarm over: warm:s1",
        "Raised again: warm:s1",
    ]
    case = story.case(number)
    assert (case.worst, case.findings, case.alarms) == (Severity.CRITICAL, 4, 2)


def test_an_alarm_held_back_again_and_released_says_so(story):
    number = story.raised("s1").opened[0]
    story.report(story.finding("s1", FindingKind.SUPPRESSED, suppressed_by="edge-offline:e1"))
    story.report(story.finding("s1", FindingKind.RELEASED))
    assert told(story, number)[-1] == "No longer held back by another alarm: smoke:s1"


def test_many_alarms_that_join_at_once_are_one_line_that_counts_them(story):
    number = story.raised("s1").opened[0]
    labels = story.finding("s1").labels
    story.report(*(story.finding(f"x{one}", labels={**labels, "device": f"x{one}"}) for one in range(8)))
    joined = "8 more alarms joined: smoke:x0, smoke:x1, smoke:x2, smoke:x3, smoke:x4 … (+3)"
    assert told(story, number)[-1] == joined


# ---------------------------------------------------------------- it burns again and nobody is there


def to_feedback(story, number) -> None:
    story.act(number, Act.ACCEPT, "g3")
    story.act(number, Act.FEEDBACK, "g3", note="done", evidence=(Proof(EvidenceKind.PHOTO, "a.jpg"),))


def to_verify(story, number) -> None:
    to_feedback(story, number)
    story.act(number, Act.VERIFY, "v1")


def to_deferral(story, number) -> None:
    story.quiet("s1")
    review = story.now + 30 * 86_400 * 10**9
    story.act(number, Act.DEFER, "c1", reason="spare part", review=review)


def to_callback(story, number) -> None:
    story.act(number, Act.ACCEPT, "g3")
    story.quiet("s1")
    story.act(number, Act.FEEDBACK, "g3", note="done", evidence=(Proof(EvidenceKind.PHOTO, "a.jpg"),))
    story.act(number, Act.VERIFY, "v1")
    story.act(number, Act.APPROVE, "v1", standard_met=True)


def to_return(story, number) -> None:
    story.act(number, Act.RETURN, "d1", reason="not ours")


AWAY = {
    State.FEEDBACK: to_feedback,
    State.VERIFY: to_verify,
    State.DEFERRED: to_deferral,
    State.CLOSED_PENDING_CALLBACK: to_callback,
    State.RETURNED: to_return,
}


@pytest.mark.parametrize("state", AWAY)
@pytest.mark.parametrize("kind", [FindingKind.PREALARM, FindingKind.RAISED])
@pytest.mark.parametrize(("device", "occurrence"), [("s2", 1), ("s1", 2)])
def test_a_new_fire_is_dispatched_although_the_case_had_left_everybodys_hands(
    story, state, kind, device, occurrence
):
    number = story.raised("s1").opened[0]
    AWAY[state](story, number)
    assert story.case(number).state is state
    story.later(minutes=5)
    changes = story.report(story.finding(device, kind, occurrence=occurrence))
    case = story.case(number)
    assert (changes.opened, changes.cases) == ((), (number,))
    assert (case.state, case.officer, case.holder, case.level) == (State.DISPATCHED, "g3", "g3", 3)
    assert case.units == ("fire-team",)
    assert (case.accepted, case.accept_by) == (None, story.now + 180 * 10**9)
    assert case.clock.running
    assert (case.proofs, case.verifier, case.standard_met_by) == ((), "", "")
    assert {timer.name for timer in case.timers} <= {"accept", "limit", "milestone:arrived"}
    assert "grid and department in parallel" in told(story, number)[-1 if case.reopened == 0 else -2]
    story.later(minutes=3)
    story.tick()
    assert (story.case(number).officer, story.case(number).escalations) == ("g2", 1)


def test_a_fire_that_gets_worse_or_is_confirmed_calls_people_back(story):
    number = story.raised("s1", rule="warm", severity=Severity.MEDIUM).opened[0]
    to_verify(story, number)
    story.report(story.finding("s1", FindingKind.SEVERITY, rule="warm", severity=Severity.LOW))
    assert story.case(number).state is State.VERIFY
    story.report(story.finding("s1", FindingKind.SEVERITY, rule="warm", severity=Severity.CRITICAL))
    assert story.case(number).state is State.DISPATCHED


@pytest.mark.parametrize(
    "finding",
    [
        {"kind": FindingKind.RECORD},
        {"kind": FindingKind.RAISED, "suppressed_by": "edge-offline:e1"},
        {"kind": FindingKind.RAISED, "no_data": True},
        {"kind": FindingKind.CLEARED, "device": "s1"},
    ],
)
def test_what_calls_nobody_leaves_the_case_where_it_is(story, finding):
    number = story.raised("s1").opened[0]
    to_verify(story, number)
    story.report(story.finding(**{"device": "s2", **finding}))
    assert story.case(number).state is State.VERIFY
    assert story.case(number).holder == "v1"


def test_what_may_wait_stays_with_the_verifier(story):
    number = story.raised("s1", rule="damp").opened[0]
    story.act(number, Act.ACCEPT, "g3")
    story.act(number, Act.FEEDBACK, "g3", note="dry again")
    story.raised("s1", rule="damp", occurrence=2)
    case = story.case(number)
    assert (case.state, case.findings) == (State.FEEDBACK, 2)


def test_a_fire_does_not_join_a_case_that_was_filed_anew_as_something_that_may_wait(story):
    first = story.raised("s1").opened[0]
    story.act(first, Act.RETURN, "d1", reason="a candle")
    story.act(first, Act.ACCEPT_RETURN, "c1")
    with story.store.transaction() as tx:
        upkeep = opening.terms_of(story.site.categories["upkeep"])
        tx.put_cases([(replace(tx.case(first), terms=upkeep, category="upkeep"), [])])
    story.later(minutes=5)
    (second,) = story.raised("s2").opened
    case = story.case(second)
    assert (case.state, case.related) == (State.DISPATCHED, first)


def test_whoever_handled_it_before_the_new_fire_may_still_not_verify(story):
    number = story.raised("s1").opened[0]
    to_verify(story, number)
    story.raised("s2")
    story.act(number, Act.ACCEPT, "d1")
    story.quiet("s1", "s2")
    with pytest.raises(Refused, match="Evidence is missing"):
        story.act(number, Act.FEEDBACK, "d1", note="done")
    story.act(number, Act.FEEDBACK, "d1", evidence=(Proof(EvidenceKind.PHOTO, "b.jpg"),))
    with pytest.raises(Refused, match="g3 handled this case"):
        story.act(number, Act.VERIFY, "c1", verifier="g3")


def test_a_case_cannot_be_approved_while_a_linked_alarm_is_active_or_latched(story):
    number = story.raised("s1").opened[0]
    story.act(number, Act.ACCEPT, "g3")
    story.act(number, Act.FEEDBACK, "g3", evidence=(Proof(EvidenceKind.PHOTO, "a.jpg"),))
    story.act(number, Act.VERIFY, "v1")
    with pytest.raises(Refused, match=r"smoke:s1#1 is still active"):
        story.act(number, Act.APPROVE, "v1", standard_met=True)
    story.report(story.finding("s1", FindingKind.LATCHED))
    with pytest.raises(Refused, match=r"still latched"):
        story.act(number, Act.APPROVE, "v1", standard_met=True)
    story.report(story.finding("s1", FindingKind.RESET, actor="so"))
    assert story.act(number, Act.APPROVE, "v1", standard_met=True).state is State.CLOSED_PENDING_CALLBACK


def test_the_same_thing_within_seven_days_reopens_the_case_and_dispatches_it_again(story):
    number = story.raised("s1").opened[0]
    assert story.closed(number, "s1").state is State.CLOSED
    story.later(days=6)
    changes = story.raised("s2")
    case = story.case(number)
    assert (changes.opened, changes.cases) == ((), (number,))
    assert (case.state, case.reopened, case.accepted) == (State.DISPATCHED, 1, None)
    assert case.clock.started == story.now
    assert story.acts(number)[-3:] == ["reopen", "dispatch", "fold"]


def test_after_seven_days_it_is_a_new_case(story):
    number = story.raised("s1").opened[0]
    story.closed(number, "s1")
    story.later(days=7, seconds=1)
    second = story.raised("s2").opened
    assert len(second) == 1
    assert story.case(second[0]).related == number


def test_a_duplicate_gives_its_alarms_and_its_earlier_clock_to_the_parent(story):
    first = story.raised("s1").opened[0]
    story.later(minutes=40)
    second = story.raised("s2").opened[0]
    due = story.case(first).clock.due
    child = story.act(first, Act.DUPLICATE, "c1", parent_id=second)
    parent = story.case(second)
    assert (child.state, child.parent) == (State.DUPLICATE, second)
    assert (parent.clock.due, parent.alarms, parent.findings) == (due, 2, 2)
    assert {standing.alarm for standing in parent.standing} == {"smoke:s1#1", "smoke:s2#1"}
    assert story.acts(second)[-1] == "adopt_duplicate"


def test_what_recurs_under_a_duplicate_goes_to_its_parent(story):
    first = story.raised("s1").opened[0]
    story.later(minutes=31)
    second = story.raised("s2").opened[0]
    story.act(second, Act.DUPLICATE, "c1", parent_id=first)
    story.later(minutes=5)
    changes = story.raised("s1", occurrence=2)
    assert changes.cases == (first,)


def test_companions_and_rules_without_a_case_open_none(story):
    assert story.raised("s1", no_data=True).cases == ()
    assert story.raised("s1", rule="quiet").cases == ()
    with story.store.reading() as books:
        assert books.alarms().total == 2


def test_an_inhibited_alarm_opens_its_case_when_it_is_released(story):
    assert story.raised("s1", suppressed_by="edge-offline:e1").opened == ()
    released = story.report(story.finding("s1", FindingKind.RELEASED))
    assert len(released.opened) == 1


def test_a_flapping_alarm_gets_its_case_all_the_same(story):
    assert len(story.raised("s1", suppressed_by="flapping").opened) == 1


def test_an_alarm_that_went_away_unseen_stays_listed_until_somebody_has_seen_it(story):
    story.raised("s1", rule="damp")
    story.report(story.finding("s1", FindingKind.CLEARED, rule="damp"))
    with story.store.reading() as books:
        assert books.alarms().total == 1
    story.report(
        story.finding("s1", FindingKind.ACKNOWLEDGED, rule="damp", condition=Condition.NORMAL, actor="so")
    )
    with story.store.reading() as books:
        assert books.alarms().total == 0
        alarm, _ = books.alarm("damp:s1#1")
    assert alarm.acknowledged_by == "so"


def test_a_worse_severity_wants_to_be_acknowledged_again(story):
    story.raised("s1", severity=Severity.MEDIUM)
    story.report(story.finding("s1", FindingKind.ACKNOWLEDGED, severity=Severity.MEDIUM, actor="so"))
    story.report(story.finding("s1", FindingKind.SEVERITY, severity=Severity.LOW))
    with story.store.reading() as books:
        assert books.alarm("smoke:s1#1")[0].acknowledged
    story.report(story.finding("s1", FindingKind.SEVERITY, severity=Severity.CRITICAL))
    with story.store.reading() as books:
        assert not books.alarm("smoke:s1#1")[0].acknowledged


def test_receivers_get_one_row_each_under_a_constant_id_and_none_without_receivers(story, rules):
    story.raised("s1")
    with story.store.reading() as books:
        assert books.deliveries() == []
    story.desk = Desk(
        story.site,
        rules,
        receivers=[
            Receiver("city"),
            Receiver("siren", kinds=("alarm.raised",), severities=frozenset({Severity.CRITICAL})),
            Receiver("elsewhere", grids=frozenset({"R2"})),
        ],
    )
    story.raised("s3")
    with story.store.reading() as books:
        rows = books.deliveries(DeliveryState.WAITING, due_by=story.now)
    assert [(row.receiver, row.kind) for row in rows] == [
        ("siren", "alarm.raised"),
        ("city", "case.raise"),
        ("city", "case.dispatch"),
    ]
    assert rows[1].id == "BH-20261123-0002:1:city"
    with story.store.transaction() as tx:
        tx.add_deliveries(rows)
    with story.store.reading() as books:
        assert len(books.deliveries()) == 3


def test_a_resident_reports_and_the_grid_takes_it(story):
    with story.store.transaction() as tx:
        report = Report(category="upkeep", place="hall", title="Lamp broken", resident="r-1", note="dark")
        case = story.desk.file(tx, report, story.who("c1"), story.now)
    assert (case.state, case.officer, case.resident) == (State.SELF_HANDLING, "g3", "r-1")
    assert str(case.title_in("en")) == "Lamp broken: Building 8, hall"
    with story.store.transaction() as tx, pytest.raises(Refused, match="no place"):
        story.desk.file(tx, Report(category="upkeep", place="nowhere"), story.who("c1"), story.now)


def test_a_proof_is_of_the_kind_that_is_wanted_and_for_nothing_else(story):
    number = story.raised("s1").opened[0]
    with pytest.raises(Refused, match="no proof `colour`"):
        story.act(number, Act.EVIDENCE, "g3", evidence=(Proof(EvidenceKind.NOTE, "x", "colour"),))
    case = story.act(number, Act.EVIDENCE, "g3", evidence=(Proof(EvidenceKind.NOTE, "IMG 7", "scene"),))
    assert case.proofs[0].kind is EvidenceKind.PHOTO


def test_what_people_have_shown_is_found_among_any_number_of_findings(story):
    number = story.raised("s1").opened[0]
    labels = story.finding("s1").labels
    story.report(*(story.finding(f"x{one}", labels={**labels, "device": f"x{one}"}) for one in range(300)))
    story.act(number, Act.EVIDENCE, "g3", evidence=(Proof(EvidenceKind.PHOTO, "IMG 7", "scene"),), note="hot")
    with story.store.reading() as books:
        file = books.case(number)
    assert [(piece.text, piece.want, piece.actor) for piece in file.proofs] == [
        ("IMG 7", "scene", "g3"),
        ("hot", "", "g3"),
    ]
    assert (len(file.evidence), file.evidence_total) == (200, 301)


def test_an_unknown_case_person_parent_or_category_is_named(story):
    number = story.raised("s1", rule="damp").opened[0]
    with pytest.raises(NoSuchCase, match="BH-1"):
        story.act("BH-1", Act.NOTE, "c1", note="x")
    with pytest.raises(Refused, match="no person `nobody`"):
        story.act(number, Act.HAND_OVER, "c1", officer="nobody", reason="x")
    with pytest.raises(Refused, match="no case BH-2"):
        story.act(number, Act.DUPLICATE, "c1", parent_id="BH-2")
    with pytest.raises(Refused, match="no category `x`"):
        story.act(number, Act.FILE, "c1", category="x")


def test_numbers_begin_anew_each_local_day(story):
    story.now = story.at("2026-11-23 23:59")
    assert story.raised("s1").opened == ("BH-20261123-0001",)
    story.now = story.at("2026-11-24 00:00")
    assert story.raised("s3").opened == ("BH-20261124-0001",)


def test_the_report_of_a_transaction_that_failed_can_be_made_again(story):
    findings = [story.finding("s1"), story.finding("s2")]

    def fail() -> None:
        with story.store.transaction() as tx:
            story.desk.report(findings, tx, story.now)
            raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    with story.store.reading() as books:
        assert (books.alarms().total, books.cases().total) == (0, 0)
    assert story.report(*findings).opened == ("BH-20261123-0001",)
