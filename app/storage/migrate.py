"""The database's schema: which one it has, and how it gets to the one that this version works with."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DatabaseError

from app.errors import SchemaMismatch
from app.storage.database import translated
from app.storage.tables import metadata

_ADVISORY_LOCK = 0x6375727665  # "curve": any number that every Curvewise agrees on


def _locate() -> Path:
    """Inside the package when installed from a wheel, else at the top of the checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


SCRIPTS = _locate()


@cache
def head(scripts: Path = SCRIPTS) -> str:
    """The revision that this version works with."""
    revision = ScriptDirectory.from_config(_config(scripts)).get_current_head()
    if revision is None:
        raise SchemaMismatch(f"no migrations at {scripts}: Curvewise is not installed completely")
    return revision


def current(engine: Engine) -> str | None:
    """The revision that the database is at, None when it holds nothing of ours. Raises SchemaMismatch."""
    with translated(), _readable(), engine.connect() as connection:
        return _revision(connection)


def upgrade(engine: Engine, scripts: Path = SCRIPTS) -> None:
    """Bring the database to this version's schema, all of it or, on any error, none of it. Raises SchemaMismatch."""
    with _migrating(engine) as connection:
        revision = _revision(connection)
        _refuse_unknown(revision, scripts)
        if revision != head(scripts):
            command.upgrade(_config(scripts, connection), "head")


def downgrade(engine: Engine, revision: str, scripts: Path = SCRIPTS) -> None:
    """Take the database back to an older revision, "base" for an empty one. What only newer schemas hold is lost."""
    with _migrating(engine) as connection:
        _refuse_unknown(_revision(connection), scripts)
        command.downgrade(_config(scripts, connection), revision)


def check(engine: Engine, scripts: Path = SCRIPTS) -> None:
    """Raise SchemaMismatch unless the database has this version's schema. Raises StorageUnavailable, too."""
    revision = current(engine)
    if revision == head(scripts):
        return
    _refuse_unknown(revision, scripts)
    has = f"is at revision {revision}" if revision else "holds no Curvewise tables"
    url = engine.url.set(drivername=engine.dialect.name).render_as_string(hide_password=True)
    raise SchemaMismatch(
        f"the database {has}, this version needs {head(scripts)}; run: curvewise migrate --database-url '{url}'"
    )


def prepare(engine: Engine, scripts: Path = SCRIPTS) -> None:
    """Make sure that the schema is right: an embedded SQLite file is migrated, a shared Postgres is only checked.

    Safe when several workers start at once. Raises SchemaMismatch, StorageUnavailable.
    """
    if engine.dialect.name == "sqlite" and current(engine) != head(scripts):
        upgrade(engine, scripts)
    check(engine, scripts)


def _config(scripts: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None and (foreign := sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))):
        raise SchemaMismatch(f"the database has tables of another program ({', '.join(foreign)}); name an empty one")
    return revision


def _refuse_unknown(revision: str | None, scripts: Path) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config(scripts)).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaMismatch(
            f"the database is at revision {revision}, which this version of Curvewise does not know: "
            "a newer Curvewise or another program made it; upgrade Curvewise or name another database"
        )


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """One transaction for the whole chain, one migration at a time."""
    with translated(), _readable(), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Rebuilding a table drops the old one, and with foreign keys on that would delete what refers to it. The
            # pragma does nothing inside a transaction, so it goes to the driver, on a connection of its own.
            connection.detach()
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        writer = connection.execution_options(writes=True)
        with writer.begin():
            if engine.dialect.name == "postgresql":
                # It may take as long as it takes, and so may waiting for another one.
                driver: Any = writer.connection.driver_connection
                driver.patience_s = math.inf
                writer.exec_driver_sql("SET LOCAL statement_timeout = 0")
                writer.exec_driver_sql("SET LOCAL lock_timeout = 0")
                writer.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            yield writer
            if engine.dialect.name == "sqlite" and writer.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise SchemaMismatch("the migration would leave rows that refer to nothing; nothing was changed")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise SchemaMismatch("the file is not a SQLite database") from error
        raise
