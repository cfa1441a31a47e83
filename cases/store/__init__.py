"""Where alarms, cases and the rule engine's state are kept: one database, one transaction per batch.

SQLAlchemy Core over SQLite (WAL, synchronous FULL) or PostgreSQL; the schema grows by the Alembic
migrations shipped beside this file. One writer at a time, any number of readers.
"""

from cases.store.conditions import BadCursor
from cases.store.errors import (
    CommitInDoubt,
    DatabaseInUse,
    DatabaseTooNew,
    StoreUnavailable,
    WrittenElsewhere,
)
from cases.store.operations import OperationsStore
from cases.store.reading import Reading
from cases.store.shapes import (
    AlarmFilter,
    CaseFile,
    CaseFilter,
    Changed,
    Done,
    EngineRecord,
    EvidenceRow,
    FindingRow,
    HistoryRow,
    Page,
    Tally,
    Totals,
)
from cases.store.transaction import Transaction

__all__ = [
    "AlarmFilter",
    "BadCursor",
    "CaseFile",
    "CaseFilter",
    "Changed",
    "CommitInDoubt",
    "DatabaseInUse",
    "DatabaseTooNew",
    "Done",
    "EngineRecord",
    "EvidenceRow",
    "FindingRow",
    "HistoryRow",
    "OperationsStore",
    "Page",
    "Reading",
    "StoreUnavailable",
    "Tally",
    "Totals",
    "Transaction",
    "WrittenElsewhere",
]
