"""Alembic's entry: runs the chain inside the transaction that app/storage/migrate.py opened."""

from alembic import context

from app.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    transactional_ddl=True,  # true on SQLite too, since every BEGIN is ours
)
with context.begin_transaction():
    context.run_migrations()
