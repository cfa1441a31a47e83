"""The tables, as they are now. `migrations/versions` holds how they came to be.

The same in SQLite and in PostgreSQL (`cases.store.columns`). Times are nanoseconds since 1970-01-01 UTC in
BIGINT. A case is kept whole as JSON (`body`); the columns beside it are what lists filter and sort by.
History and evidence only grow: triggers refuse UPDATE, and DELETE but for a case in `removed_case`.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, false, text

from cases.store.columns import AUTO, INTEGER, SMALL, TEXT

METADATA: Final = MetaData()

ALARM: Final = Table(
    "alarm",
    METADATA,
    Column("id", TEXT, primary_key=True),
    Column("alarm", TEXT, nullable=False),
    Column("occurrence", INTEGER, nullable=False),
    Column("rule", TEXT, nullable=False),
    Column("version", INTEGER, nullable=False),
    Column("severity", TEXT, nullable=False),
    Column("worst", TEXT, nullable=False),
    Column("rank", SMALL, nullable=False),
    Column("condition", TEXT, nullable=False),
    Column("standing", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("acknowledged", Boolean, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", TEXT, nullable=False),
    Column("reset_at", BigInteger),
    Column("reset_by", TEXT, nullable=False),
    Column("raised", BigInteger, nullable=False),
    Column("noticed", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("cleared", BigInteger),
    Column("ended", TEXT, nullable=False),
    Column("record", Boolean, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("replayed", Boolean, nullable=False),
    Column("no_data", Boolean, nullable=False),
    Column("flapping", Boolean, nullable=False),
    Column("suppressed_by", TEXT, nullable=False),
    Column("device", TEXT, nullable=False),
    Column("place", TEXT, nullable=False),
    Column("building", TEXT, nullable=False),
    Column("edge", TEXT, nullable=False),
    Column("grid1", TEXT, nullable=False),
    Column("grid2", TEXT, nullable=False),
    Column("grid3", TEXT, nullable=False),
    Column("labels", TEXT, nullable=False),
    Column("case_id", TEXT, nullable=False),
    Column("findings", INTEGER, nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("prealarm", Boolean, nullable=False, server_default=false()),
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
    Column("seq", AUTO, primary_key=True, autoincrement=True),
    Column("alarm_id", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("noticed", BigInteger, nullable=False),
    Column("severity", TEXT, nullable=False),
    Column("condition", TEXT, nullable=False),
    Column("version", INTEGER, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("replayed", Boolean, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("suppressed_by", TEXT, nullable=False),
    Column("readings", TEXT, nullable=False),
    Index("finding_alarm", "alarm_id", "seq"),
)

CASES: Final = Table(
    "cases",
    METADATA,
    Column("id", TEXT, primary_key=True),
    Column("state", TEXT, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("category", TEXT, nullable=False),
    Column("priority", TEXT, nullable=False),
    Column("merge_key", TEXT, nullable=False),
    Column("place", TEXT, nullable=False),
    Column("building", TEXT, nullable=False),
    Column("grid1", TEXT, nullable=False),
    Column("grid2", TEXT, nullable=False),
    Column("grid3", TEXT, nullable=False),
    Column("officer", TEXT, nullable=False),
    Column("holder", TEXT, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("closed", BigInteger),
    Column("late_from", BigInteger, comment="From when on it is overdue: its limit while it runs."),
    Column("next_due", BigInteger),
    Column("drill", Boolean, nullable=False),
    Column("search", TEXT, nullable=False),
    Column("body", TEXT, nullable=False),
    Column("history_count", INTEGER, nullable=False),
    Column("history_hash", TEXT, nullable=False),
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
    Column("case_id", TEXT, primary_key=True),
    Column("number", INTEGER, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("act", TEXT, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("actor_name", TEXT, nullable=False),
    Column("role", TEXT, nullable=False),
    Column("on_behalf_of", TEXT, nullable=False),
    Column("from_state", TEXT, nullable=False),
    Column("to_state", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("note", TEXT, nullable=False),
    Column("template", TEXT, nullable=False),
    Column("template_values", TEXT, nullable=False),
    Column("rule", TEXT, nullable=False),
    Column("rule_version", INTEGER, nullable=False),
    Column("holder", TEXT, nullable=False),
    Column("prev_hash", TEXT, nullable=False),
    Column("hash", TEXT, nullable=False),
    Index("history_time", "time"),
)

EVIDENCE: Final = Table(
    "evidence",
    METADATA,
    Column("seq", AUTO, primary_key=True, autoincrement=True),
    Column("case_id", TEXT, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("kind", TEXT, nullable=False, comment="finding, or a person's note, photo, reading, signature"),
    Column("alarm_id", TEXT, nullable=False),
    Column("want", TEXT, nullable=False),
    Column("text", TEXT, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("readings", TEXT, nullable=False),
    Index("evidence_case", "case_id", "seq"),
)

DELIVERY: Final = Table(
    "delivery",
    METADATA,
    Column("id", TEXT, primary_key=True),
    Column("number", BigInteger, nullable=False, comment="Order of making, for order per subject."),
    Column("receiver", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("subject", TEXT, nullable=False),
    Column("payload", TEXT, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("attempts", INTEGER, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("error", TEXT, nullable=False),
    Index("delivery_due", "state", "due", "number"),
    Index("delivery_subject", "receiver", "subject", "number"),
    Index("delivery_age", "state", "created"),
)

REMOVED_CASE: Final = Table(
    "removed_case",
    METADATA,
    Column("id", TEXT, primary_key=True),
    Column("opened", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("history_count", INTEGER, nullable=False),
    Column("history_hash", TEXT, nullable=False),
)
"""What remains of a case that was removed for its age: enough to know a copy of its history again."""

ENGINE_INSTANCE: Final = Table(
    "engine_instance",
    METADATA,
    Column("partition", INTEGER, primary_key=True, autoincrement=False),
    Column("key", TEXT, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

ENGINE_MARKS: Final = Table(
    "engine_marks",
    METADATA,
    Column("partition", INTEGER, primary_key=True, autoincrement=False),
    Column("marks", LargeBinary, nullable=False),
)

ENGINE_POSITION: Final = Table(
    "engine_position",
    METADATA,
    Column("partition", INTEGER, primary_key=True, autoincrement=False),
    Column("stream", TEXT, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

ENGINE_DONE: Final = Table(
    "engine_done",
    METADATA,
    Column("partition", INTEGER, primary_key=True, autoincrement=False),
    Column("edge", TEXT, primary_key=True),
    Column("lane", TEXT, primary_key=True),
    Column("ranges", TEXT, nullable=False, comment="JSON list of [first, last] batch numbers done."),
)

SIGNATURE: Final = "writer"
"""The counter that counts nothing: a number of the last transaction's own (`cases.store.postgres_server`)."""

COUNTER: Final = Table(
    "counter",
    METADATA,
    Column("name", TEXT, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
