"""Diagnoses of closed runs as they were last told, and those that would take their place."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "diagnoses",
        sa.Column("run_id", ID, nullable=False, autoincrement=False),
        sa.Column("proposed", sa.Boolean, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("diagnosis", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "proposed", name="pk_diagnoses"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_diagnoses_run_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("diagnoses")
