import multiprocessing
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from app.curves.points import Points
from app.errors import SchemaMismatch, StorageUnavailable
from app.storage import chunks, migrate, runs
from app.storage.chunks import Batch
from app.storage.database import Database, make_engine
from app.storage.tables import metadata

FAILS_HALF_WAY = """
revision = "9001"
down_revision = "{head}"
from alembic import op
import sqlalchemy as sa
def upgrade():
    op.create_table("half", sa.Column("x", sa.Integer))
    op.execute("UPDATE projects SET name = 'half'")
    raise RuntimeError("half-way")
def downgrade():
    pass
"""
REBUILDS_RUNS = """
revision = "9001"
down_revision = "{head}"
from alembic import op
import sqlalchemy as sa
def upgrade():
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("runs", recreate="always" if on_sqlite else "never") as batch:
        batch.add_column(sa.Column("note", sa.Text))
def downgrade():
    with op.batch_alter_table("runs") as batch:
        batch.drop_column("note")
"""
DELETES_RUNS = """
revision = "9001"
down_revision = "{head}"
from alembic import op
def upgrade():
    op.execute("DELETE FROM runs")
def downgrade():
    pass
"""


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    made = make_engine(empty_url)
    yield made
    made.dispose()


def scripts_with(tmp_path: Path, migration: str) -> Path:
    scripts = tmp_path / "a % b" / "migrations"
    shutil.copytree(migrate.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "9001_next.py").write_text(migration.format(head=migrate.head()))
    return scripts


def fill(engine: Engine) -> None:
    with Database(engine).writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        run, _ = runs.lock_run(connection, home.id, "r")
        chunks.write(connection, [Batch(run.id, None, [Points("loss", np.arange(3.0), np.ones(3))])])


