"""Old cases may go: what remains of each is a line that says so; indexes by age."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INTEGER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
TABLES = ("history", "evidence")


def upgrade() -> None:
    """History and evidence still only grow, but those of a removed case may go."""
    op.create_table(
        "removed_case",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("history_count", INTEGER, nullable=False),
        sa.Column("history_hash", TEXT, nullable=False),
    )
    op.create_index("alarm_age", "alarm", ["open", "changed"])
    op.create_index("cases_age", "cases", ["open", "closed"])
    op.create_index("delivery_age", "delivery", ["state", "created"])
    for table in TABLES:
        _refuse_deletion(table, unless="SELECT 1 FROM removed_case WHERE id = OLD.case_id")


def downgrade() -> None:
    """History and evidence only grow."""
    for table in TABLES:
        _refuse_deletion(table, unless="")
    op.drop_index("delivery_age")
    op.drop_index("cases_age")
    op.drop_index("alarm_age")
    op.drop_table("removed_case")


def _refuse_deletion(table: str, *, unless: str) -> None:
    """Make the trigger against deletions anew, with an exception where the statement finds a row."""
    if op.get_bind().dialect.name == "postgresql":
        exception = (
            f"IF TG_OP = 'DELETE' THEN IF EXISTS ({unless}) THEN RETURN OLD; END IF; END IF; "
            if unless
            else ""
        )
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {exception}"
            f"RAISE EXCEPTION '{table} is append-only' USING ERRCODE = '23000'; END $$"
        )
        return
    condition = f"WHEN NOT EXISTS ({unless}) " if unless else ""
    op.execute(f"DROP TRIGGER {table}_no_delete")
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
