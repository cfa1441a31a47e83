"""Read-only questions: the alarm list, the cases, the counts on the overview.

Lists page by the last row's sort key (`Page.next`), never by an offset: a page stays right while rows
come in, and the thousandth costs what the first does.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    func,
    or_,
    select,
    union,
)

from cases.alarms import UNLISTED_RANK, Alarm
from cases.case import Case, Standing
from cases.deliveries import Delivery, DeliveryState
from cases.store import rows
from cases.store.conditions import (
    alarm_conditions,
    alarm_counts,
    alarm_cursor,
    case_conditions,
    case_counts,
    case_cursor,
    cursor_of,
)
from cases.store.schema import ALARM, CASES, DELIVERY, EVIDENCE, FINDING, HISTORY
from cases.store.shapes import (
    FINDING_EVIDENCE,
    AlarmFilter,
    CaseFile,
    CaseFilter,
    Changed,
    ChangedRows,
    EvidenceRow,
    FindingRow,
    HistoryRow,
    Page,
    Tally,
    Totals,
)
from rules.findings import Severity

OPEN_ALARMS: Final = AlarmFilter()
OPEN_CASES: Final = CaseFilter()
GRIDS: Final = ("grid1", "grid2", "grid3")


class Reading:
    """Queries on one snapshot. Made by `OperationsStore.reading`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # ------------------------------------------------------------------------------------ alarms

    def alarms(self, chosen: AlarmFilter = OPEN_ALARMS, after: str = "", limit: int = 100) -> Page[Alarm]:
        """Alarms: open ones first, worst first, newest first. `after` is the last page's `next`."""
        where = alarm_conditions(chosen)
        total = self._count(ALARM, where)
        wanted = select(ALARM).where(*where)
        if cursor := alarm_cursor(after):
            rank, raised, last = cursor
            c = ALARM.c
            wanted = wanted.where(
                or_(
                    c.rank > rank,
                    and_(c.rank == rank, c.raised < raised),
                    and_(c.rank == rank, c.raised == raised, c.id > last),
                )
            )
        wanted = wanted.order_by(ALARM.c.rank, ALARM.c.raised.desc(), ALARM.c.id).limit(limit + 1)
        found = [rows.alarm_of(row) for row in self._connection.execute(wanted).mappings()]
        more = found[limit - 1] if len(found) > limit else None
        return Page(found[:limit], total, cursor_of(more.rank, more.raised, more.id) if more else None)

    def alarm(self, number: str) -> tuple[Alarm, list[FindingRow]] | None:
        """One alarm with its timeline, oldest first; None when there is none of that id."""
        row = self._connection.execute(select(ALARM).where(ALARM.c.id == number)).mappings().first()
        if row is None:
            return None
        timeline = select(FINDING).where(FINDING.c.alarm_id == number).order_by(FINDING.c.seq)
        findings = [rows.finding_of(line) for line in self._connection.execute(timeline).mappings()]
        return rows.alarm_of(row), findings

    # ------------------------------------------------------------------------------------- cases

    def cases(
        self, chosen: CaseFilter = OPEN_CASES, now: int = 0, after: str = "", limit: int = 100
    ) -> Page[Case]:
        """Cases: most urgent first, then newest; without a `state` filter newest first.

        `now` decides what is overdue. Standing alarms are not filled in.
        """
        where = case_conditions(chosen, now)
        total = self._count(CASES, where)
        c = CASES.c
        ranked = chosen.state in ("open", "overdue")
        wanted = select(c.body, c.priority, c.opened, c.id).where(*where)
        if cursor := case_cursor(after):
            priority, opened, last = cursor
            later = or_(c.opened < opened, and_(c.opened == opened, c.id > last))
            wanted = wanted.where(
                or_(c.priority > priority, and_(c.priority == priority, later)) if ranked else later
            )
        order: Sequence[Any] = (c.opened.desc(), c.id)
        if ranked:
            order = (c.priority, *order)
        found = self._connection.execute(wanted.order_by(*order).limit(limit + 1)).all()
        more = found[limit - 1] if len(found) > limit else None
        return Page(
            [rows.case_of(row.body) for row in found[:limit]],
            total,
            cursor_of(more.priority, more.opened, more.id) if more is not None else None,
        )

    def case(self, number: str, evidence: int = 200, alarms: int = 200) -> CaseFile | None:
        """One case with its history, people's proofs, the first `evidence` findings, `alarms` alarms."""
        run = self._connection.execute
        body = run(select(CASES.c.body).where(CASES.c.id == number)).scalar()
        if body is None:
            return None
        linked = (
            select(ALARM)
            .where(ALARM.c.case_id == number)
            .order_by(ALARM.c.standing.desc(), ALARM.c.rank, ALARM.c.raised, ALARM.c.id)
            .limit(alarms)
        )
        found = [rows.alarm_of(row) for row in run(linked).mappings()]
        standing = tuple(Standing(alarm.id, alarm.condition) for alarm in found if alarm.standing)
        of_case = EVIDENCE.c.case_id == number
        found_by_rules = [of_case, EVIDENCE.c.kind == FINDING_EVIDENCE]
        pieces = select(EVIDENCE).where(*found_by_rules).order_by(EVIDENCE.c.seq).limit(evidence)
        shown = select(EVIDENCE).where(of_case, EVIDENCE.c.kind != FINDING_EVIDENCE).order_by(EVIDENCE.c.seq)
        return CaseFile(
            replace(rows.case_of(body), standing=standing),
            self.history(number),
            [rows.evidence_of(row) for row in run(pieces).mappings()],
            self._count(EVIDENCE, found_by_rules),
            [rows.evidence_of(row) for row in run(shown).mappings()],
            found,
        )

    def history(self, number: str) -> list[HistoryRow]:
        """A case's history, oldest first."""
        lines = select(HISTORY).where(HISTORY.c.case_id == number).order_by(HISTORY.c.number)
        return [rows.history_of(row) for row in self._connection.execute(lines).mappings()]

    def broken_history(self, number: str) -> int | None:
        """The first line of a case's history that does not follow from the ones before; None: all do.

        A line that is missing at the end counts too.
        """
        lines = select(HISTORY).where(HISTORY.c.case_id == number).order_by(HISTORY.c.number)
        expected, chain = 1, rows.GENESIS
        for row in self._connection.execute(lines).mappings():
            if (
                row["number"] != expected
                or row["prev_hash"] != chain
                or rows.chain_hash({**row}) != row["hash"]
            ):
                return expected
            expected, chain = expected + 1, row["hash"]
        kept = select(CASES.c.history_count, CASES.c.history_hash).where(CASES.c.id == number)
        end = self._connection.execute(kept).first()
        return expected if end is not None and (end[0], end[1]) != (expected - 1, chain) else None

    def evidence(self, number: str, after: int = 0, limit: int = 1000) -> list[EvidenceRow]:
        """A case's evidence, oldest first, without the first `after` pieces."""
        pieces = select(EVIDENCE).where(EVIDENCE.c.case_id == number).order_by(EVIDENCE.c.seq)
        chosen = pieces.offset(after).limit(limit)
        return [rows.evidence_of(row) for row in self._connection.execute(chosen).mappings()]

    # ------------------------------------------------------------------------------------ counts

    def tallies(self, now: int) -> dict[str, Tally]:
        """What is open, by grid of every level; calm grids are missing."""
        found: dict[str, Tally] = {}
        severities = list(Severity)
        for row in self._by_grid(ALARM, alarm_counts()):
            worst = severities[row.worst] if row.worst < UNLISTED_RANK else None
            for grid in {row.grid1, row.grid2, row.grid3} - {""}:
                tally = found.get(grid, Tally(grid))
                found[grid] = replace(
                    tally,
                    worst=min(filter(None, (tally.worst, worst)), key=_rank, default=None),
                    alarms=tally.alarms + row.alarms,
                    unacknowledged=tally.unacknowledged + row.unacknowledged,
                )
        for row in self._by_grid(CASES, case_counts(now)):
            for grid in {row.grid1, row.grid2, row.grid3} - {""}:
                tally = found.get(grid, Tally(grid))
                found[grid] = replace(
                    tally, cases=tally.cases + row.cases, overdue=tally.overdue + row.overdue
                )
        return found

    def totals(self, now: int) -> Totals:
        """What is open in the whole site."""
        run = self._connection.execute
        alarms = run(
            select(ALARM.c.severity, *alarm_counts()).where(ALARM.c.open.is_(True)).group_by(ALARM.c.severity)
        ).all()
        cases = run(select(*case_counts(now)).where(CASES.c.open.is_(True))).one()
        counted = {row.severity: row.alarms for row in alarms}
        return Totals(
            alarms={severity: counted.get(severity.value, 0) for severity in Severity},
            over={Severity(row.severity): int(row.over) for row in alarms if row.over},
            unacknowledged=sum(row.unacknowledged for row in alarms),
            cases=cases.cases,
            unaccepted=cases.unaccepted or 0,
            overdue=cases.overdue or 0,
        )

    def last_change(self) -> int:
        """The number of the last transaction that changed something."""
        newest = [self._connection.execute(select(func.max(t.c.change))).scalar() for t in (ALARM, CASES)]
        return max((number for number in newest if number is not None), default=0)

    def last_changes(self, limit: int = 50) -> list[Changed]:
        """What changed last, newest first."""
        found: list[Changed] = []
        for table in (ALARM, CASES):
            newest = select(table.c.change, table.c.id, table.c.changed).order_by(table.c.change.desc())
            found += _changed_rows(table, self._connection.execute(newest.limit(limit)).all())
        return sorted(found, key=lambda one: (-one.change, one.kind, one.id))[:limit]

    def changed_after(self, change: int, limit: int = 500) -> ChangedRows | None:
        """What changed in the next transactions after `change`, at most `limit`; None: nothing has."""
        run = self._connection.execute
        numbers = union(*(select(t.c.change).where(t.c.change > change) for t in (ALARM, CASES)))
        upto = max(run(numbers.order_by("change").limit(limit)).scalars(), default=None)
        if upto is None:
            return None
        alarms = select(ALARM).where(ALARM.c.change > change, ALARM.c.change <= upto)
        cases = select(CASES.c.body).where(CASES.c.change > change, CASES.c.change <= upto)
        return ChangedRows(
            upto,
            [rows.alarm_of(row) for row in run(alarms.order_by(ALARM.c.change)).mappings()],
            [rows.case_of(body) for body in run(cases.order_by(CASES.c.change)).scalars()],
        )

    # -------------------------------------------------------------------------------- deliveries

    def deliveries(
        self, state: DeliveryState | None = None, due_by: int | None = None, limit: int = 500
    ) -> list[Delivery]:
        """Messages in the outbox in the order they were made; with `due_by` those that are due."""
        wanted = select(DELIVERY).order_by(DELIVERY.c.number).limit(limit)
        if state is not None:
            wanted = wanted.where(DELIVERY.c.state == state.value)
        if due_by is not None:
            wanted = wanted.where(DELIVERY.c.due <= due_by)
        return [
            Delivery(
                id=row["id"],
                receiver=row["receiver"],
                kind=row["kind"],
                subject=row["subject"],
                payload=row["payload"],
                created=row["created"],
                due=row["due"],
                attempts=row["attempts"],
                state=DeliveryState(row["state"]),
                error=row["error"],
            )
            for row in self._connection.execute(wanted).mappings()
        ]

    # ------------------------------------------------------------------------------------ inside

    def _count(self, table: Table, where: Sequence[ColumnElement[bool]]) -> int:
        counted = select(func.count()).select_from(table).where(*where)
        return int(self._connection.execute(counted).scalar_one())

    def _by_grid(self, table: Table, counts: Sequence[Any]) -> Sequence[Any]:
        """The open rows' counts per grid path: one pass over one index for all three levels."""
        path = [table.c[grid] for grid in GRIDS]
        counted = select(*path, *counts).where(table.c.open.is_(True)).group_by(*path)
        return self._connection.execute(counted).all()


def _rank(severity: Severity) -> int:
    return severity.rank


def _changed_rows(table: Table, found: Sequence[Any]) -> list[Changed]:
    kind: Literal["alarm", "case"] = "alarm" if table is ALARM else "case"
    return [Changed(row.change, kind, row.id, row.changed) for row in found]
