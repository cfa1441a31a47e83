"""The limit clock: how long a case may take, counted on the wall or in working hours.

A limit is kept as its deadline. Pausing turns what is left of it into open time; resuming turns that
back into a deadline. So holidays that a calendar learns about later count from the next start of the
clock, and a restart of the program changes nothing.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from registry.calendars import NeverOpen
from registry.spans import Length

SECOND: Final = 1_000_000_000


class Hours(Protocol):
    """The hours that count. Times are nanoseconds since 1970-01-01 UTC."""

    def after(self, start: int, length: Length) -> int:
        """When `length` of open time has passed since `start`; a day is one working day."""
        ...

    def open_time(self, start: int, end: int) -> int:
        """Open nanoseconds between two times; 0 when `end` is not later."""
        ...


class WallClock:
    """Every hour counts: urgent categories."""

    def after(self, start: int, length: Length) -> int:
        """`start` plus `length`."""
        return start + round(length.wall_seconds * SECOND)

    def open_time(self, start: int, end: int) -> int:
        """The plain difference."""
        return max(0, end - start)


WALL_CLOCK: Final = WallClock()


class Counted:
    """A calendar's hours, safe to count with: where it has none left, the wall clock goes on.

    A calendar that never opens again is a mistake in the site folder; a case must get a deadline all
    the same, and an alarm must never fail to become a case because of it.
    """

    def __init__(self, hours: Hours) -> None:
        self._hours = hours

    def after(self, start: int, length: Length) -> int:
        """As the calendar counts it, else on the wall clock."""
        try:
            return self._hours.after(start, length)
        except NeverOpen:
            return WALL_CLOCK.after(start, length)

    def open_time(self, start: int, end: int) -> int:
        """As the calendar counts it."""
        return self._hours.open_time(start, end)


class Milestone(msgspec.Struct, frozen=True, omit_defaults=True):
    """A point on the way with its own deadline; `left` is its open time while the clock is paused."""

    id: str
    due: int
    left: int = 0
    missed: bool = False
    reached: int | None = None


class Clock(msgspec.Struct, frozen=True, omit_defaults=True):
    """The limit of one case. `started` is None until somebody has to handle it.

    `due` is the deadline while the clock runs; while it is paused (`paused` is set) `left` is the open
    time that remains: negative when the limit had passed already.
    """

    started: int | None = None
    due: int | None = None
    paused: int | None = None
    left: int = 0
    pauses: int = 0
    extended: int = 0
    overdue: int | None = None
    """When the limit passed, if it has."""
    stopped: int | None = None
    milestones: tuple[Milestone, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the limit is being counted now."""
        return self.started is not None and self.paused is None and self.stopped is None


def start(now: int, limit: Length, milestones: Iterable[tuple[str, Length]], hours: Hours) -> Clock:
    """A clock that starts now."""
    marks = tuple(Milestone(name, hours.after(now, within)) for name, within in milestones)
    return Clock(started=now, due=hours.after(now, limit), milestones=marks)


def pause(clock: Clock, now: int, hours: Hours) -> Clock:
    """`clock` held; a clock that does not run is returned as it is."""
    if not clock.running or clock.due is None:
        return clock
    marks = tuple(
        msgspec.structs.replace(mark, left=_left(now, mark.due, hours)) for mark in clock.milestones
    )
    return msgspec.structs.replace(
        clock, paused=now, left=_left(now, clock.due, hours), pauses=clock.pauses + 1, milestones=marks
    )


def resume(clock: Clock, now: int, hours: Hours) -> Clock:
    """`clock` going on with what was left of its limit."""
    if clock.paused is None or clock.stopped is not None:
        return clock
    marks = tuple(
        msgspec.structs.replace(mark, due=_again(now, mark.due, mark.left, hours), left=0)
        for mark in clock.milestones
    )
    due = None if clock.due is None else _again(now, clock.due, clock.left, hours)
    return msgspec.structs.replace(clock, paused=None, left=0, due=due, milestones=marks)


def stop(clock: Clock, now: int) -> Clock:
    """`clock` at its end: nothing is counted or missed any more."""
    return msgspec.structs.replace(clock, stopped=now)


def extend(clock: Clock, now: int, by: Length, hours: Hours) -> Clock:
    """`clock` with a later limit; a limit that has passed is extended from now."""
    if clock.due is None:
        return clock
    due = hours.after(max(clock.due, now), by)
    return msgspec.structs.replace(clock, due=due, extended=clock.extended + 1, overdue=None)


def earliest(first: Clock, second: Clock) -> Clock:
    """The stricter of two clocks, for a case that takes in its duplicate: the earlier start and limit."""
    if second.started is None or second.due is None or first.stopped is not None:
        return first
    if first.started is None or first.due is None:
        return second if second.running else first
    if not first.running or not second.running:
        return msgspec.structs.replace(first, started=min(first.started, second.started))
    return msgspec.structs.replace(
        first, started=min(first.started, second.started), due=min(first.due, second.due)
    )


class Holding(msgspec.Struct, frozen=True):
    """One stretch in which somebody had the case: wall and open nanoseconds."""

    holder: str
    since: int
    until: int
    wall: int
    open: int


def holdings(marks: Iterable[tuple[int, str]], until: int, hours: Hours) -> list[Holding]:
    """Who held a case how long.

    `marks` are ``(time, holder from then on)`` in order, as the history has them; an empty holder is
    nobody. Stretches of the same holder that follow each other are one.
    """
    found: list[Holding] = []
    holder, since = "", 0
    for time, following in [*marks, (until, "")]:
        if following == holder:
            continue
        if holder and time > since:
            found.append(Holding(holder, since, time, time - since, hours.open_time(since, time)))
        holder, since = following, time
    return found


def _left(now: int, due: int, hours: Hours) -> int:
    return hours.open_time(now, due) if due >= now else -hours.open_time(due, now)


def _again(now: int, due: int, left: int, hours: Hours) -> int:
    if left <= 0:
        return due
    return hours.after(now, Length(0, left / SECOND))
