"""MLflow's SQLite store: many runs in one file. NaN is a flag there, and the largest float64 stands for infinity."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.mlflow_runs import Point, state_of, to_run

HEAD = b"SQLite format 3\0"
_INFINITE = 1.797e308  # MLflow writes 1.7976931348623157e308 for infinity
_TABLES = {"experiments", "runs", "metrics"}


def tables(path: Path) -> set[str]:
    """The names of a SQLite file's tables. Raises UnreadableFile."""
    try:
        with closing(_open(path)) as database:
            return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    # What is wrong is told in the damaged file's own words; a record that claims to be huge ends in a MemoryError.
    except (sqlite3.Error, UnicodeError, MemoryError) as error:
        raise UnreadableFile(str(path), f"a SQLite database that cannot be read: {_line(error)}") from error


def is_store(path: Path) -> bool:
    """Whether a SQLite file is MLflow's. Raises UnreadableFile."""
    return tables(path) >= _TABLES


def read(path: Path) -> Iterator[ImportedRun]:
    """Every run that was not deleted and logged a metric, in the order they began. Raises UnreadableFile."""
    try:
        with closing(_open(path)) as database:
            runs = database.execute(
                "SELECT run_uuid, name, status FROM runs WHERE lifecycle_stage IS NOT 'deleted'"
                " ORDER BY start_time, run_uuid"
            ).fetchall()
            for run_id, name, status in runs:
                if points := _points(database, run_id):
                    yield to_run(
                        str(path),
                        points,
                        name=str(name or run_id),
                        state=state_of(status),
                        config=dict(_pairs(database, "params", run_id)),
                        tags={k: v for k, v in _pairs(database, "tags", run_id) if not k.startswith("mlflow.")},
                        notes=(),
                    )
    except (sqlite3.Error, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise UnreadableFile(str(path), f"an MLflow database that cannot be read: {_line(error)}") from error


def _open(path: Path) -> sqlite3.Connection:
    """For reading alone: MLflow may go on writing."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)


def _points(database: sqlite3.Connection, run_id: str) -> dict[str, list[Point]]:
    query = "SELECT key, timestamp, value, is_nan, step FROM metrics WHERE run_uuid = ? ORDER BY rowid"
    points: dict[str, list[Point]] = {}
    for key, time, value, is_nan, step in database.execute(query, (run_id,)):
        number = math.nan if is_nan else math.copysign(math.inf, value) if abs(value) >= _INFINITE else float(value)
        points.setdefault(str(key), []).append(Point(int(time), number, int(step)))
    return points


def _pairs(database: sqlite3.Connection, table: str, run_id: str) -> Iterator[tuple[str, str]]:
    names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if table in names:
        for key, value in database.execute(f"SELECT key, value FROM {table} WHERE run_uuid = ?", (run_id,)):  # noqa: S608
            yield str(key), str(value)


def _line(error: Exception) -> str:
    """What SQLite says, in one line: it may quote the statement that made a damaged table."""
    return " ".join(str(error).split()) or "it asks for more memory than there is"
