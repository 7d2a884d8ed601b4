"""What the monitor knows of runs: where each stands, what was found, and what happened to it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "standings",
        sa.Column("run_id", ID, nullable=False, autoincrement=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("judged_at", TIME, nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stalled_since", TIME),
        sa.Column("severity", sa.Integer, nullable=False),
        sa.Column("through_step", sa.Double),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("heard_at", TIME, nullable=False),
        sa.Column("gaps", sa.Text, nullable=False),
        sa.Column("sparkline_curve", sa.Text),
        sa.Column("sparkline", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_standings"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_standings_run_id", ondelete="CASCADE"),
    )
    op.create_table(
        "findings",
        sa.Column("run_id", ID, nullable=False, autoincrement=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("onset_step", sa.Double, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("first_seen_at", TIME, nullable=False),
        sa.Column("fired_at", TIME),
        sa.Column("gone_since", TIME),
        sa.PrimaryKeyConstraint("run_id", "code", name="pk_findings"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_findings_run_id", ondelete="CASCADE"),
    )
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("handed_on", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("run_id", "sequence", name="uq_events_run_id_sequence"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_events_run_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    waiting = sa.text("NOT handed_on")
    op.create_index("ix_events_waiting", "events", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index("ix_events_created_at", "events", ["created_at"])
    op.create_index("ix_runs_project_id_created_at", "runs", ["project_id", "created_at", "name"])


def downgrade() -> None:
    op.drop_index("ix_runs_project_id_created_at", "runs")
    for table in ("events", "findings", "standings"):
        op.drop_table(table)
