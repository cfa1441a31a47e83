"""Is it open? Calendars asked in absolute time: office hours, closed places, working limits.

Pure: the instant comes in (ns since 1970-01-01 UTC), nothing reads a clock. Public holidays and Chinese
make-up workdays come from the `holidays` package, which knows the State Council's notices; a year whose
notice is not out yet has the fixed holidays and no make-up days, and `Calendar.closed_on`/`open_on`
say what the package does not.

A calendar is a series of windows, at most one beginning per local day: from `start` to `end`, overnight
when `end` comes first. Local times that a daylight-saving jump leaves out move forward with the clock;
times that occur twice mean the first.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from registry.grids import Calendar, weekdays
from registry.spans import Length

SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * SECOND
_LONG_AGO: Final = -(2**63)
_FOREVER: Final = 2**63 - 1
_HORIZON: Final = 800
"""Days searched for the next window: two years and a little, more than any closed season."""

Window = tuple[int, int]
"""Open from the first to before the second instant, ns."""


class NeverOpen(ValueError):
    """The calendar has no open hours within two years: a limit on may never run out."""


class Hours:
    """One calendar in one time zone."""

    def __init__(self, calendar: Calendar, zone: ZoneInfo) -> None:
        self.calendar = calendar
        self._zone = zone
        self._weekdays = weekdays(calendar.days)
        self._start = _minutes(calendar.start)
        end = _minutes(calendar.end)
        self._end = end if end > self._start else end + 24 * 60
        self._closed_on = frozenset(map(date.fromisoformat, calendar.closed_on))
        self._open_on = frozenset(map(date.fromisoformat, calendar.open_on))
        self._windows: dict[date, Window | None] = {}

    def counts(self, day: date) -> bool:
        """Whether the hours hold on the local `day`: weekday, holidays and exceptions considered."""
        if day in self._open_on:
            return True
        if day in self._closed_on:
            return False
        if self.calendar.holidays:
            off, made_up = _public_days(self.calendar.holidays, day.year)
            if day in made_up:
                return True
            if day in off:
                return False
        return day.weekday() in self._weekdays

    def is_open(self, at: int) -> bool:
        """Whether `at` lies in the calendar's hours."""
        return self._inside(at) is not self.calendar.outside

    def next_opening(self, at: int) -> int | None:
        """The first open instant from `at` on (`at` itself when open); None within two years."""
        opens, _ = next(self._open_from(at), (None, None))
        return None if opens is None else max(opens, at)

    def next_change(self, at: int) -> int | None:
        """The first instant after `at` at which open turns to closed or back; None within two years."""
        until: int | None = None
        for opens, closes in self._open_from(at):
            if until is None and opens > at:
                return opens
            if until is not None and opens > until:
                return until
            until = closes  # whole days touch at midnight: nothing changes there
        return None

    def open_time(self, start: int, end: int) -> int:
        """Open nanoseconds between two instants; 0 when `end` is not after `start`."""
        total = 0
        for opens, closes in self._open_from(start):
            if opens >= end:
                break
            total += max(0, min(closes, end) - max(opens, start))
        return total

    def after(self, start: int, length: Length) -> int:
        """When `length` of this calendar's time has passed since `start`.

        Outside the hours the clock begins at the next opening. Days come first, each leading to the same
        distance into the next window; then the seconds, of open time. Raises `NeverOpen`.
        """
        windows = self._open_from(start)
        try:
            opens, closes = next(windows)
            at = max(opens, start)
            for _ in range(length.days):
                into = at - opens
                opens, closes = next(windows)
                at = min(opens + into, closes)
            left = round(length.seconds * SECOND)
            while at + left > closes:
                left -= closes - at
                at, closes = next(windows)
        except StopIteration:
            raise NeverOpen(f"calendar {self.calendar.id} has too few open hours to count {length}") from None
        return at + left

    def _inside(self, at: int) -> bool:
        day = self._local_day(at)
        for begins in (day, day - timedelta(days=1)):
            window = self._window(begins)
            if window is not None and window[0] <= at < window[1]:
                return True
        return False

    def _open_from(self, at: int) -> Iterator[Window]:
        """The open windows in order, beginning with the one that holds `at` or else the next."""
        windows = self._gaps(at) if self.calendar.outside else self._daily(at)
        return (window for window in windows if window[1] > at)

    def _daily(self, at: int) -> Iterator[Window]:
        day = self._local_day(at) - timedelta(days=1)
        for _ in range(_HORIZON):
            window = self._window(day)
            if window is not None:
                yield window
            day += timedelta(days=1)

    def _gaps(self, at: int) -> Iterator[Window]:
        closed_from = _LONG_AGO
        for opens, closes in self._daily(at - 7 * _DAY):
            if opens > closed_from:
                yield (closed_from, opens)
            closed_from = closes
        yield (closed_from, _FOREVER)

    def _window(self, day: date) -> Window | None:
        if day not in self._windows:
            if len(self._windows) > 4 * _HORIZON:
                self._windows.clear()
            bounds = (self._instant(day, self._start), self._instant(day, self._end))
            self._windows[day] = bounds if self.counts(day) and bounds[0] < bounds[1] else None
        return self._windows[day]

    def _instant(self, day: date, minutes: int) -> int:
        days, rest = divmod(minutes, 24 * 60)
        local = datetime(day.year, day.month, day.day, rest // 60, rest % 60, tzinfo=self._zone)
        return int((local + timedelta(days=days)).timestamp()) * SECOND

    def _local_day(self, at: int) -> date:
        return datetime.fromtimestamp(at // SECOND, UTC).astimezone(self._zone).date()


def after(start: int, length: Length, hours: Hours | None) -> int:
    """The instant (ns) when `length` has passed since `start`: on `hours`, or on the wall clock."""
    if hours is None:
        return start + round(length.wall_seconds * SECOND)
    return hours.after(start, length)


def known_countries() -> frozenset[str]:
    """The country codes whose public holidays are known."""
    import holidays

    return frozenset(holidays.list_supported_countries())


@lru_cache(maxsize=64)
def _public_days(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """The public holidays of `year` and the days off that are worked instead."""
    import holidays

    # A make-up workday in late December is in the next year's notice.
    known = holidays.country_holidays(country, years=range(year - 1, year + 2))
    off = frozenset(day for day in known if day.year == year)
    return off, frozenset(day for day in known.weekend_workdays if day.year == year)


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
