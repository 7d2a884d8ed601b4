"""What is deleted is out of sight at once, and off the disk slice by slice."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import func, select

from app.curves.points import Points
from app.ensembles.predictions import checked
from app.errors import UnknownRun
from app.storage import chunks, compaction, deletion, mlflow, predictions, runs
from app.storage.chunks import Batch, Known
from app.storage.database import Database
from app.storage.tables import attempts, bins, curves, mlflow_assets, projects
from app.storage.tables import chunks as chunk_table
from app.storage.tables import predictions as prediction_table
from app.storage.tables import runs as run_table

TABLES = (projects, run_table, curves, attempts, chunk_table, bins, mlflow_assets, prediction_table)


def open_run(database: Database, project: str, name: str, batches: int = 3) -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, project)
        run_id = runs.lock_run(connection, home.id, name)[0].id
        mlflow.keep_asset(connection, run_id, "input", "data", {"digest": "ab12"})
    for batch in range(batches):
        write(database, run_id, batch)
    return run_id


def write(database: Database, run_id: int, batch: int = 0, known: Known | None = None) -> None:
    part = Points("loss", np.arange(10.0) + 10 * batch, np.ones(10))
    with database.writing() as connection:
        chunks.write(connection, [Batch(run_id, None, [part])], known)


def rows(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        return {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in TABLES}


def mark_run(database: Database, run_id: int) -> None:
    with database.writing() as connection:
        deletion.mark_run(connection, run_id)


def mark_project(database: Database, name: str) -> None:
    with database.writing() as connection:
        found = runs.find_project(connection, name)
        assert found
        deletion.mark_project(connection, found.id)


def erase(database: Database) -> int:
    slices = 0
    while deletion.erase_some(database):
        slices += 1
    return slices


def test_a_deleted_run_goes_and_nothing_else_does(database: Database) -> None:
    kept = open_run(database, "p", "kept")
    before = rows(database)
    gone = open_run(database, "p", "gone")
    mark_run(database, gone)
    with database.reading() as connection:
        home = runs.find_project(connection, "p")
        assert home
        assert [run.id for run in runs.list_runs(connection, home.id, limit=10, after=None)] == [kept]
        assert runs.count_runs(connection, home.id) == 1
        assert runs.ids_after(connection, 0, 10) == [kept]
    assert erase(database) == 1
    assert rows(database) == before


def test_a_deleted_project_goes_with_all_its_runs(database: Database) -> None:
    open_run(database, "kept", "r")
    before = rows(database)
    for name in ("a", "b"):
        open_run(database, "gone", name)
    mark_project(database, "gone")
    with database.reading() as connection:
        assert [p.name for p, _ in runs.list_projects(connection, limit=10, after=None)] == ["kept"]
    erase(database)
    assert rows(database) == before


def test_a_name_is_free_at_once_and_the_new_run_has_nothing_of_the_old(database: Database) -> None:
    old = open_run(database, "p", "r")
    mark_run(database, old)
    fresh = open_run(database, "p", "r", batches=1)
    assert fresh > old
    mark_project(database, "p")
    newest = open_run(database, "p", "r", batches=1)
    erase(database)
    one_each = dict.fromkeys(("projects", "runs", "curves", "attempts", "chunks", "mlflow_assets"), 1)
    assert rows(database) == {**one_each, "bins": 0, "predictions": 0}
    with database.reading() as connection:
        assert len(chunks.read(connection, newest, ["loss"])["loss"]) == 10


@pytest.mark.parametrize("how", ["run", "project"])
def test_nobody_writes_to_what_was_deleted(database: Database, how: str) -> None:
    known = Known()
    run_id = open_run(database, "p", "r")
    write(database, run_id, 7, known)
    if how == "run":
        mark_run(database, run_id)
    else:
        mark_project(database, "p")
    with pytest.raises(UnknownRun):
        write(database, run_id, 8, known)
    erase(database)
    with pytest.raises(UnknownRun):
        write(database, run_id, 9, known)


def test_a_long_run_goes_in_slices_of_bounded_size(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "_CHUNKS_AT_ONCE", 4)
    run_id = open_run(database, "p", "r", batches=10)
    mark_run(database, run_id)
    left = []
    while deletion.erase_some(database):
        left.append(rows(database)["chunks"])
    assert left == [6, 2, 0]
    monkeypatch.setattr(deletion, "_POINTS_AT_ONCE", 25)
    mark_run(database, open_run(database, "p", "r", batches=5))
    left = []
    while deletion.erase_some(database):
        left.append(rows(database)["chunks"])
    assert left == [3, 1, 0]


def test_predictions_go_in_slices_too(database: Database) -> None:
    run_id = open_run(database, "p", "r", batches=1)
    found = checked({"values": np.zeros(3), "targets": np.ones(3)})
    with database.writing() as connection:
        for step in range(9):
            known = predictions.now_posted(float(step), found, 1.0, None)
            assert predictions.keep(connection, run_id, known, predictions.pack(found))
    mark_run(database, run_id)
    left = []
    while deletion.erase_some(database):
        left.append(rows(database)["predictions"])
    assert left == [5, 1, 0]
    assert rows(database)["runs"] == 0


def test_a_chunk_larger_than_a_slice_goes_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "_POINTS_AT_ONCE", 5)
    mark_run(database, open_run(database, "p", "r", batches=2))
    assert erase(database) == 2
    assert rows(database)["runs"] == 0


def test_several_processes_may_erase_and_settle_at_once(database: Database) -> None:
    run_ids = [open_run(database, "p", f"r{number}", batches=8) for number in range(12)]
    kept = open_run(database, "p", "kept")
    for run_id in run_ids:
        mark_run(database, run_id)

    def settle(run_id: int) -> None:
        with database.reading() as connection:
            found = list(compaction.tails(connection, run_id))
        for curve in found:
            compaction.compact(database, run_id, curve)

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(settle, run_id) for run_id in run_ids]
        futures += [pool.submit(erase, database) for _ in range(3)]
        for future in futures:
            future.result()
    erase(database)
    with database.reading() as connection:
        assert list(connection.execute(select(run_table.c.id)).scalars()) == [kept]
        assert connection.execute(select(chunk_table.c.run_id).distinct()).scalars().all() == [kept]
