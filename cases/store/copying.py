"""The whole operations database from one place to another: file to server, server to file.

The copy is of one moment, while others write, and it is there as a whole or not at all. It has the schema of
what it is copied from, so that a database can be copied before the program brings it up to date.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
    true,
)

from cases.store.columns import AUTO
from cases.store.errors import StoreUnavailable
from cases.store.operations import OperationsStore
from cases.store.schema import COUNTER, METADATA, SIGNATURE
from language import N_, Message

CHUNK: Final = 1_000
"""Rows that are in memory at once."""

Progress = Callable[[int, int], None]
"""Told (rows copied, rows in all)."""


class NotEmpty(Exception):
    """The target holds something, and nothing is ever overwritten; `message` says where."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


class NothingThere(Exception):
    """What was to be copied has never been set up; `message` says where."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(str(message))


def _untold(done: int, total: int) -> None:
    """Progress that nobody watches."""


def copy(source: OperationsStore, target: OperationsStore, progress: Progress = _untold) -> int:
    """Copy everything, and give the number of rows.

    Raises `NotEmpty`, `NothingThere`, `cases.store.DatabaseTooNew` (the source) and
    `cases.store.StoreUnavailable`; then the target is as empty as it was.
    """
    with source.snapshot() as connection, copying(source, connection, target, progress) as rows:
        return rows


@contextmanager
def copying(
    source: OperationsStore, snapshot: Connection, target: OperationsStore, progress: Progress = _untold
) -> Iterator[int]:
    """As `copy`, of a moment that `source.snapshot` holds; committed at the end of the block, for whoever has
    something to do between.
    """
    source.refuse_newer()
    revision = MigrationContext.configure(snapshot).get_current_revision()
    if revision is None:
        raise NothingThere(Message(N_("{database} is empty"), {"database": str(source.database)}))
    refuse_filled(target)
    target.migrate(revision="base")  # what an emptied database had may be of another revision
    target.migrate(revision=revision)
    tables = dict(_there(snapshot))
    counts = {table: _count(snapshot, table) for table in tables}
    total, done = sum(counts.values()), 0
    with target.connection() as into:
        for table, columns in tables.items():
            for rows in _chunks(snapshot, table, columns):
                into.execute(insert(table), rows)
                done += len(rows)
                progress(done, total)
            _go_on_counting(into, table)
        for table, count in counts.items():
            if _count(into, table) != count:
                raise StoreUnavailable(f"{target.database}: {table.name}: not every row has arrived")
        yield total


def refuse_filled(target: OperationsStore) -> None:
    """Raises `NotEmpty` when `target` holds a row, and `StoreUnavailable`."""
    target.database.prepare()
    with target.connection() as connection:
        for table, _ in _there(connection):
            if connection.execute(_some(table)).first() is not None:
                raise NotEmpty(
                    Message(
                        N_("{database} holds alarms or cases already: name an empty one"),
                        {"database": str(target.database)},
                    )
                )


def _there(connection: Connection) -> Iterator[tuple[Table, Sequence[Column[Any]]]]:
    """The tables and columns that a database of this or an earlier schema has."""
    inspection = inspect(connection)
    names = set(inspection.get_table_names())
    for table in METADATA.sorted_tables:
        if table.name in names:
            columns = {column["name"] for column in inspection.get_columns(table.name)}
            yield table, [column for column in table.c if column.name in columns]


def _chunks(
    connection: Connection, table: Table, columns: Sequence[Column[Any]]
) -> Iterator[list[dict[str, Any]]]:
    """The rows of a table in the order of its key, some at once."""
    every = select(*columns).where(_ours(table)).order_by(*table.primary_key)
    with connection.execute(every, execution_options={"yield_per": CHUNK}) as found:
        for rows in found.mappings().partitions(CHUNK):
            yield [dict(row) for row in rows]


def _some(table: Table) -> Select[Any]:
    return select(*table.primary_key).where(_ours(table)).limit(1)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(_ours(table))).scalar_one())


def _ours(table: Table) -> ColumnElement[bool]:
    """Which rows are copied: not the mark of who wrote last, which is each database's own."""
    return COUNTER.c.name != SIGNATURE if table is COUNTER else true()


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Have the numbers that the database gives go on behind those that were copied.

    SQLite sees to it by itself.
    """
    numbered = [column for column in table.primary_key if column.type is AUTO]
    if connection.dialect.name != "postgresql" or not numbered:
        return
    (column,) = numbered
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
    ).scalar_one()
    last = connection.execute(select(func.max(column))).scalar()
    if last is not None:
        connection.execute(
            text("SELECT setval(CAST(:name AS regclass), :last)"), {"name": sequence, "last": last}
        )
