"""Filters, counts and page marks as SQL expressions that SQLite and PostgreSQL both understand."""

import base64
import binascii
from typing import Annotated, Any, Final, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Table, case, func, or_

from cases.alarms import FIRING
from cases.store.schema import ALARM, CASES
from cases.store.shapes import AlarmFilter, CaseFilter

Key = TypeVar("Key")

_WILD: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


_Stored = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A number that a database column can hold."""


class BadCursor(ValueError):
    """An `after` that no page of this list gave out."""


def alarm_conditions(chosen: AlarmFilter) -> list[ColumnElement[bool]]:
    """What an alarm must be to be found."""
    c = ALARM.c
    where: list[ColumnElement[bool]] = []
    if chosen.state != "all":
        where.append(c.open.is_(chosen.state == "open"))
    if chosen.acknowledged is not None:
        where.append(c.acknowledged.is_(chosen.acknowledged))
    if chosen.severities:
        where.append(c.severity.in_([severity.value for severity in chosen.severities]))
    if chosen.grid:
        where.append(_in_grid(ALARM, chosen.grid))
    where += [
        column == value
        for column, value in (
            (c.place, chosen.place),
            (c.device, chosen.device),
            (c.rule, chosen.rule),
            (c.case_id, chosen.case),
        )
        if value
    ]
    if chosen.since is not None:
        where.append(c.raised >= chosen.since)
    return where


def case_conditions(chosen: CaseFilter, now: int) -> list[ColumnElement[bool]]:
    """What a case must be to be found; overdue as of `now`."""
    c = CASES.c
    where: list[ColumnElement[bool]] = []
    if chosen.state == "overdue":
        where += [c.open.is_(True), c.late_from <= now]
    elif chosen.state != "all":
        where.append(c.open.is_(chosen.state == "open"))
    where += [
        column == value
        for column, value in (
            (c.category, chosen.category),
            (c.priority, chosen.priority),
            (c.place, chosen.place),
            (c.officer, chosen.officer),
            (c.holder, chosen.holder),
        )
        if value
    ]
    if chosen.grid:
        where.append(_in_grid(CASES, chosen.grid))
    where += [
        c.search.like(f"%{word.translate(_WILD)}%", escape="\\") for word in chosen.text.lower().split()
    ]
    return where


def alarm_counts() -> tuple[ColumnElement[Any], ...]:
    """worst (a rank), alarms, unacknowledged, over (those whose condition has gone)."""
    return (
        func.min(ALARM.c.rank).label("worst"),
        func.count().label("alarms"),
        _summed(ALARM.c.acknowledged.is_(False)).label("unacknowledged"),
        _summed(ALARM.c.condition.not_in([condition.value for condition in FIRING])).label("over"),
    )


def case_counts(now: int) -> tuple[ColumnElement[Any], ...]:
    """cases, unaccepted, overdue as of `now`."""
    return (
        func.count().label("cases"),
        _summed(CASES.c.accepted.is_(False)).label("unaccepted"),
        _summed(CASES.c.late_from <= now).label("overdue"),
    )


def cursor_of(*key: str | int) -> str:
    """The sort key of a page's last row, as one opaque word."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def alarm_cursor(after: str) -> tuple[int, int, str] | None:
    """The sort key (rank, raised, id) in `after`; None for an empty one. Raises `BadCursor`."""
    return _cursor(after, tuple[_Stored, _Stored, str])


def case_cursor(after: str) -> tuple[str, int, str] | None:
    """The sort key (priority, opened, id) in `after`; None for an empty one. Raises `BadCursor`."""
    return _cursor(after, tuple[str, _Stored, str])


def _cursor(after: str, shape: type[Key]) -> Key | None:
    if not after:
        return None
    try:
        raw = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))
        return msgspec.json.decode(raw, type=shape)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadCursor(after) from error


def _in_grid(table: Table, grid: str) -> ColumnElement[bool]:
    return or_(table.c.grid1 == grid, table.c.grid2 == grid, table.c.grid3 == grid)


def _summed(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
