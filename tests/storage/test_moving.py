"""What is copied from one database to another is the same there, and appears when it is whole."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, select

from app.curves.points import Points
from app.ensembles.predictions import checked
from app.errors import InvalidInput, UnknownProject
from app.storage import chunks, compaction, migrate, mlflow, moving, predictions, rolling_up, runs, searches
from app.storage.chunks import Batch
from app.storage.database import Database, make_engine
from app.storage.histories import History, points_of
from app.storage.tables import attempts, bins, curves, mlflow_assets, projects
from app.storage.tables import chunks as chunk_table
from app.storage.tables import predictions as prediction_table
from app.storage.tables import runs as run_table

# A NaN with bits of its own, as a framework may use to say why.
PAYLOAD = np.array([0xFFF8_DEAD_0000_0001], np.uint64).view(np.float64)[0]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    """A SQLite file with this version's schema and something in it already."""
    opened = Database(make_engine(f"sqlite:///{tmp_path}/other.db"))
    migrate.upgrade(opened.engine)
    fill(opened, "there", runs_each=1)
    yield opened
    opened.close()


def fill(database: Database, project: str, runs_each: int = 3) -> None:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, project)
        roles = {"objective": "val/loss"}
        runs.save_project(connection, runs.StoredProject(**{**vars(home), "roles": roles, "roll_up_after_days": 7}))
        mlflow.save_experiment(connection, home.id, mlflow.ExperimentFacts("a/b", "s3://there", {"team": "vision"}))
        for name in ("unused", "rates"):
            searches.add(connection, home.id, name, {"space": {"\ud800": [1e-5, None]}})
        search = searches.find(connection, home.id, "rates")
        assert search
    for number in range(runs_each):
        with database.writing() as connection:
            run, _ = runs.lock_run(connection, home.id, f"r{number}")
            facts = {"config": {"lr": float("nan"), "text": "\x00\ud800"}, "tags": {"a": "b"}, "commit": "9fceb02"}
            facts |= {"search_id": search.id, "search_step": 4} if number else {}
            runs.save_run(connection, runs.StoredRun(**{**vars(run), **facts}))
            mlflow.save_run(connection, run.id, mlflow.RunFacts(id=f"{number:032x}", user="me", status="KILLED"))
            for name in ("a", "b"):
                mlflow.keep_asset(connection, run.id, "input", name, {"text": "\x00", "number": number})
            for step in (2.0, 5.5):
                found = checked({"values": np.full(4, step), "targets": np.arange(4.0)})
                predictions.keep(
                    connection, run.id, predictions.now_posted(step, found, step, None), predictions.pack(found)
                )
        for attempt, batch in product((1, 2), range(4)):
            values = np.array([PAYLOAD, np.nan, -np.inf, 5e-324, 1e308])
            parts = [Points(name, np.arange(5.0) + 5 * batch, values) for name in ("loss", "val/loss")]
            with database.writing() as connection:
                chunks.write(connection, [Batch(run.id, attempt, parts)])
            if batch == 2 and number == 0:
                settle(database, run.id)
    with database.writing() as connection:
        run, _ = runs.lock_run(connection, home.id, "long")
        chunks.write(connection, [Batch(run.id, None, [Points("loss", np.arange(70_000.0), np.ones(70_000))])])
    settle(database, run.id)
    rolling_up.roll_up(database, run.id)
    with database.writing() as connection:
        runs.lock_run(connection, home.id, "empty")


