"""Old runs lose points and keep what was judged."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select, update

from app.curves.points import Points
from app.storage import chunks, compaction, rolling_up, runs, thinned
from app.storage.chunks import Batch
from app.storage.database import Database
from app.storage.tables import bins, projects
from app.storage.tables import chunks as chunk_table
from app.storage.tables import runs as run_table

LONG, SHORT = 200_000, 1_000


def open_run(database: Database) -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        return runs.lock_run(connection, home.id, "r")[0].id


def write(database: Database, run_id: int, name: str, steps: np.ndarray, values: np.ndarray) -> None:
    with database.writing() as connection:
        chunks.write(connection, [Batch(run_id, None, [Points(name, steps, values)])])


def settle(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        found = list(compaction.tails(connection, run_id))
    for curve in found:
        compaction.compact(database, run_id, curve)


@pytest.fixture
def run_id(database: Database) -> int:
    """A settled run with a long curve that has a NaN, and a short one."""
    made = open_run(database)
    values = np.exp(-np.arange(LONG) / 5e4) + np.random.default_rng(0).normal(0, 0.05, LONG)
    values[77_777] = np.nan
    write(database, made, "loss", np.arange(float(LONG)), values)
    write(database, made, "val/loss", np.arange(float(SHORT)) * 200, values[:SHORT])
    settle(database, made)
    return made


def read(database: Database, run_id: int) -> tuple[object, ...]:
    names = ["loss", "val/loss"]
    with database.reading() as connection:
        for_rules = thinned.read_for_rules(connection, run_id, names)
        shown = thinned.read_for_display(connection, run_id, names, 500)
    return tuple((c.steps.tobytes(), c.values.tobytes()) for c in (*for_rules.values(), *shown.values()))


def test_rules_and_drawings_see_what_they_saw(database: Database, run_id: int) -> None:
    before = read(database, run_id)
    rolling_up.roll_up(database, run_id)
    assert read(database, run_id) == before
    with database.reading() as connection:
        left = chunks.read(connection, run_id, ["loss", "val/loss"])
        stored = {one.name: one.points for one in chunks.stored_curves(connection, [run_id])[run_id]}
        size = connection.execute(
            select(func.sum(func.length(chunk_table.c.block)) + func.sum(func.length(bins.c.bins))).join_from(
                chunk_table, bins, (bins.c.curve == chunk_table.c.curve) & (bins.c.run_id == chunk_table.c.run_id)
            )
        ).scalar_one()
    assert stored == {"loss": LONG, "val/loss": SHORT}  # what the job logged
    assert len(left["val/loss"]) == SHORT
    assert len(left["loss"]) == 2048 + 3  # the means, the NaN, and both ends
    assert (left["loss"].steps[0], left["loss"].steps[-1]) == (0, LONG - 1)
    assert np.flatnonzero(np.isnan(left["loss"].values)).size == 1
    assert size < LONG  # less than a byte a point, of nine


def test_points_after_rolling_up_are_kept_as_they_are(database: Database, run_id: int) -> None:
    rolling_up.roll_up(database, run_id)
    write(database, run_id, "loss", np.arange(LONG, LONG + 100.0), np.full(100, 0.25))
    settle(database, run_id)
    with database.reading() as connection:
        loss = chunks.read(connection, run_id, ["loss"])["loss"]
        judged = thinned.read_for_rules(connection, run_id, ["loss"])["loss"]
    assert len(loss) == 2048 + 3 + 100
    assert loss.values[-100:].tolist() == [0.25] * 100
    assert len(judged) == 2048 + 3 + 100


def test_runs_are_due_by_their_age_and_their_projects_wish(database: Database, run_id: int) -> None:
    now = datetime.now(UTC)

    def due(days: float) -> list[int]:
        with database.reading() as connection:
            return rolling_up.due(connection, now + timedelta(days=days))

    assert due(1000) == []  # nobody asked for it
    with database.writing() as connection:
        connection.execute(update(projects).values(roll_up_after_days=30))
    assert due(29) == []
    assert due(31) == [run_id]
    rolling_up.roll_up(database, run_id)
    assert due(31) == []
    write(database, run_id, "loss", np.array([1e6]), np.ones(1))  # resumed
    assert due(29) == []
    assert due(31) == [run_id]
    with database.writing() as connection:
        connection.execute(update(run_table).values(project_id=None))
    assert due(31) == []


def test_rolling_up_tells_readers_that_something_changed(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        home = runs.find_project(connection, "p")
        assert home
        before = runs.find_run(connection, home.id, "r")
    rolling_up.roll_up(database, run_id)
    rolling_up.roll_up(database, run_id)  # again changes no curve
    with database.reading() as connection:
        after = runs.find_run(connection, home.id, "r")
    assert before
    assert after
    assert before.rolled_up_at is None
    assert after.rolled_up_at is not None
    assert after.revision == before.revision + 2
    assert after.updated_at == before.updated_at


def test_a_run_that_goes_while_it_is_rolled_up_leaves_nothing(database: Database, run_id: int) -> None:
    with database.writing() as connection:
        connection.execute(chunk_table.delete())
        connection.execute(bins.delete())
        connection.execute(run_table.delete())
    rolling_up.roll_up(database, run_id)
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(chunk_table)).scalar_one() == 0
