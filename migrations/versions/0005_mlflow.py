"""What MLflow knows of runs and projects and Curvewise does not: ids of its own, facts, inputs and models."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
KEEP_COUNTING = {"sqlite_autoincrement": True}


def upgrade() -> None:
    op.add_column("projects", sa.Column("mlflow", sa.Text))
    op.add_column("runs", sa.Column("mlflow_id", sa.Text))
    op.add_column("runs", sa.Column("mlflow", sa.Text))
    op.create_index("ix_runs_mlflow_id", "runs", ["mlflow_id"])
    op.create_table(
        "mlflow_assets",
        sa.Column("run_id", ID, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "kind", "name", name="pk_mlflow_assets"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_mlflow_assets_run_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("mlflow_assets")
    op.drop_index("ix_runs_mlflow_id", "runs")
    with op.batch_alter_table("runs", table_kwargs=KEEP_COUNTING) as table:
        table.drop_column("mlflow")
        table.drop_column("mlflow_id")
    with op.batch_alter_table("projects", table_kwargs=KEEP_COUNTING) as table:
        table.drop_column("mlflow")
