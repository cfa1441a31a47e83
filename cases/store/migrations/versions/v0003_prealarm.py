"""An alarm remembers that it began as a pre-alarm."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Alarms that are there know it from their timelines."""
    op.add_column("alarm", sa.Column("prealarm", sa.Boolean(), nullable=False, server_default=sa.false()))
    alarm = sa.table("alarm", sa.column("id"), sa.column("prealarm"))
    finding = sa.table("finding", sa.column("alarm_id"), sa.column("kind"))
    began = sa.select(finding.c.alarm_id).where(finding.c.kind == "prealarm")
    op.execute(sa.update(alarm).where(alarm.c.id.in_(began)).values(prealarm=True))


def downgrade() -> None:
    """It is forgotten; the timelines still tell."""
    op.drop_column("alarm", "prealarm")
