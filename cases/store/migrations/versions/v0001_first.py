"""The first schema: alarms, cases, history, evidence, outbox, engine state."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INTEGER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
SMALL = sa.SmallInteger().with_variant(sa.BigInteger(), "postgresql")
AUTO = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "alarm",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("alarm", TEXT, nullable=False),
        sa.Column("occurrence", INTEGER, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("worst", TEXT, nullable=False),
        sa.Column("rank", SMALL, nullable=False),
        sa.Column("condition", TEXT, nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger()),
        sa.Column("acknowledged_by", TEXT, nullable=False),
        sa.Column("reset_at", sa.BigInteger()),
        sa.Column("reset_by", TEXT, nullable=False),
        sa.Column("raised", sa.BigInteger(), nullable=False),
        sa.Column("noticed", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("cleared", sa.BigInteger()),
        sa.Column("ended", TEXT, nullable=False),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("replayed", sa.Boolean(), nullable=False),
        sa.Column("no_data", sa.Boolean(), nullable=False),
        sa.Column("flapping", sa.Boolean(), nullable=False),
        sa.Column("suppressed_by", TEXT, nullable=False),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("place", TEXT, nullable=False),
        sa.Column("building", TEXT, nullable=False),
        sa.Column("edge", TEXT, nullable=False),
        sa.Column("grid1", TEXT, nullable=False),
        sa.Column("grid2", TEXT, nullable=False),
        sa.Column("grid3", TEXT, nullable=False),
        sa.Column("labels", TEXT, nullable=False),
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("findings", INTEGER, nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
    )
    op.create_index("alarm_case", "alarm", ["case_id", "standing"])
    op.create_index("alarm_change", "alarm", ["change"])
    op.create_index("alarm_device", "alarm", ["device", sa.text("raised DESC")])
    op.create_index("alarm_grid1", "alarm", ["grid1", "rank"])
    op.create_index("alarm_grid2", "alarm", ["grid2", "rank"])
    op.create_index("alarm_grid3", "alarm", ["grid3", "rank"])
    op.create_index("alarm_list", "alarm", ["rank", sa.text("raised DESC"), "id"])
    op.create_index("alarm_place", "alarm", ["place", sa.text("raised DESC")])
    op.create_index("alarm_rule", "alarm", ["rule", sa.text("raised DESC")])
    op.create_index(
        "alarm_tally", "alarm", ["open", "grid1", "grid2", "grid3", "severity", "rank", "acknowledged"]
    )
    op.create_table(
        "finding",
        sa.Column("seq", AUTO, primary_key=True, autoincrement=True),
        sa.Column("alarm_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("noticed", sa.BigInteger(), nullable=False),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("condition", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("replayed", sa.Boolean(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("suppressed_by", TEXT, nullable=False),
        sa.Column("readings", TEXT, nullable=False),
    )
    op.create_index("finding_alarm", "finding", ["alarm_id", "seq"])
    op.create_table(
        "cases",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("category", TEXT, nullable=False),
        sa.Column("priority", TEXT, nullable=False),
        sa.Column("merge_key", TEXT, nullable=False),
        sa.Column("place", TEXT, nullable=False),
        sa.Column("building", TEXT, nullable=False),
        sa.Column("grid1", TEXT, nullable=False),
        sa.Column("grid2", TEXT, nullable=False),
        sa.Column("grid3", TEXT, nullable=False),
        sa.Column("officer", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger()),
        sa.Column(
            "late_from", sa.BigInteger(), comment="From when on it is overdue: its limit while it runs."
        ),
        sa.Column("next_due", sa.BigInteger()),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("search", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("history_count", INTEGER, nullable=False),
        sa.Column("history_hash", TEXT, nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
    )
    op.create_index("cases_category", "cases", ["category", "open"])
    op.create_index("cases_change", "cases", ["change"])
    op.create_index("cases_grid1", "cases", ["grid1", "open"])
    op.create_index("cases_grid2", "cases", ["grid2", "open"])
    op.create_index("cases_grid3", "cases", ["grid3", "open"])
    op.create_index("cases_late", "cases", ["open", "late_from"])
    op.create_index("cases_merge", "cases", ["merge_key", sa.text("opened DESC")])
    op.create_index("cases_next_due", "cases", ["next_due"])
    op.create_index("cases_officer", "cases", ["officer", "open"])
    op.create_index("cases_open", "cases", ["open", "priority", sa.text("opened DESC"), "id"])
    op.create_index("cases_opened", "cases", [sa.text("opened DESC"), "id"])
    op.create_index("cases_shelf", "cases", ["open", sa.text("opened DESC"), "id"])
    op.create_index("cases_tally", "cases", ["open", "grid1", "grid2", "grid3", "late_from", "accepted"])
    op.create_table(
        "history",
        sa.Column("case_id", TEXT, primary_key=True),
        sa.Column("number", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("act", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("actor_name", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("on_behalf_of", TEXT, nullable=False),
        sa.Column("from_state", TEXT, nullable=False),
        sa.Column("to_state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("template", TEXT, nullable=False),
        sa.Column("template_values", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("rule_version", INTEGER, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("prev_hash", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
    )
    op.create_index("history_time", "history", ["time"])
    op.create_table(
        "evidence",
        sa.Column("seq", AUTO, primary_key=True, autoincrement=True),
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            TEXT,
            nullable=False,
            comment="finding, or a person's note, photo, reading, signature",
        ),
        sa.Column("alarm_id", TEXT, nullable=False),
        sa.Column("want", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("readings", TEXT, nullable=False),
    )
    op.create_index("evidence_case", "evidence", ["case_id", "seq"])
    op.create_table(
        "delivery",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column(
            "number", sa.BigInteger(), nullable=False, comment="Order of making, for order per subject."
        ),
        sa.Column("receiver", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", INTEGER, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("error", TEXT, nullable=False),
    )
    op.create_index("delivery_due", "delivery", ["state", "due", "number"])
    op.create_index("delivery_subject", "delivery", ["receiver", "subject", "number"])
    op.create_table(
        "engine_instance",
        sa.Column("partition", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "engine_marks",
        sa.Column("partition", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "engine_position",
        sa.Column("partition", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("stream", TEXT, primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "engine_done",
        sa.Column("partition", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("edge", TEXT, primary_key=True),
        sa.Column("lane", TEXT, primary_key=True),
        sa.Column("ranges", TEXT, nullable=False, comment="JSON list of [first, last] batch numbers done."),
    )
    op.create_table(
        "counter",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    _append_only("history")
    _append_only("evidence")


def downgrade() -> None:
    """Remove everything."""
    for table in ("history", "evidence"):
        _lift(table)
    op.drop_table("counter")
    op.drop_table("engine_done")
    op.drop_table("engine_position")
    op.drop_table("engine_marks")
    op.drop_table("engine_instance")
    op.drop_table("delivery")
    op.drop_table("evidence")
    op.drop_table("history")
    op.drop_table("cases")
    op.drop_table("finding")
    op.drop_table("alarm")


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only' USING ERRCODE = '23000'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_grows()"
        )
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _lift(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {table}_not_emptied ON {table}")
        op.execute(f"DROP TRIGGER {table}_kept ON {table}")
        op.execute(f"DROP FUNCTION {table}_only_grows()")
        return
    for event in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{event}")
