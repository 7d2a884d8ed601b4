"""Searches for hyper-parameters: what each is about, and which runs belong to it, as which of the seven steps."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KEEP_COUNTING = {"sqlite_autoincrement": True}
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "searches",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_searches"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_searches_project_id", ondelete="CASCADE"),
        sa.UniqueConstraint("project_id", "name", name="uq_searches_project_id_name"),
        **KEEP_COUNTING,
    )
    with op.batch_alter_table("runs", table_kwargs=KEEP_COUNTING) as table:
        table.add_column(sa.Column("search_id", ID))
        table.add_column(sa.Column("search_step", sa.Integer))
        table.create_foreign_key("fk_runs_search_id", "searches", ["search_id"], ["id"], ondelete="SET NULL")
    op.create_index("ix_runs_search_id", "runs", ["search_id"])


def downgrade() -> None:
    op.drop_index("ix_runs_search_id", "runs")
    with op.batch_alter_table("runs", table_kwargs=KEEP_COUNTING) as table:
        table.drop_constraint("fk_runs_search_id", type_="foreignkey")
        table.drop_column("search_step")
        table.drop_column("search_id")
    op.drop_table("searches")
