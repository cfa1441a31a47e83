"""The tables, as they are now. `migrations/versions` holds how they came to be.

Portable on purpose: SQLite now, PostgreSQL later. Times are nanoseconds since 1970-01-01 UTC in BIGINT.
A case is kept whole as JSON (`body`); the columns beside it are what lists filter and sort by. History
and evidence only grow: triggers refuse UPDATE, and DELETE but for a case in `removed_case`.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

METADATA: Final = MetaData()

_AUTO: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column called INTEGER."""

ALARM: Final = Table(
    "alarm",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("alarm", Text, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("severity", Text, nullable=False),
    Column("worst", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("condition", Text, nullable=False),
    Column("standing", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("acknowledged", Boolean, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", Text, nullable=False),
    Column("reset_at", BigInteger),
    Column("reset_by", Text, nullable=False),
    Column("raised", BigInteger, nullable=False),
    Column("noticed", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("cleared", BigInteger),
    Column("ended", Text, nullable=False),
    Column("record", Boolean, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("replayed", Boolean, nullable=False),
    Column("no_data", Boolean, nullable=False),
    Column("flapping", Boolean, nullable=False),
    Column("suppressed_by", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("building", Text, nullable=False),
    Column("edge", Text, nullable=False),
    Column("grid1", Text, nullable=False),
    Column("grid2", Text, nullable=False),
    Column("grid3", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("findings", Integer, nullable=False),
    Column("change", BigInteger, nullable=False),
    Index("alarm_list", "rank", text("raised DESC"), "id"),
    Index("alarm_device", "device", text("raised DESC")),
    Index("alarm_place", "place", text("raised DESC")),
    Index("alarm_grid1", "grid1", "rank"),
    Index("alarm_grid2", "grid2", "rank"),
    Index("alarm_grid3", "grid3", "rank"),
    Index("alarm_tally", "open", "grid1", "grid2", "grid3", "severity", "rank", "acknowledged"),
    Index("alarm_rule", "rule", text("raised DESC")),
    Index("alarm_case", "case_id", "standing"),
    Index("alarm_change", "change"),
    Index("alarm_age", "open", "changed"),
)

FINDING: Final = Table(
    "finding",
    METADATA,
    Column("seq", _AUTO, primary_key=True, autoincrement=True),
    Column("alarm_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("noticed", BigInteger, nullable=False),
    Column("severity", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("replayed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("suppressed_by", Text, nullable=False),
    Column("readings", Text, nullable=False),
    Index("finding_alarm", "alarm_id", "seq"),
)

CASES: Final = Table(
    "cases",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("category", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("merge_key", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("building", Text, nullable=False),
    Column("grid1", Text, nullable=False),
    Column("grid2", Text, nullable=False),
    Column("grid3", Text, nullable=False),
    Column("officer", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("closed", BigInteger),
    Column("late_from", BigInteger, comment="From when on it is overdue: its limit while it runs."),
    Column("next_due", BigInteger),
    Column("drill", Boolean, nullable=False),
    Column("search", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("history_count", Integer, nullable=False),
    Column("history_hash", Text, nullable=False),
    Column("change", BigInteger, nullable=False),
    Index("cases_open", "open", "priority", text("opened DESC"), "id"),
    Index("cases_opened", text("opened DESC"), "id"),
    Index("cases_shelf", "open", text("opened DESC"), "id"),
    Index("cases_tally", "open", "grid1", "grid2", "grid3", "late_from", "accepted"),
    Index("cases_merge", "merge_key", text("opened DESC")),
    Index("cases_late", "open", "late_from"),
    Index("cases_next_due", "next_due"),
    Index("cases_grid1", "grid1", "open"),
    Index("cases_grid2", "grid2", "open"),
    Index("cases_grid3", "grid3", "open"),
    Index("cases_officer", "officer", "open"),
    Index("cases_category", "category", "open"),
    Index("cases_change", "change"),
    Index("cases_age", "open", "closed"),
)

HISTORY: Final = Table(
    "history",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("on_behalf_of", Text, nullable=False),
    Column("from_state", Text, nullable=False),
    Column("to_state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("template_values", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("history_time", "time"),
)

EVIDENCE: Final = Table(
    "evidence",
    METADATA,
    Column("seq", _AUTO, primary_key=True, autoincrement=True),
    Column("case_id", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("kind", Text, nullable=False, comment="finding, or a person's note, photo, reading, signature"),
    Column("alarm_id", Text, nullable=False),
    Column("want", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("readings", Text, nullable=False),
    Index("evidence_case", "case_id", "seq"),
)

DELIVERY: Final = Table(
    "delivery",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, comment="Order of making, for order per subject."),
    Column("receiver", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("error", Text, nullable=False),
    Index("delivery_due", "state", "due", "number"),
    Index("delivery_subject", "receiver", "subject", "number"),
    Index("delivery_age", "state", "created"),
)

REMOVED_CASE: Final = Table(
    "removed_case",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("opened", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("history_count", Integer, nullable=False),
    Column("history_hash", Text, nullable=False),
)
"""What remains of a case that was removed for its age: enough to know a copy of its history again."""

ENGINE_INSTANCE: Final = Table(
    "engine_instance",
    METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

ENGINE_MARKS: Final = Table(
    "engine_marks",
    METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("marks", LargeBinary, nullable=False),
)

ENGINE_POSITION: Final = Table(
    "engine_position",
    METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

ENGINE_DONE: Final = Table(
    "engine_done",
    METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("edge", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("ranges", Text, nullable=False, comment="JSON list of [first, last] batch numbers done."),
)

COUNTER: Final = Table(
    "counter",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
