"""What checkpoints predict for the validation examples, so that averaging them can be measured."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("run_id", ID, nullable=False, autoincrement=False),
        sa.Column("at_step", sa.Double, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("examples", sa.Integer, nullable=False),
        sa.Column("classes", sa.Integer),
        sa.Column("targets", sa.Text, nullable=False),
        sa.Column("loss", sa.Double, nullable=False),
        sa.Column("accuracy", sa.Double),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("posted_at", TIME, nullable=False),
        sa.Column("arrays", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "at_step", name="pk_predictions"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_predictions_run_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("predictions")
