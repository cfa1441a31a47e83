"""The limit clock over weekends, holidays, make-up workdays and pauses."""

import pytest

from cases import sla
from cases.states import Act, State
from registry.calendars import Hours
from registry.grids import Calendar
from registry.spans import Length

HOUR = 3600 * 10**9


@pytest.fixture
def office(site):
    """Monday to Friday, 09:00 to 17:00, without Chinese public holidays, with make-up workdays."""
    return sla.Counted(site.hours["office"])


@pytest.mark.parametrize(
    ("start", "length", "due"),
    [
        ("2026-11-23 10:00", Length(0, 4 * 3600.0), "2026-11-23 14:00"),
        ("2026-11-23 16:00", Length(0, 4 * 3600.0), "2026-11-24 12:00"),
        ("2026-11-27 16:00", Length(0, 4 * 3600.0), "2026-11-30 12:00"),
        ("2026-11-28 03:00", Length(0, 3600.0), "2026-11-30 10:00"),
        ("2026-11-27 16:00", Length(3), "2026-12-02 16:00"),
        # National Day 2026: 1 to 7 October off, Saturday 10 October is worked
        ("2026-09-30 16:00", Length(0, 4 * 3600.0), "2026-10-08 12:00"),
        ("2026-10-09 16:00", Length(0, 4 * 3600.0), "2026-10-10 12:00"),
        ("2026-10-09 16:00", Length(2), "2026-10-12 16:00"),
    ],
)
def test_a_limit_counts_working_hours_only(story, office, start, length, due):
    assert office.after(story.at(start), length) == story.at(due)


def test_an_urgent_limit_runs_through_night_and_holiday(story):
    clock = sla.start(story.at("2026-10-01 23:30"), Length(0, 7200.0), (), sla.WALL_CLOCK)
    assert clock.due == story.at("2026-10-02 01:30")


def test_a_pause_over_the_weekend_costs_and_gives_nothing(story, office):
    clock = sla.start(story.at("2026-11-27 10:00"), Length(0, 8 * 3600.0), (), office)
    paused = sla.pause(clock, story.at("2026-11-27 15:00"), office)
    assert not paused.running
    assert paused.left == 3 * HOUR
    resumed = sla.resume(paused, story.at("2026-12-01 13:00"), office)
    assert resumed.due == story.at("2026-12-01 16:00")
    assert resumed.pauses == 1


def test_a_limit_that_had_passed_before_the_pause_stays_passed(story):
    clock = sla.start(0, Length(0, 3600.0), (), sla.WALL_CLOCK)
    paused = sla.pause(clock, 2 * HOUR, sla.WALL_CLOCK)
    assert paused.left == -HOUR
    assert sla.resume(paused, 9 * HOUR, sla.WALL_CLOCK).due == HOUR


def test_a_clock_that_stands_is_not_paused_again_and_a_stopped_one_not_resumed():
    clock = sla.start(0, Length(0, 3600.0), (), sla.WALL_CLOCK)
    paused = sla.pause(clock, 10, sla.WALL_CLOCK)
    assert sla.pause(paused, 20, sla.WALL_CLOCK) is paused
    assert sla.pause(sla.Clock(), 20, sla.WALL_CLOCK) == sla.Clock()
    stopped = sla.stop(paused, 30)
    assert sla.resume(stopped, 40, sla.WALL_CLOCK) is stopped
    assert sla.extend(sla.Clock(), 0, Length(1), sla.WALL_CLOCK) == sla.Clock()


def test_milestones_pause_with_the_limit():
    clock = sla.start(0, Length(0, 7200.0), (("arrived", Length(0, 600.0)),), sla.WALL_CLOCK)
    paused = sla.pause(clock, 5 * 60 * 10**9, sla.WALL_CLOCK)
    resumed = sla.resume(paused, HOUR, sla.WALL_CLOCK)
    assert resumed.milestones[0].due == HOUR + 5 * 60 * 10**9


def test_the_earlier_of_two_clocks_holds():
    one = sla.start(100, Length(0, 50.0), (), sla.WALL_CLOCK)
    two = sla.start(50, Length(0, 70.0), (), sla.WALL_CLOCK)
    assert sla.earliest(one, two) == sla.Clock(started=50, due=one.due)
    assert sla.earliest(sla.Clock(), two) is two
    assert sla.earliest(one, sla.Clock()) is one
    paused = sla.pause(two, 60, sla.WALL_CLOCK)
    assert sla.earliest(one, paused) == sla.Clock(started=50, due=one.due)


def test_a_calendar_that_never_opens_again_counts_as_the_wall_clock(site):
    never = Calendar(id="never", days="mon", start="09:00", end="10:00")
    hours = sla.Counted(Hours(never, site.zone))
    assert hours.after(0, Length(2000)) == 2000 * 24 * HOUR


def test_who_held_a_case_how_long_is_told_in_wall_and_working_time(story, office):
    friday, monday = story.at("2026-11-27 16:00"), story.at("2026-11-30 10:00")
    marks = [(friday, "g3"), (friday + HOUR // 2, "g3"), (monday, "centre"), (monday + HOUR, "")]
    found = sla.holdings(marks, monday + 5 * HOUR, office)
    assert [(one.holder, one.wall, one.open) for one in found] == [
        ("g3", monday - friday, 2 * HOUR),
        ("centre", HOUR, HOUR),
    ]


def test_a_case_of_friday_climbs_the_levels_only_in_working_hours_and_is_overdue_after_the_holiday(story):
    story.now = story.at("2026-09-30 15:00")
    number = story.raised("s1", rule="damp").opened[0]
    assert story.case(number).accept_by == story.at("2026-10-08 11:00")
    for moment in ("2026-10-01 09:00", "2026-10-04 12:00", "2026-10-08 10:59"):
        story.now = story.at(moment)
        assert story.tick().cases == ()
    levels = []
    for moment in ("2026-10-08 11:00", "2026-10-08 15:00", "2026-10-09 11:00"):
        story.now = story.at(moment)
        assert story.tick().cases == (number,)
        levels.append((story.case(number).level, story.case(number).holder))
    assert levels == [(2, "g2"), (1, "g1"), (0, "centre")]
    assert story.case(number).state is State.REPORTED
    story.act(number, Act.FILE, "c1")
    story.act(number, Act.DISPATCH, "c1", units=("city",))
    story.act(number, Act.ACCEPT, "d2")
    # dispatched on Friday 9 October at 11:00: Saturday the 10th is worked, Sunday is not; three days
    assert story.case(number).clock.due == story.at("2026-10-13 11:00")
    story.now = story.at("2026-10-13 11:00")
    story.tick()
    assert story.case(number).overdue_at(story.now)
    assert story.acts(number)[-1] == "overdue"


def test_deadlines_missed_while_nothing_ran_are_handled_one_level_at_a_time(story):
    number = story.raised("s1", rule="damp").opened[0]
    story.later(days=5)
    story.tick()
    assert story.case(number).level == 2
    assert story.case(number).accept_by > story.now
