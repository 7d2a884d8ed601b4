"""Deleted runs and projects, erased in the background; projects that roll old runs up."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KEEP_COUNTING = {"sqlite_autoincrement": True}


def upgrade() -> None:
    with op.batch_alter_table("projects", table_kwargs=KEEP_COUNTING) as table:
        table.alter_column("name", existing_type=NAME, nullable=True)
        table.add_column(sa.Column("roll_up_after_days", sa.Integer, nullable=False, server_default="0"))
    with op.batch_alter_table("runs", table_kwargs=KEEP_COUNTING) as table:
        table.alter_column("project_id", existing_type=ID, nullable=True)
        table.add_column(sa.Column("rolled_up_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    # What was deleted goes now, since the older schema cannot say that it is.
    gone = "SELECT id FROM runs WHERE project_id IS NULL OR project_id IN (SELECT id FROM projects WHERE name IS NULL)"
    for table in ("bins", "chunks", "attempts", "curves"):
        op.execute(f"DELETE FROM {table} WHERE run_id IN ({gone})")  # noqa: S608 - constants
    op.execute(f"DELETE FROM runs WHERE id IN ({gone})")  # noqa: S608 - a constant
    op.execute("DELETE FROM projects WHERE name IS NULL")
    with op.batch_alter_table("runs", table_kwargs=KEEP_COUNTING) as table:
        table.drop_column("rolled_up_at")
        table.alter_column("project_id", existing_type=ID, nullable=False)
    with op.batch_alter_table("projects", table_kwargs=KEEP_COUNTING) as table:
        table.drop_column("roll_up_after_days")
        table.alter_column("name", existing_type=NAME, nullable=False)
