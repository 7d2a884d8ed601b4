"""Runs of any length, put into a database as a server puts them there but without HTTP, and a server to read them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.curves.curve import FloatArray
from app.curves.points import Points
from app.storage import chunks, runs
from app.storage.chunks import Batch
from app.storage.database import Database, make_engine
from app.storage.migrate import upgrade
from app.upkeep import Upkeep

PROJECT = "bench"
_SETTLED_AFTER = 256  # chunks of a curve: when a server that is written to does it
_CHUNKS_AT_ONCE = 64  # in a transaction

Arrays = Mapping[str, tuple[FloatArray, FloatArray]]


@contextmanager
def database(url: str | None) -> Iterator[tuple[str, Database]]:
    """Its URL and itself: a SQLite file that is gone afterwards when none is named, else what is migrated and empty."""
    with TemporaryDirectory(prefix="curvewise-bench-") as folder:
        url = url or f"sqlite:///{Path(folder)}/curvewise.db"
        engine = make_engine(url)
        if engine.dialect.name == "sqlite":
            upgrade(engine)
        opened = Database(engine)
        try:
            yield url, opened
        finally:
            opened.close()


def loss(points: int) -> Arrays:
    """One curve that falls, with all the digits that a loss has."""
    steps = np.arange(points, dtype=np.float64)
    noise = np.random.default_rng(points).standard_normal(points)
    return {"train/loss": (steps, 0.1 + 2.2 * np.exp(-5 * steps / points) + 0.05 * noise)}


def write(into: Database, run: str, curves: Arrays, batch: int = 1000, tail: int = 0) -> int:
    """Write curves of equal length in batches of so many steps [steps], settled on the way; the run's id.

    tail: how many of the last batches are not settled in the end [chunks].
    """
    with into.writing() as connection:
        home, _ = runs.lock_project(connection, PROJECT)
        run_id = runs.lock_run(connection, home.id, run)[0].id
    upkeep = Upkeep(into)
    length = len(next(iter(curves.values()))[0])
    starts = range(0, length, batch)
    settled = len(starts) - tail
    for first in range(0, len(starts), _CHUNKS_AT_ONCE):
        some = starts[first : first + _CHUNKS_AT_ONCE]
        until = settled if first < settled < first + len(some) else first + len(some)
        _write_some(into, run_id, curves, starts[first:until], batch)
        if until == settled or (until < settled and until % _SETTLED_AFTER == 0):
            upkeep.settle(run_id)
        _write_some(into, run_id, curves, starts[until : first + len(some)], batch)
    into.shrink()
    return run_id


def _write_some(into: Database, run_id: int, curves: Arrays, starts: range, batch: int) -> None:
    if not starts:
        return
    with into.writing() as connection:
        for start in starts:
            part = slice(start, start + batch)
            points = [Points(name, steps[part], values[part]) for name, (steps, values) in curves.items()]
            chunks.write(connection, [Batch(run_id, 1, points)])
