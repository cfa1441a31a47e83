"""When a rule holds: the current stretch of a calendar, remembered between readings.

`Hours` works out a calendar with time zones, holidays and daylight saving, which costs some microseconds;
readings come in order nearly always, so the last answer with its end is nearly always the next one.
"""

from zoneinfo import ZoneInfo

from registry.calendars import Hours
from registry.grids import Calendar

_FOREVER = 2**63 - 1
_FAR = 40 * 86_400 * 10**9
"""Hours that adjoin for so long are asked again then."""


class Openings:
    """Whether the hours hold at an instant, and when that changes. Times in ns since 1970-01-01 UTC."""

    def __init__(self, hours: Hours) -> None:
        self._hours = hours
        self._from = self._until = 0
        self._open = False

    @staticmethod
    def hours(calendar: Calendar, zone: str) -> Hours:
        """Hours of `calendar` in the time zone named `zone`."""
        return Hours(calendar, ZoneInfo(zone))

    def holds(self, at: int) -> bool:
        """Whether the rule holds at `at`."""
        if not self._from <= at < self._until:
            self._look_up(at)
        return self._open

    def next_change(self, at: int) -> int | None:
        """The first instant after `at` at which it begins or ceases to hold; None when never."""
        if not self._from <= at < self._until:
            self._look_up(at)
        return self._until if self._until < _FOREVER else None

    def _look_up(self, at: int) -> None:
        self._open = self._hours.is_open(at)
        change = self._hours.next_change(at)
        # Adjoining windows (whole days) are several windows, yet nothing changes between them.
        while (
            change is not None
            and self._hours.is_open(change) == self._open
            and change - at < 40 * 86_400 * 10**9
        ):
            change = self._hours.next_change(change)
        self._from, self._until = at, change if change is not None else _FOREVER
