"""Calendars in absolute time."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.calendars import Hours, NeverOpen, after
from registry.grids import DAYS, Calendar
from registry.spans import Length, length

HEFEI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Calendar(id="office", days="mon-fri", start="08:30", end="17:30", holidays="CN")
NIGHT = Calendar(id="night", start="22:00", end="06:00")
KINDERGARTEN = Calendar(id="closed", days="mon-fri", start="07:00", end="18:30", holidays="CN", outside=True)
SECOND = 10**9


def at(text: str, zone: ZoneInfo = HEFEI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND


def local(instant: int | None, zone: ZoneInfo = HEFEI) -> str:
    assert instant is not None
    return datetime.fromtimestamp(instant // SECOND, zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ("2026-09-21 08:29:59", False),
        ("2026-09-21 08:30", True),  # a Monday
        ("2026-09-21 17:29:59", True),
        ("2026-09-21 17:30", False),
        ("2026-09-19 10:00", False),  # Saturday
        ("2026-09-20 10:00", True),  # a Sunday worked for the National Day week
        ("2026-10-01 10:00", False),
        ("2026-10-10 10:00", True),  # a Saturday worked for it as well
        ("2026-02-14 10:00", True),  # a Saturday worked for Spring Festival
        ("2026-02-17 10:00", False),
        ("2027-01-01 10:00", False),
    ],
)
def test_office_hours_know_holidays_and_make_up_workdays(when: str, opened: bool) -> None:
    assert Hours(OFFICE, HEFEI).is_open(at(when)) is opened


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ("2026-03-02 21:59:59", False),
        ("2026-03-02 22:00", True),
        ("2026-03-03 00:00", True),
        ("2026-03-03 05:59:59", True),
        ("2026-03-03 06:00", False),
    ],
)
def test_overnight_hours_belong_to_the_day_they_begin_on(when: str, opened: bool) -> None:
    assert Hours(NIGHT, HEFEI).is_open(at(when)) is opened


def test_an_overnight_calendar_of_fridays_ends_on_saturday_morning() -> None:
    hours = Hours(Calendar(id="x", days="fri", start="22:00", end="06:00"), HEFEI)
    assert hours.is_open(at("2026-03-07 03:00"))
    assert not hours.is_open(at("2026-03-06 03:00"))


@pytest.mark.parametrize(
    ("when", "closed"),
    [
        ("2026-09-21 06:59", True),
        ("2026-09-21 07:00", False),
        ("2026-09-21 18:30", True),
        ("2026-09-19 12:00", True),
        ("2026-09-20 12:00", False),
        ("2026-10-05 12:00", True),
    ],
)
def test_outside_turns_opening_hours_into_the_time_of_being_closed(when: str, closed: bool) -> None:
    assert Hours(KINDERGARTEN, HEFEI).is_open(at(when)) is closed


def test_single_days_go_before_holidays() -> None:
    hours = Hours(OFFICE.model_copy(update={"open_on": ("2026-10-01",), "closed_on": ("2026-09-20",)}), HEFEI)
    assert hours.is_open(at("2026-10-01 10:00"))
    assert not hours.is_open(at("2026-09-20 10:00"))


def test_the_next_opening_skips_the_holiday_week() -> None:
    hours = Hours(OFFICE, HEFEI)
    assert local(hours.next_opening(at("2026-09-30 18:00"))) == "2026-10-08 08:30"
    assert hours.next_opening(at("2026-09-21 10:00")) == at("2026-09-21 10:00")
    assert hours.next_opening(at("2026-09-21 17:30")) == at("2026-09-22 08:30")


def test_the_next_change_is_no_change_at_midnight_of_whole_days() -> None:
    week = Hours(Calendar(id="w", days="mon-fri"), HEFEI)
    assert local(week.next_change(at("2026-03-02 10:00"))) == "2026-03-07 00:00"
    assert local(week.next_change(at("2026-03-07 10:00"))) == "2026-03-09 00:00"
    assert Hours(Calendar(id="always"), HEFEI).next_change(at("2026-03-07 10:00")) is None


def test_closed_time_changes_with_the_doors() -> None:
    hours = Hours(KINDERGARTEN, HEFEI)
    assert local(hours.next_change(at("2026-09-30 19:00"))) == "2026-10-08 07:00"
    assert local(hours.next_change(at("2026-10-08 07:00"))) == "2026-10-08 18:30"


@pytest.mark.parametrize(
    ("start", "text", "due"),
    [
        ("2026-09-21 10:00", "4h", "2026-09-21 14:00"),
        ("2026-09-21 16:30", "4h", "2026-09-22 11:30"),
        ("2026-09-21 10:00", "1d", "2026-09-22 10:00"),
        ("2026-09-18 20:00", "1d", "2026-09-21 08:30"),  # Friday night: begins on the worked Sunday
        ("2026-09-30 16:30", "2h", "2026-10-08 09:30"),
        ("2026-09-30 10:00", "3d", "2026-10-10 10:00"),  # 8 and 9 October, then the worked Saturday
        ("2026-09-21 10:00", "1d 9h", "2026-09-23 10:00"),
        ("2026-09-21 10:00", "7h 30m", "2026-09-21 17:30"),
    ],
)
def test_limits_count_open_hours_and_working_days(start: str, text: str, due: str) -> None:
    assert local(after(at(start), length(text), Hours(OFFICE, HEFEI))) == due


def test_limits_without_a_calendar_run_on_the_wall_clock() -> None:
    assert local(after(at("2026-09-30 23:00"), length("1d 2h"), None)) == "2026-10-02 01:00"


def test_a_calendar_that_never_opens_says_so_instead_of_searching_for_ever() -> None:
    never = Hours(Calendar(id="n", days="sat", open_on=()), HEFEI)
    never._weekdays = frozenset()
    assert never.next_opening(at("2026-01-01 00:00")) is None
    with pytest.raises(NeverOpen, match="too few open hours"):
        never.after(at("2026-01-01 00:00"), Length(0, 60))


def test_hours_follow_the_local_clock_through_daylight_saving() -> None:
    hours = Hours(NIGHT, BERLIN)
    spring = hours.open_time(at("2026-03-28 12:00", BERLIN), at("2026-03-29 12:00", BERLIN))
    autumn = hours.open_time(at("2026-10-24 12:00", BERLIN), at("2026-10-25 12:00", BERLIN))
    assert (spring // SECOND, autumn // SECOND) == (7 * 3600, 9 * 3600)
    early = Hours(Calendar(id="e", start="02:30", end="04:00"), BERLIN)  # 02:30 does not exist that day
    assert local(early.next_opening(at("2026-03-29 00:00", BERLIN)), BERLIN) == "2026-03-29 03:30"


calendars = st.builds(
    lambda days, start, end, outside: Calendar(
        id="c",
        days=",".join(sorted(days)),
        start=f"{start // 60:02}:{start % 60:02}",
        end=f"{end // 60:02}:{end % 60:02}",
        outside=outside,
    ),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 719),
    st.integers(720, 1439),
    st.booleans(),
) | st.just(NIGHT)
instants = st.integers(at("2026-01-01 00:00") // SECOND, at("2027-06-01 00:00") // SECOND).map(
    lambda seconds: seconds * SECOND
)


@given(calendars, instants, st.integers(1, 200_000), st.sampled_from([HEFEI, BERLIN]))
def test_a_limit_is_due_when_exactly_its_open_time_has_passed(
    calendar: Calendar, start: int, seconds: int, zone: ZoneInfo
) -> None:
    hours = Hours(calendar, zone)
    due = hours.after(start, Length(0, float(seconds)))
    assert hours.open_time(start, due) == seconds * SECOND
    assert due >= start + seconds * SECOND


@given(calendars, instants, st.integers(0, 20), st.integers(0, 100_000))
def test_a_later_start_is_never_due_earlier(calendar: Calendar, start: int, days: int, later: int) -> None:
    hours = Hours(calendar, HEFEI)
    span = Length(days, 600.0)
    assert hours.after(start, span) <= hours.after(start + later * SECOND, span)


@given(calendars, instants)
def test_open_and_closed_meet_at_the_next_change(calendar: Calendar, start: int) -> None:
    hours = Hours(calendar, HEFEI)
    change = hours.next_change(start)
    if change is not None:
        assert hours.is_open(change) is not hours.is_open(change - 1)
        assert hours.is_open(change - 1) is hours.is_open(start)
    opening = hours.next_opening(start)
    assert opening is not None
    assert hours.is_open(opening)
    assert hours.open_time(start, opening) == 0


@given(st.integers(0, 99), st.integers(1, 500_000))
def test_a_length_is_written_as_it_is_read(days: int, seconds: int) -> None:
    value = Length(days, float(seconds))
    assert length(str(value)) == value


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "0s", "1.5d", "-3h", "h", "3w"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        length(text)
