"""How long alarms, cases and messages are kept, and how old ones go.

Only what is over goes, the oldest first: messages that were delivered or given up, alarms that belong to no
case, and closed cases with their history, evidence and alarms. Nothing that is open ever goes, however little
room there is. Of a removed case one line remains (`removed_case`): its number, its times and the last hash of
its history, so that a copy of it can still be proved to be whole.

Everything goes in steps of some dozen rows, so that nobody who writes waits long.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select

from cases.deliveries import DeliveryState
from cases.store.operations import OperationsStore
from cases.store.schema import ALARM, CASES, DELIVERY, EVIDENCE, FINDING, HISTORY, REMOVED_CASE

DAY: Final = 86_400 * 1_000_000_000
_ALARMS: Final = 200
_CASES: Final = 20
_DELIVERIES: Final = 500
_EVER: Final = 2**63 - 1


@dataclass(frozen=True)
class Keeping:
    """How long what is over is kept, in nanoseconds, and how large the database may become, in bytes."""

    cases_for: int = 1826 * DAY
    alarms_for: int = 366 * DAY
    """Alarms that belong to no case."""
    deliveries_for: int = 30 * DAY
    bytes: int = 4 << 30
    """When more is in use, the oldest go early. SQLite only: PostgreSQL is looked after by its own people."""


@dataclass(frozen=True)
class Removed:
    """What one step has removed."""

    deliveries: int = 0
    alarms: int = 0
    cases: int = 0

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.alarms or self.cases)

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            self.deliveries + other.deliveries, self.alarms + other.alarms, self.cases + other.cases
        )


def remove_some(store: OperationsStore, keeping: Keeping, now: int) -> Removed:
    """Remove a few of those that are too old or too much; nothing when there are none (any more).

    Raises `cases.store.StoreUnavailable`; nothing was removed then.
    """
    with store.connection() as connection:
        aged = _remove(
            connection, now - keeping.deliveries_for, now - keeping.alarms_for, now - keeping.cases_for, now
        )
        if aged or store.used_bytes(connection) <= keeping.bytes:
            return aged
        # by what people miss least
        for limits in ((_EVER, 0, 0), (0, _EVER, 0), (0, 0, _EVER)):
            if removed := _remove(connection, *limits, now):
                return removed
    return Removed()


def _remove(connection: Connection, deliveries: int, alarms: int, cases: int, now: int) -> Removed:
    """Remove a few of what was over before these times."""
    return Removed(
        _remove_deliveries(connection, deliveries),
        _remove_alarms(connection, alarms),
        _remove_cases(connection, cases, now),
    )


def _remove_deliveries(connection: Connection, before: int) -> int:
    over = DELIVERY.c.state.in_((DeliveryState.DELIVERED.value, DeliveryState.FAILED.value))
    old = (
        select(DELIVERY.c.id)
        .where(over, DELIVERY.c.created < before)
        .order_by(DELIVERY.c.created)
        .limit(_DELIVERIES)
    )
    ids = [*connection.execute(old).scalars()]
    connection.execute(delete(DELIVERY).where(DELIVERY.c.id.in_(ids)))
    return len(ids)


def _remove_alarms(connection: Connection, before: int) -> int:
    alone = ~exists().where(CASES.c.id == ALARM.c.case_id)
    over = and_(ALARM.c.open.is_(False), ALARM.c.standing.is_(False))
    old = (
        select(ALARM.c.id)
        .where(over, ALARM.c.changed < before, alone)
        .order_by(ALARM.c.changed)
        .limit(_ALARMS)
    )
    return _delete_alarms(connection, ALARM.c.id.in_([*connection.execute(old).scalars()]))


def _remove_cases(connection: Connection, before: int, now: int) -> int:
    """A case with an alarm that is still open stays."""
    waits = exists().where(ALARM.c.case_id == CASES.c.id, ALARM.c.open.is_(True))
    columns = (CASES.c.id, CASES.c.opened, CASES.c.closed, CASES.c.history_count, CASES.c.history_hash)
    old = (
        select(*columns)
        .where(CASES.c.open.is_(False), CASES.c.closed < before, ~waits)
        .order_by(CASES.c.closed)
        .limit(_CASES)
    )
    rows = [{**row, "removed": now} for row in connection.execute(old).mappings()]
    if not rows:
        return 0
    numbers = [row["id"] for row in rows]
    connection.execute(insert(REMOVED_CASE), rows)
    connection.execute(delete(HISTORY).where(HISTORY.c.case_id.in_(numbers)))
    connection.execute(delete(EVIDENCE).where(EVIDENCE.c.case_id.in_(numbers)))
    connection.execute(delete(CASES).where(CASES.c.id.in_(numbers)))
    _delete_alarms(connection, ALARM.c.case_id.in_(numbers))
    return len(numbers)


def _delete_alarms(connection: Connection, which: ColumnElement[bool]) -> int:
    ids = [*connection.execute(select(ALARM.c.id).where(which)).scalars()]
    connection.execute(delete(FINDING).where(FINDING.c.alarm_id.in_(ids)))
    connection.execute(delete(ALARM).where(ALARM.c.id.in_(ids)))
    return len(ids)
