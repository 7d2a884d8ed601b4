"""Background work finds what is to be done, also after somebody else has died, and stops when told."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import Table, func, select, update

from app import upkeep
from app.curves.points import Points
from app.storage import chunks, deletion, runs
from app.storage.chunks import Batch
from app.storage.database import Database
from app.storage.tables import bins
from app.storage.tables import chunks as chunk_table
from app.storage.tables import runs as run_table
from app.upkeep import Upkeep


def open_run(database: Database, points: int = 10, batches: int = 3) -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        runs.save_project(connection, runs.StoredProject(**{**vars(home), "roll_up_after_days": 1}))
        run_id = runs.lock_run(connection, home.id, "r")[0].id
    for batch in range(batches):
        part = Points("loss", np.arange(float(points)) + points * batch, np.ones(points))
        with database.writing() as connection:
            chunks.write(connection, [Batch(run_id, None, [part])])
    return run_id


def count(database: Database, table: Table) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def rolled_up(database: Database) -> bool:
    with database.reading() as connection:
        return connection.execute(select(run_table.c.rolled_up_at)).scalar_one() is not None


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to hold within 15 s")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_TICK_S", 0.05)


@pytest.mark.usefixtures("quick")
def test_what_others_left_behind_is_found_at_start(database: Database) -> None:
    kept = open_run(database, points=30_000)
    with database.writing() as connection:
        gone = runs.lock_run(connection, runs.lock_project(connection, "p")[0].id, "gone")[0].id
        deletion.mark_run(connection, gone)
        old = datetime(2020, 1, 1, tzinfo=UTC)
        connection.execute(update(run_table).where(run_table.c.id == kept).values(updated_at=old))
    worker = Upkeep(database)
    worker.start()
    try:
        eventually(lambda: count(database, run_table) == 1)
        eventually(lambda: count(database, chunk_table) == count(database, bins) == 1)
        eventually(lambda: rolled_up(database))
    finally:
        worker.stop()


@pytest.mark.usefixtures("quick")
def test_a_deletion_is_carried_out_soon(database: Database) -> None:
    run_id = open_run(database)
    worker = Upkeep(database)
    worker.start()
    try:
        time.sleep(0.3)  # the first sweep is over
        with database.writing() as connection:
            deletion.mark_run(connection, run_id)
        worker.note_deletion()
        eventually(lambda: count(database, chunk_table) == count(database, run_table) == 0)
    finally:
        worker.stop()


def test_stopping_does_not_wait_for_all_the_work(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "_CHUNKS_AT_ONCE", 1)
    monkeypatch.setattr(upkeep, "_BREATH_S", 0.2)
    run_id = open_run(database, batches=20)
    with database.writing() as connection:
        deletion.mark_run(connection, run_id)
    worker = Upkeep(database)
    worker.note_deletion()
    worker.start()
    eventually(lambda: count(database, chunk_table) < 20)
    worker.stop()
    assert count(database, chunk_table) > 0
