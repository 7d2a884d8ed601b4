"""Diagnoses are kept whole, and go with their run."""

import numpy as np

from app import archive
from app.curves.points import Points
from app.service import Service
from app.storage import chunks, deletion, diagnoses, runs
from app.storage.chunks import Batch
from app.storage.database import Database
from app.storage.diagnoses import Kept
from app.upkeep import Upkeep


def open_run(database: Database, state: str = "finished") -> tuple[runs.StoredProject, runs.StoredRun]:
    values = np.array([2.3, 9.5, 80.1, np.inf, np.nan])
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        run, _ = runs.lock_run(connection, home.id, "r")
        context = type(run.context)(**{**vars(run.context), "state": state})
        runs.save_run(connection, runs.StoredRun(**{**vars(run), "context": context}))
        chunks.write(connection, [Batch(run.id, None, [Points("train/loss", np.arange(5.0), values)])])
    with database.reading() as connection:
        found = runs.find_run(connection, home.id, "r")
    assert found
    return home, found


def test_what_is_kept_is_what_was_judged(database: Database) -> None:
    home, run = open_run(database)
    with database.reading() as connection:
        judged = archive.judge_stored(connection, home, run)
    assert judged.findings
    for _ in range(2):
        with database.writing() as connection:
            diagnoses.keep(connection, {run.id: Kept("v", judged), 999: Kept("v", judged)})
    with database.reading() as connection:
        assert diagnoses.find(connection, [run.id, 999]) == {run.id: Kept("v", judged)}
        assert diagnoses.find(connection, [run.id], proposed=True) == {}


def test_a_closed_run_is_kept_and_not_judged_again(database: Database) -> None:
    home, run = open_run(database)
    upkeep = Upkeep(database)
    first = Service(database, None, upkeep).diagnose("p", "r")  # type: ignore[arg-type]
    upkeep.keep_diagnoses()
    with database.reading() as connection:
        kept = diagnoses.find(connection, [run.id])
    assert kept == {run.id: Kept(archive.version(home, run), first)}
    marked = type(first)(**{**vars(first), "catalogue": "told before"})
    with database.writing() as connection:
        diagnoses.keep(connection, {run.id: Kept(archive.version(home, run), marked)})
    assert Service(database, None, upkeep).diagnose("p", "r") == marked  # type: ignore[arg-type]
    with database.writing() as connection:
        diagnoses.keep(connection, {run.id: Kept("another version", marked)})
    assert Service(database, None, upkeep).diagnose("p", "r") == first  # type: ignore[arg-type]


def test_a_running_run_is_not_kept(database: Database) -> None:
    _, run = open_run(database, "running")
    upkeep = Upkeep(database)
    Service(database, None, upkeep).diagnose("p", "r")  # type: ignore[arg-type]
    upkeep.keep_diagnoses()
    with database.reading() as connection:
        assert diagnoses.find(connection, [run.id]) == {}


def test_what_is_kept_goes_with_its_run(database: Database) -> None:
    home, run = open_run(database)
    with database.writing() as connection:
        diagnoses.keep(connection, {run.id: Kept("v", archive.judge_stored(connection, home, run))})
        deletion.mark_run(connection, run.id)
    while deletion.erase_some(database):
        pass
    with database.reading() as connection:
        assert diagnoses.versions(connection, [run.id], proposed=False) == {}
