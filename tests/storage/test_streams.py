"""A curve in pieces is the curve, whatever happens to its chunks meanwhile."""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from sqlalchemy import delete

from app.curves.curve import Curve
from app.curves.points import Points
from app.errors import UnknownRun
from app.storage import chunks, compaction, runs, streams
from app.storage.chunks import Batch
from app.storage.database import Database
from app.storage.tables import runs as run_table


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PIECE", 10)


@pytest.fixture
def run_id(database: Database) -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        return runs.lock_run(connection, home.id, "r")[0].id


def write(database: Database, run_id: int, name: str, steps: Iterable[float], value: float, attempt: int = 1) -> None:
    at = np.array(list(steps), float)
    with database.writing() as connection:
        chunks.write(connection, [Batch(run_id, attempt, [Points(name, at, np.full(at.size, value))])])


def settle(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        found = list(compaction.tails(connection, run_id))
    for curve in found:
        compaction.compact(database, run_id, curve)


def joined(pieces: Sequence[Curve]) -> dict[str, tuple[list[float], list[float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    for piece in pieces:
        assert len(piece)
        steps, values = found.setdefault(piece.name, ([], []))
        steps += piece.steps.tolist()
        values += piece.values.tolist()
    return found


def whole(database: Database, run_id: int, names: Sequence[str]) -> dict[str, tuple[list[float], list[float]]]:
    with database.reading() as connection:
        found = chunks.read(connection, run_id, names)
    return {name: (curve.steps.tolist(), curve.values.tolist()) for name, curve in found.items()}


@pytest.mark.parametrize("settled", [False, True])
def test_pieces_make_the_curve(database: Database, run_id: int, settled: bool) -> None:
    for start in range(0, 60, 6):
        write(database, run_id, "loss", range(start, start + 6), start)
        write(database, run_id, "val/loss", [start], np.inf)
    if settled:
        settle(database, run_id)
    for late in (3.5, 17, 41):
        write(database, run_id, "loss", [late], 2)
    write(database, run_id, "loss", range(50, 90), 3, attempt=2)
    found = list(streams.pieces(database, run_id, ["loss", "val/loss"]))
    assert joined(found) == whole(database, run_id, ["loss", "val/loss"])
    assert settled or len(found) >= 6
    assert list(streams.pieces(database, run_id, [])) == []


def test_no_piece_is_much_longer_than_it_must_be(database: Database, run_id: int) -> None:
    for start in range(0, 1000, 5):
        write(database, run_id, "loss", range(start, start + 5), 1)
    assert {len(piece) for piece in streams.pieces(database, run_id, ["loss"])} == {10}


def test_compaction_and_writes_meanwhile_lose_nothing(database: Database, run_id: int) -> None:
    for start in range(0, 60, 6):
        write(database, run_id, "loss", range(start, start + 6), 1)
    stream = streams.pieces(database, run_id, ["loss"])
    found = [next(stream)]
    settle(database, run_id)
    found.append(next(stream))
    write(database, run_id, "loss", [0.5, 70], 2)
    settle(database, run_id)
    found += stream
    steps, _ = joined(found)["loss"]
    assert steps == sorted(set(steps))
    assert set(range(60)) <= set(steps)


def test_a_run_deleted_meanwhile_is_no_shorter_run(database: Database, run_id: int) -> None:
    for start in range(0, 60, 6):
        write(database, run_id, "loss", range(start, start + 6), 1)
    stream = streams.pieces(database, run_id, ["loss"])
    next(stream)
    with database.writing() as connection:
        connection.execute(delete(run_table).where(run_table.c.id == run_id))
    with pytest.raises(UnknownRun, match="while it was read"):
        list(stream)
