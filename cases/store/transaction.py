"""One batch's worth of changes: everything inside commits together or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cases.alarms import Alarm
from cases.case import Case, Entry, Standing
from cases.deliveries import Delivery
from cases.store import rows
from cases.store.schema import (
    ALARM,
    CASES,
    COUNTER,
    DELIVERY,
    ENGINE_DONE,
    ENGINE_INSTANCE,
    ENGINE_MARKS,
    ENGINE_POSITION,
    EVIDENCE,
    FINDING,
    HISTORY,
)
from cases.store.shapes import Done, EngineRecord, EvidenceRow
from rules.findings import Condition, Finding

_CHUNK: Final = 500
"""Values in one IN list: below every database's limit."""

RESTORED: Final = "restored"
"""The counter of how often the database was put back from a backup."""

_Key = TypeVar("_Key")


class Transaction:
    """Typed access inside one database transaction. Made by `OperationsStore.transaction`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._change: int | None = None
        self._told = 0

    # ------------------------------------------------------------------------------- rule engine

    def load_engine(self, partition: int = 0) -> EngineRecord:
        """The engine's state, positions and batches done; empty at the first start."""
        run = self._connection.execute
        instances = run(
            select(ENGINE_INSTANCE.c.key, ENGINE_INSTANCE.c.body).where(
                ENGINE_INSTANCE.c.partition == partition
            )
        )
        marks = run(select(ENGINE_MARKS.c.marks).where(ENGINE_MARKS.c.partition == partition)).scalar()
        positions = run(
            select(ENGINE_POSITION.c.stream, ENGINE_POSITION.c.seq).where(
                ENGINE_POSITION.c.partition == partition
            )
        )
        done = run(
            select(ENGINE_DONE.c.edge, ENGINE_DONE.c.lane, ENGINE_DONE.c.ranges).where(
                ENGINE_DONE.c.partition == partition
            )
        )
        return EngineRecord(
            {key: bytes(body) for key, body in instances},
            bytes(marks or b""),
            {stream: seq for stream, seq in positions},  # noqa: C416 - rows are no pairs to the type checker
            {
                (edge, lane): Done(msgspec.json.decode(ranges, type=tuple[tuple[int, int], ...]))
                for edge, lane, ranges in done
            },
        )

    def save_engine(
        self,
        partition: int,
        changed: Mapping[str, bytes | None] | Iterable[tuple[str, bytes | None]],
        marks: bytes,
        positions: Mapping[str, int],
        done: Mapping[tuple[str, str], Done] | None = None,
    ) -> None:
        """Keep what changed: instances by key (None removes one), the marks, positions, batches done."""
        bodies = dict(changed)
        gone = [key for key, body in bodies.items() if body is None]
        for chunk in _chunks(gone):
            self._connection.execute(
                delete(ENGINE_INSTANCE).where(
                    ENGINE_INSTANCE.c.partition == partition, ENGINE_INSTANCE.c.key.in_(chunk)
                )
            )
        kept = [
            {"partition": partition, "key": key, "body": body}
            for key, body in bodies.items()
            if body is not None
        ]
        self._put(ENGINE_INSTANCE, kept)
        self._put(ENGINE_MARKS, [{"partition": partition, "marks": marks}])
        self._put(
            ENGINE_POSITION,
            [{"partition": partition, "stream": stream, "seq": seq} for stream, seq in positions.items()],
        )
        self._put(
            ENGINE_DONE,
            [
                {
                    "partition": partition,
                    "edge": edge,
                    "lane": lane,
                    "ranges": msgspec.json.encode(seen.ranges).decode(),
                }
                for (edge, lane), seen in (done or {}).items()
            ],
        )

    # ------------------------------------------------------------------------------------ alarms

    def alarms(self, ids: Iterable[str]) -> dict[str, Alarm]:
        """The alarms with these ids; those that do not exist are missing."""
        found: dict[str, Alarm] = {}
        for chunk in _chunks([*ids]):
            for row in self._connection.execute(select(ALARM).where(ALARM.c.id.in_(chunk))).mappings():
                found[row["id"]] = rows.alarm_of(row)
        return found

    def latest_alarm(self, rule: str, alarm: str) -> Alarm | None:
        """The last occurrence of the alarm `alarm` of `rule`; None when it never was."""
        c = ALARM.c
        wanted = select(ALARM).where(c.rule == rule, c.alarm == alarm).order_by(c.occurrence.desc()).limit(1)
        row = self._connection.execute(wanted).mappings().first()
        return None if row is None else rows.alarm_of(row)

    def put_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Keep alarms as they are now."""
        change = self._stamp()
        self._put(ALARM, [rows.alarm_row(alarm, change) for alarm in alarms])

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Append to the alarms' timelines."""
        self._add(FINDING, [rows.finding_row(finding) for finding in findings])

    def relink_alarms(self, from_case: str, to_case: str) -> None:
        """The alarms of a duplicate belong to its parent from now on."""
        self._connection.execute(
            update(ALARM).where(ALARM.c.case_id == from_case).values(case_id=to_case, change=self._stamp())
        )

    # ------------------------------------------------------------------------------------- cases

    def case(self, number: str) -> Case | None:
        """A case with the alarms that still stand; None when there is none of that number."""
        body = self._connection.execute(select(CASES.c.body).where(CASES.c.id == number)).scalar()
        if body is None:
            return None
        standing = self._connection.execute(
            select(ALARM.c.id, ALARM.c.condition)
            .where(ALARM.c.case_id == number, ALARM.c.standing.is_(True))
            .order_by(ALARM.c.rank, ALARM.c.id)
            .limit(20)
        )
        return replace(
            rows.case_of(body),
            standing=tuple(Standing(alarm, Condition(condition)) for alarm, condition in standing),
        )

    def newest_case(self, merge_key: str) -> Case | None:
        """The case opened last under `merge_key` (without its standing alarms)."""
        body = self._connection.execute(
            select(CASES.c.body)
            .where(CASES.c.merge_key == merge_key)
            .order_by(CASES.c.opened.desc(), CASES.c.id.desc())
            .limit(1)
        ).scalar()
        return None if body is None else rows.case_of(body)

    def cases_due(self, now: int, limit: int = 500) -> list[Case]:
        """Cases with a deadline that has passed by `now`, the most overdue first."""
        due = (
            select(CASES.c.body)
            .where(CASES.c.next_due <= now)
            .order_by(CASES.c.next_due, CASES.c.id)
            .limit(limit)
        )
        return [rows.case_of(body) for body in self._connection.execute(due).scalars()]

    def put_cases(self, changed: Sequence[tuple[Case, Sequence[Entry]]]) -> list[tuple[Case, Entry, int]]:
        """Keep cases as they are now and append their new history; gives each line's number."""
        if not changed:
            return []
        chains = self._chains([case.id for case, _ in changed])
        change = self._stamp()
        kept: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        numbered: list[tuple[Case, Entry, int]] = []
        for case, entries in changed:
            count, chain = chains.get(case.id, (0, rows.GENESIS))
            for entry in entries:
                count += 1
                line = rows.history_row(entry, count, chain)
                chain = line["hash"]
                lines.append(line)
                numbered.append((case, entry, count))
            kept.append(rows.case_row(case, change, count, chain))
            chains[case.id] = (count, chain)
        self._put(CASES, kept)
        self._add(HISTORY, lines)
        return numbered

    def add_evidence(self, evidence: Iterable[EvidenceRow]) -> None:
        """Append evidence to cases."""
        self._add(EVIDENCE, [rows.evidence_row(piece) for piece in evidence])

    def next_number(self, name: str) -> int:
        """The next number of the counter `name`, from 1 on."""
        statement = self._insert(COUNTER).values(name=name, value=1)
        counted = statement.on_conflict_do_update(
            index_elements=["name"], set_={"value": COUNTER.c.value + 1}
        ).returning(COUNTER.c.value)
        return int(self._connection.execute(counted).scalar_one())

    def skip_numbers(self, name: str, count: int) -> None:
        """Leave out the next `count` numbers of the counter `name`."""
        statement = self._insert(COUNTER).values(name=name, value=count)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"value": COUNTER.c.value + count})
        )

    # -------------------------------------------------------------------------------- deliveries

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Put messages into the outbox; one whose id is there already is left as it is.

        In a database that was put back from a backup, ids say so: what it sends now is not what it sent
        under these numbers before (`cases.store.restoration`).
        """
        if not deliveries:
            return
        times = self._connection.execute(select(COUNTER.c.value).where(COUNTER.c.name == RESTORED)).scalar()
        if times:
            deliveries = [replace(delivery, id=f"{delivery.id}~{times}") for delivery in deliveries]
        number = self._stamp() * 1_000_000 + self._told
        self._told += len(deliveries)
        values = [
            {**msgspec.structs.asdict(delivery), "state": delivery.state.value, "number": number + position}
            for position, delivery in enumerate(deliveries)
        ]
        statement = self._insert(DELIVERY).on_conflict_do_nothing(index_elements=["id"])
        self._connection.execute(statement, values)

    # ------------------------------------------------------------------------------------ inside

    def _stamp(self) -> int:
        """The number of this transaction among all that changed something; also its order of commit.

        Taking it locks the counter's row, so a second writer waits until this one has committed.
        """
        if self._change is None:
            self._change = self.next_number("change")
        return self._change

    def _chains(self, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        for chunk in _chunks(ids):
            chains = select(CASES.c.id, CASES.c.history_count, CASES.c.history_hash)
            for number, count, chain in self._connection.execute(chains.where(CASES.c.id.in_(chunk))):
                found[number] = (count, chain)
        return found

    def _insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        if self._connection.dialect.name == "postgresql":
            return postgresql.insert(table)
        return sqlite.insert(table)

    def _put(self, table: Table, values: Sequence[Mapping[str, Any]]) -> None:
        if not values:
            return
        keys = [column.name for column in table.primary_key]
        statement = self._insert(table)
        others = {
            column.name: statement.excluded[column.name] for column in table.c if column.name not in keys
        }
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=others), [dict(row) for row in values]
        )

    def _add(self, table: Table, values: Sequence[Mapping[str, Any]]) -> None:
        if values:
            self._connection.execute(insert(table), [dict(row) for row in values])


def _chunks(values: Sequence[_Key]) -> Iterable[Sequence[_Key]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