def settle(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        found = list(compaction.tails(connection, run_id))
    for curve in found:
        compaction.compact(database, run_id, curve)


def everything(database: Database, project: str) -> list[object]:
    """Every row of the project, without the ids that are the database's own."""
    with database.reading() as connection:
        home = connection.execute(select(projects).where(projects.c.name == project)).mappings().one()
        found: list[object] = [{k: v for k, v in home.items() if k not in {"id", "name"}}]
        found += [replace(one, id=0) for one in searches.listed(connection, home["id"], limit=9, after=None)]
        for run in connection.execute(
            select(run_table).where(run_table.c.project_id == home["id"]).order_by(run_table.c.name)
        ).mappings():
            named = searches.names(connection, [run["search_id"]] if run["search_id"] else [])
            ours = {k: v for k, v in run.items() if k not in {"id", "project_id", "search_id"}}
            found.append({**ours, "search": list(named.values())})
            for table in (curves, attempts, chunk_table, bins, mlflow_assets, prediction_table):
                rows = connection.execute(select(table).where(table.c.run_id == run["id"])).mappings()
                found.append(
                    sorted(([(k, v) for k, v in r.items() if k != "run_id"] for r in rows), key=lambda r: r[:3])
                )
    return found


def copy(source: Database, target: Database, name: str, new_name: str) -> moving.Copied:
    with source.reading() as connection:
        return moving.copy_project(connection, target, name, new_name)


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return moving.project_names(connection)


@pytest.mark.parametrize("slice_points", [2**21, 7])
def test_there_and_back_again_is_the_same(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch, slice_points: int
) -> None:
    monkeypatch.setattr(moving, "_POINTS_AT_ONCE", slice_points)
    fill(database, "p")
    before = everything(database, "p")
    copied = copy(database, other, "p", "p")
    assert (copied.projects, copied.runs, copied.points) == (1, 5, 3 * 2 * 2 * 20 + 70_000)
    assert names(other) == ["p", "there"]
    assert everything(other, "p") == before
    copy(other, database, "p", "q")
    assert names(database) == ["p", "q"]
    assert everything(database, "q") == before


def test_the_histories_of_mlflows_clients_are_copied_and_counted_as_no_points(
    database: Database, other: Database
) -> None:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        run, _ = runs.lock_run(connection, home.id, "r")
        said = History(np.ones(4), np.arange(4.0), np.arange(4.0))
        chunks.write(connection, [Batch(run.id, None, points_of("loss", said, np.arange(4.0)))])
    assert copy(database, other, "p", "p") == moving.Copied(1, 1, 4)
    assert everything(other, "p") == everything(database, "p")


def test_a_copy_goes_on_like_the_original(database: Database, other: Database) -> None:
    fill(database, "p")
    copy(database, other, "p", "p")
    for one in (database, other):
        with one.reading() as connection:
            home = runs.find_project(connection, "p")
            assert home
            run = runs.find_run(connection, home.id, "r0")
            assert run
        with one.writing() as connection:
            points = [
                Points("loss", np.array([3.0, 99.0]), np.array([7.0, 8.0])),
                Points("new", np.ones(1), np.ones(1)),
            ]
            chunks.write(connection, [Batch(run.id, None, points)])
        settle(one, run.id)

    def read(one: Database) -> dict[str, list[list[float]]]:
        with one.reading() as connection:
            home = runs.find_project(connection, "p")
            assert home
            run = runs.find_run(connection, home.id, "r0")
            assert run
            found = chunks.read(connection, run.id, chunks.curve_names(connection, run.id))
        return {name: [c.steps.tolist(), np.nan_to_num(c.values, nan=-1).tolist()] for name, c in found.items()}

    assert read(database) == read(other)
    assert read(other)["loss"][0][-1] == 99


def test_names_that_are_taken_or_unknown_are_refused_and_change_nothing(database: Database, other: Database) -> None:
    fill(database, "there", runs_each=1)
    before = everything(other, "there")
    with pytest.raises(InvalidInput, match="there is a project 'there' already"):
        copy(database, other, "there", "there")
    with pytest.raises(UnknownProject, match="'nowhere'"):
        copy(database, other, "nowhere", "nowhere")
    assert everything(other, "there") == before
    assert names(other) == ["there"]


def test_a_copy_that_fails_leaves_nothing_to_be_seen(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, "p")

    def fail(done: int, of: int) -> None:
        if done == 2:
            assert names(other) == ["there"]
            raise KeyboardInterrupt

    with database.reading() as connection, pytest.raises(KeyboardInterrupt):
        moving.copy_project(connection, other, "p", "p", fail)
    assert names(other) == ["there"]
    # Killed, it could not have cleaned up; the next one does.
    with other.writing() as connection:
        runs.lock_project(connection, f"p{moving._UNFINISHED}")
    copy(database, other, "p", "p")
    assert names(other) == ["p", "there"]


def test_a_name_that_is_taken_meanwhile_is_refused(database: Database, other: Database) -> None:
    fill(database, "p", runs_each=1)

    def take(done: int, of: int) -> None:
        if done == of:
            with other.writing() as connection:
                runs.lock_project(connection, "p")

    with database.reading() as connection, pytest.raises(InvalidInput, match="already"):
        moving.copy_project(connection, other, "p", "p", take)
    with other.reading() as connection:
        assert runs.count_runs(connection, runs.find_project(connection, "p").id) == 0  # type: ignore[union-attr]


def test_of_two_copies_at_once_the_later_one_is_whole(database: Database, other: Database) -> None:
    fill(database, "p", runs_each=1)
    before = everything(database, "p")

    def begin_another(done: int, of: int) -> None:
        if done == 1:
            with database.reading() as connection:
                moving.copy_project(connection, other, "p", "p")

    with database.reading() as connection, pytest.raises(InvalidInput, match="meanwhile"):
        moving.copy_project(connection, other, "p", "p", begin_another)
    assert names(other) == ["p", "there"]
    assert everything(other, "p") == before


def test_a_copy_is_nothing_to_be_seen_or_rolled_up_before_it_is_whole(database: Database, other: Database) -> None:
    fill(database, "p", runs_each=1)

    def look(done: int, of: int) -> None:
        with other.reading() as connection:
            assert [home.name for home, _ in runs.list_projects(connection, limit=9, after=None)] == ["there"]
            far = datetime.now(UTC) + timedelta(days=999)
            assert set(rolling_up.due(connection, far)) == of_there

    with other.reading() as connection:
        of_there = set(rolling_up.due(connection, datetime.now(UTC) + timedelta(days=999)))
    with database.reading() as connection:
        moving.copy_project(connection, other, "p", "p", look)


def test_nobody_settles_what_is_not_all_there(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_CHUNKS_AT_ONCE", 2)
    fill(database, "p", runs_each=1)
    seen = []

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO chunks"):
            with other.reading() as reading:
                seen.append(compaction.with_tails(reading, runs.ids_after(reading, 0, 100)))

    event.listen(other.engine, "before_cursor_execute", look)
    with other.reading() as reading:
        before = compaction.with_tails(reading, runs.ids_after(reading, 0, 100))
    copy(database, other, "p", "p")
    assert len(seen) >= 4
    assert all(one == before for one in seen[:-1])  # the last ones are of the next run
    with other.reading() as reading:
        assert len(compaction.with_tails(reading, runs.ids_after(reading, 0, 100))) == len(before) + 1