def stored_points(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(text("SELECT sum(points) FROM chunks")).scalar() or 0


def test_an_empty_database_gets_the_schema_of_the_tables(engine: Engine):
    assert migrate.current(engine) is None
    migrate.upgrade(engine)
    assert migrate.current(engine) == migrate.head()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    migrate.upgrade(engine)
    migrate.check(engine)
    engine.dispose()


def test_names_sort_by_their_bytes(engine: Engine):
    migrate.upgrade(engine)
    with Database(engine).writing() as connection:
        for name in ("a", "B", "é", "b", "_", "A"):
            runs.lock_project(connection, name)
        found = [project.name for project, _ in runs.list_projects(connection, limit=9, after=None)]
    assert found == ["A", "B", "_", "a", "b", "é"]
    engine.dispose()


def test_downgraded_to_base_nothing_of_ours_is_left(engine: Engine):
    migrate.upgrade(engine)
    fill(engine)
    migrate.downgrade(engine, "base")
    assert migrate.current(engine) is None
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    migrate.upgrade(engine)
    fill(engine)
    assert stored_points(engine) == 3
    engine.dispose()


def test_a_failed_migration_of_an_empty_database_leaves_it_empty(engine: Engine, tmp_path: Path):
    with pytest.raises(RuntimeError, match="half-way"):
        migrate.upgrade(engine, scripts_with(tmp_path, FAILS_HALF_WAY))
    assert inspect(engine).get_table_names() == []
    migrate.upgrade(engine)
    migrate.check(engine)
    engine.dispose()


def test_a_failed_migration_of_a_used_database_changes_nothing(engine: Engine, tmp_path: Path):
    migrate.upgrade(engine)
    fill(engine)
    with pytest.raises(RuntimeError, match="half-way"):
        migrate.upgrade(engine, scripts_with(tmp_path, FAILS_HALF_WAY))
    assert migrate.current(engine) == migrate.head()
    assert "half" not in inspect(engine).get_table_names()
    with Database(engine).reading() as connection:
        assert runs.find_project(connection, "p") is not None
    assert stored_points(engine) == 3
    engine.dispose()


def test_rebuilding_a_table_keeps_what_refers_to_it(engine: Engine, tmp_path: Path):
    scripts = scripts_with(tmp_path, REBUILDS_RUNS)
    migrate.upgrade(engine)
    fill(engine)
    migrate.upgrade(engine, scripts)
    assert "note" in {column["name"] for column in inspect(engine).get_columns("runs")}
    assert stored_points(engine) == 3
    migrate.downgrade(engine, migrate.head(), scripts)
    assert stored_points(engine) == 3
    engine.dispose()


def test_a_migration_that_breaks_references_is_taken_back(tmp_path: Path):
    # On SQLite only: foreign keys are off there while a migration runs. Postgres deletes what refers to the run.
    engine = make_engine(f"sqlite:///{tmp_path}/x.db")
    migrate.upgrade(engine)
    fill(engine)
    with pytest.raises(SchemaMismatch, match="refer to nothing"):
        migrate.upgrade(engine, scripts_with(tmp_path, DELETES_RUNS))
    assert migrate.current(engine) == migrate.head()
    with Database(engine).reading() as connection:
        assert runs.count_runs(connection, 1) == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_prepare_migrates_a_sqlite_file_and_only_checks_a_postgres(engine: Engine, tmp_path: Path):
    if engine.dialect.name == "sqlite":
        migrate.prepare(engine)
        migrate.prepare(engine, scripts_with(tmp_path, REBUILDS_RUNS))
        assert migrate.current(engine) == "9001"
    else:
        with pytest.raises(SchemaMismatch, match="curvewise migrate --database-url 'postgresql://"):
            migrate.prepare(engine)
        assert inspect(engine).get_table_names() == []
        migrate.upgrade(engine)
        migrate.prepare(engine)
        with pytest.raises(SchemaMismatch, match=r"is at revision .* needs 9001; run: curvewise migrate"):
            migrate.prepare(engine, scripts_with(tmp_path, REBUILDS_RUNS))
    engine.dispose()


def test_the_command_to_run_does_not_tell_the_password(postgres_url: str):
    engine = make_engine(postgres_url)
    engine.url = engine.url.set(password="hunter2")  # the server trusts everyone, so only the words change
    with pytest.raises(SchemaMismatch, match=r"\*\*\*") as refused:
        migrate.prepare(engine)
    assert "hunter2" not in str(refused.value)
    engine.dispose()


def test_a_newer_database_is_refused(engine: Engine, tmp_path: Path):
    migrate.upgrade(engine, scripts_with(tmp_path, REBUILDS_RUNS))
    for refuse in (migrate.prepare, migrate.check, migrate.upgrade):
        with pytest.raises(SchemaMismatch, match="revision 9001, which this version of Curvewise does not know"):
            refuse(engine)
    with pytest.raises(SchemaMismatch, match="9001"):
        migrate.downgrade(engine, "base")
    assert migrate.current(engine) == "9001"
    engine.dispose()


def test_a_database_of_another_program_is_left_alone(engine: Engine):
    with Database(engine).writing() as connection:
        connection.execute(text("CREATE TABLE runs (run_uuid TEXT)"))
    with pytest.raises(SchemaMismatch, match=r"another program \(runs\)"):
        migrate.prepare(engine)
    assert inspect(engine).get_table_names() == ["runs"]
    engine.dispose()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("not a database, only some notes on one\n" * 100)
    engine = make_engine(f"sqlite:///{tmp_path}/notes.txt")
    with pytest.raises(SchemaMismatch, match="not a SQLite database"):
        migrate.prepare(engine)
    engine.dispose()


def test_a_missing_folder_is_unavailable(tmp_path: Path):
    with pytest.raises(StorageUnavailable, match="unable to open"):
        migrate.prepare(make_engine(f"sqlite:///{tmp_path}/missing/x.db"))


def test_migrations_that_are_missing_are_named(tmp_path: Path):
    (tmp_path / "versions").mkdir()
    with pytest.raises(SchemaMismatch, match="not installed completely"):
        migrate.head(tmp_path)


def _prepare(url: str) -> None:
    engine = make_engine(url)
    migrate.prepare(engine)
    engine.dispose()


def test_workers_that_start_at_once_migrate_once(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/x.db"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_prepare, args=(url,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrate.head(),)]
    connection.close()
