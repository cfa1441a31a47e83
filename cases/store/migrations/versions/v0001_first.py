"""The first schema: alarms, cases, history, evidence, outbox, engine state."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AUTO = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "alarm",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("worst", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger()),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("reset_at", sa.BigInteger()),
        sa.Column("reset_by", sa.Text(), nullable=False),
        sa.Column("raised", sa.BigInteger(), nullable=False),
        sa.Column("noticed", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("cleared", sa.BigInteger()),
        sa.Column("ended", sa.Text(), nullable=False),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("replayed", sa.Boolean(), nullable=False),
        sa.Column("no_data", sa.Boolean(), nullable=False),
        sa.Column("flapping", sa.Boolean(), nullable=False),
        sa.Column("suppressed_by", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("building", sa.Text(), nullable=False),
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column("grid1", sa.Text(), nullable=False),
        sa.Column("grid2", sa.Text(), nullable=False),
        sa.Column("grid3", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("findings", sa.Integer(), nullable=False),
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
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("noticed", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("replayed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("suppressed_by", sa.Text(), nullable=False),
        sa.Column("readings", sa.Text(), nullable=False),
    )
    op.create_index("finding_alarm", "finding", ["alarm_id", "seq"])
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("merge_key", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("building", sa.Text(), nullable=False),
        sa.Column("grid1", sa.Text(), nullable=False),
        sa.Column("grid2", sa.Text(), nullable=False),
        sa.Column("grid3", sa.Text(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger()),
        sa.Column(
            "late_from", sa.BigInteger(), comment="From when on it is overdue: its limit while it runs."
        ),
        sa.Column("next_due", sa.BigInteger()),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("history_count", sa.Integer(), nullable=False),
        sa.Column("history_hash", sa.Text(), nullable=False),
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
        sa.Column("case_id", sa.Text(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("template_values", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
    )
    op.create_index("history_time", "history", ["time"])
    op.create_table(
        "evidence",
        sa.Column("seq", AUTO, primary_key=True, autoincrement=True),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="finding, or a person's note, photo, reading, signature",
        ),
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("want", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("readings", sa.Text(), nullable=False),
    )
    op.create_index("evidence_case", "evidence", ["case_id", "seq"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column(
            "number", sa.BigInteger(), nullable=False, comment="Order of making, for order per subject."
        ),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
    )
    op.create_index("delivery_due", "delivery", ["state", "due", "number"])
    op.create_index("delivery_subject", "delivery", ["receiver", "subject", "number"])
    op.create_table(
        "engine_instance",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "engine_marks",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "engine_position",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("stream", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "engine_done",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("edge", sa.Text(), primary_key=True),
        sa.Column("lane", sa.Text(), primary_key=True),
        sa.Column(
            "ranges", sa.Text(), nullable=False, comment="JSON list of [first, last] batch numbers done."
        ),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), primary_key=True),
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
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
        )
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _lift(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {table}_kept ON {table}")
        op.execute(f"DROP FUNCTION {table}_only_grows()")
        return
    for event in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{event}")
