"""Transactions that touch the same runs at once wait for each other, never both; on SQLite there is one at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import pytest
from sqlalchemy import delete, event, select

from app.curves.points import Points
from app.storage import chunks, deletion, migrate, runs
from app.storage.chunks import Batch
from app.storage.database import Database, make_engine
from app.storage.tables import chunks as chunk_table
from app.storage.tables import curves
from app.storage.tables import runs as run_table

LONG_ENOUGH_S = 0.3  # for the other to have begun to wait


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    opened = Database(make_engine(postgres_url))
    migrate.upgrade(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def run_id(database: Database) -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        made = runs.lock_run(connection, home.id, "r")[0].id
        chunks.write(connection, [Batch(made, None, [Points("loss", np.ones(1), np.ones(1))])])
    return made


def test_a_job_that_resumes_and_one_that_opens_the_run_do_not_wait_for_each_other(
    database: Database, run_id: int
) -> None:
    def open_again() -> bool:
        with database.writing() as connection:
            home, _ = runs.lock_project(connection, "p")
            return runs.lock_run(connection, home.id, "r")[1]

    with ThreadPoolExecutor() as elsewhere:
        with database.writing() as connection:
            chunks.write(connection, [Batch(run_id, 1, [Points("loss", np.ones(1), np.ones(1))])])
            opened = elsewhere.submit(open_again)  # has the project, and waits for the run
            sleep(LONG_ENOUGH_S)
            chunks.write(connection, [Batch(run_id, 2, [Points("loss", np.ones(1), np.ones(1))])])
        assert opened.result(timeout=5) is False


@pytest.mark.parametrize("table", ["projects", "runs"])
def test_what_is_deleted_while_it_is_opened_is_opened_anew(database: Database, run_id: int, table: str) -> None:
    deleted = []

    def delete_meanwhile(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(f"INSERT INTO {table} ") and not deleted:
            deleted.append(table)
            with database.writing() as connection:
                if table == "runs":
                    deletion.mark_run(connection, run_id)
                elif home := runs.find_project(connection, "p"):
                    deletion.mark_project(connection, home.id)

    event.listen(database.engine, "after_cursor_execute", delete_meanwhile)
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        run, created = runs.lock_run(connection, home.id, "r")
    assert deleted
    assert created
    assert run.id > run_id


def test_what_is_erased_while_it_is_settled_is_waited_for(database: Database, run_id: int) -> None:
    with database.writing() as connection:
        deletion.mark_run(connection, run_id)
    with ThreadPoolExecutor() as elsewhere:
        with database.writing() as connection:  # as a compactor does
            held = select(curves.c.settled).where(curves.c.run_id == run_id)
            connection.execute(held.with_for_update(skip_locked=True))
            erased = elsewhere.submit(deletion.erase_some, database)
            sleep(LONG_ENOUGH_S)
            connection.execute(delete(chunk_table).where(chunk_table.c.run_id == run_id))
        assert erased.result(timeout=5)
    with database.reading() as connection:
        assert connection.execute(select(run_table.c.id)).all() == []
