"""Bins of large chunks, and how far each curve is settled."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("curves", sa.Column("settled", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "bins",
        sa.Column("run_id", ID, nullable=False, autoincrement=False),
        sa.Column("curve", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("bins", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "curve", "attempt", "sequence", name="pk_bins"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_bins_run_id", ondelete="CASCADE"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Numbers do not shrink, and trying to costs more than writing them.
        op.execute("ALTER TABLE chunks ALTER COLUMN block SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE bins ALTER COLUMN bins SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("bins")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE chunks ALTER COLUMN block SET STORAGE EXTENDED")
    with op.batch_alter_table("curves") as table:
        table.drop_column("settled")
