"""What a point costs on disk, all that is kept because of it included: fresh, and when its chunks are settled.

Not the few hundred kB that a database has which is empty. Values have all the digits of a float64, which nothing can
compress.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, text

from app.curves.curve import FloatArray
from app.curves.points import Points
from app.storage import chunks, runs
from app.storage.chunks import Batch, Known
from app.storage.database import Database
from app.storage.tables import metadata
from app.upkeep import Upkeep

FRESH, SETTLED = 25, 13  # at most [bytes a point]
SETTLED_AFTER = 256  # chunks of one curve, as a server that is written to
STEPS_AN_EPOCH = 391


@pytest.fixture
def quick(database: Database) -> Database:
    """One that does not wait for the disk, which changes no size."""

    def do_not_wait(connection: Any, _record: object) -> None:
        setting = "PRAGMA synchronous = OFF" if database.on_sqlite else "SET synchronous_commit = off"
        connection.execute(setting)
        if not database.on_sqlite:
            connection.commit()

    database.engine.dispose()
    event.listen(database.engine, "connect", do_not_wait)
    return database


def size(database: Database) -> int:
    """Of the SQLite file, or of all tables with what belongs to them on Postgres [bytes]."""
    if database.on_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        file = Path(database.engine.url.database or "")
        return sum(part.stat().st_size for part in file.parent.glob(file.name + "*"))
    query = text("SELECT pg_total_relation_size(to_regclass(:name))")
    with database.reading() as connection:
        return sum(connection.execute(query, {"name": table}).scalar_one() for table in metadata.tables)


def vacuum(database: Database) -> None:
    """What Postgres does by itself about once a minute."""
    if not database.on_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))


def open_runs(database: Database, prefix: str, count: int) -> list[int]:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        return [runs.lock_run(connection, home.id, f"{prefix}{number}")[0].id for number in range(count)]


def written(database: Database, run_ids: Sequence[int], steps: FloatArray, batch: int) -> Iterator[int]:
    """Write these steps of a curve in batches to each of the runs, which take turns; yields how often so far."""
    noise, known = np.random.default_rng(0), Known()
    for number, start in enumerate(range(0, steps.size, batch), 1):
        part = steps[start : start + batch]
        # One transaction for all, as when their requests arrive together.
        points = [Points("train/loss", part, 2 * noise.random(part.size)) for _ in run_ids]
        with database.writing() as connection:
            batches = [Batch(run_id, 1, [one]) for run_id, one in zip(run_ids, points, strict=True)]
            chunks.write(connection, batches, known)
        yield number


def made_steps(count: int, unit: str, order: str) -> FloatArray:
    """Every step of a run, counted in updates or in epochs; shuffled over the whole run, which is the worst order."""
    steps = np.arange(count) / (STEPS_AN_EPOCH if unit == "epochs" else 1)
    return np.random.default_rng(1).permutation(steps) if order == "shuffled" else steps


@pytest.mark.parametrize("order", ["ordered", "shuffled"])
@pytest.mark.parametrize("unit", ["updates", "epochs"])
@pytest.mark.parametrize("batch", [100, 1000])
def test_a_fresh_point(quick: Database, batch: int, unit: str, order: str):
    empty = size(quick)
    run_ids = open_runs(quick, "r", 8)
    steps = made_steps(100_000 if batch == 1000 else 25_000, unit, order)
    for _ in written(quick, run_ids, steps, batch):
        pass
    assert (size(quick) - empty) / (len(run_ids) * steps.size) <= FRESH


@pytest.mark.parametrize("order", ["ordered", "shuffled"])
@pytest.mark.parametrize("unit", ["updates", "epochs"])
@pytest.mark.parametrize(
    ("batch", "at_once", "steps"), [(1, 20, 2048), (10, 5, 10_000), (100, 2, 50_000), (1000, 1, 100_000)]
)
def test_a_settled_point(quick: Database, batch: int, at_once: int, steps: int, unit: str, order: str):
    if not quick.on_sqlite and (batch < 100 or unit == "updates"):
        pytest.skip("up to a minute each: among the long ones")
    assert_settled_points_are_small(quick, made_steps(steps, unit, order), batch, at_once)


@pytest.mark.long
@pytest.mark.parametrize("order", ["ordered", "shuffled"])
@pytest.mark.parametrize("unit", ["updates", "epochs"])
@pytest.mark.parametrize(("batch", "at_once", "steps"), [(1, 5, 16_384), (10, 5, 10_000), (100, 2, 50_000)])
def test_a_settled_point_at_length(quick: Database, batch: int, at_once: int, steps: int, unit: str, order: str):
    assert_settled_points_are_small(quick, made_steps(steps, unit, order), batch, at_once)


def assert_settled_points_are_small(database: Database, steps: FloatArray, batch: int, at_once: int) -> None:
    # Postgres keeps the room that runs took while they were written, for the next ones: so there are next ones.
    empty, groups = size(database), [at_once] * (1 if database.on_sqlite else 10)
    points = write_and_settle(database, steps, batch, groups)
    assert (size(database) - empty) / points <= SETTLED


def write_and_settle(database: Database, steps: FloatArray, batch: int, groups: Sequence[int]) -> int:
    """Groups of so many runs, those of a group at once, settled as a server does it; how many points [points]."""
    upkeep = Upkeep(database)
    last = -(-steps.size // batch)
    for group, count in enumerate(groups):
        run_ids = open_runs(database, f"{group}-", count)
        for number in written(database, run_ids, steps, batch):
            if number % SETTLED_AFTER == 0 or number == last:
                for run_id in run_ids:
                    upkeep.settle(run_id)
                database.shrink()
                vacuum(database)
    return sum(groups) * steps.size
