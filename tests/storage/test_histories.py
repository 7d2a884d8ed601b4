"""Every value that was said comes back, whatever the background does to the curves that hold it, on each database."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.storage import chunks, compaction, histories, migrate, moving, rolling_up, runs
from app.storage.chunks import Batch
from app.storage.database import Database, make_engine
from app.storage.histories import Arrivals, History, points_of

Said = Sequence[tuple[float, int, int]]  # value, timestamp, step


@pytest.fixture
def run_id(database: Database) -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        run, _ = runs.lock_run(connection, home.id, "r")
        return run.id


def say(database: Database, run_id: int, arrivals: Arrivals, said: Said, attempt: int | None = None) -> None:
    columns = History(*(np.array(column, dtype=np.float64) for column in zip(*said, strict=True)))
    with database.writing() as connection:
        points = points_of("loss", columns, arrivals.take(len(said)))
        chunks.write(connection, [Batch(run_id, attempt, [part for part in points if len(part.steps)])])


def settle(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        found = list(compaction.tails(connection, run_id))
    for curve in found:
        compaction.compact(database, run_id, curve)


def told(database: Database, run_id: int) -> list[tuple[float, int, int]]:
    with database.reading() as connection:
        found = histories.read(connection, run_id, "loss")
    columns = (found.values.tolist(), found.timestamps.astype(int).tolist(), found.steps.astype(int).tolist())
    return list(zip(*columns, strict=True))


def test_numbers_of_arrival_are_unique_between_writers_and_grow() -> None:
    one, other = Arrivals(), Arrivals()
    if one._writer == other._writer:  # one in 4096
        other._writer = (one._writer + 1) % 4096
    taken = np.concatenate([one.take(1000) for _ in range(50)])
    assert all(a < b for a, b in pairwise(taken))
    assert not set(taken) & set(np.concatenate([other.take(1000) for _ in range(50)]))
    assert taken[-1] < 2**53
    assert all(float(int(number)) == number for number in taken)


def test_settled_resumed_and_sent_again_every_value_is_told_once(database: Database, run_id: int) -> None:
    rng = np.random.default_rng(0)
    said: list[tuple[float, int, int]] = []
    for attempt in (1, 2):
        arrivals = Arrivals()
        for batch in range(6):
            part = [(float(rng.normal()), 1000 + int(rng.integers(50)), int(rng.integers(20))) for _ in range(100)]
            say(database, run_id, arrivals, part, attempt)
            if batch % 3 == 0:
                say(database, run_id, arrivals, part, attempt)  # the client got no answer
            if batch == 4:
                settle(database, run_id)
            said += part
    assert sorted(told(database, run_id)) == sorted(said)
    settle(database, run_id)
    assert told(database, run_id) == sorted(said, key=lambda one: (one[1], one[2], one[0]))


def test_values_that_are_no_numbers_keep_their_bits(database: Database, run_id: int) -> None:
    strange = np.array([0x7FF8000000000001, 0x7FF8000000000002, 0xFFF0000000000000, 0x8000000000000000], np.uint64)
    say(database, run_id, Arrivals(), [(value, 1, 0) for value in strange.view(np.float64).tolist()])
    settle(database, run_id)
    with database.reading() as connection:
        found = histories.read(connection, run_id, "loss").values
    assert set(found.view(np.uint64).tolist()) == set(strange.tolist())


def test_the_latest_is_of_the_last_step_also_when_an_older_one_came_late(database: Database, run_id: int) -> None:
    def latest() -> histories.Latest:
        with database.reading() as connection:
            return histories.latest(connection, [run_id])[run_id]["loss"]

    arrivals = Arrivals()
    say(database, run_id, arrivals, [(0.9, 10, 1), (0.8, 20, 2)])
    assert latest() == histories.Latest(0.8, 20, 2)
    say(database, run_id, arrivals, [(0.7, 30, 1)])
    assert latest() == histories.Latest(0.8, 20, 2)
    say(database, run_id, arrivals, [(0.6, 40, 2)])
    assert latest() == histories.Latest(0.6, 40, 2)
    settle(database, run_id)
    assert latest() == histories.Latest(0.6, 40, 2)
    with database.reading() as connection:
        assert histories.latest(connection, []) == {}


def test_a_run_without_steps_is_over_time_and_one_with_steps_is_not(database: Database, run_id: int) -> None:
    arrivals = Arrivals()
    say(database, run_id, arrivals, [(0.9, 5000, 0)])
    assert curve(database, run_id) == ([0.0], [0.9])  # one value at step 0 is just that
    say(database, run_id, arrivals, [(0.8, 7500, 0), (0.7, 9000, 0)])
    settle(database, run_id)
    assert curve(database, run_id) == ([0.0, 2.5, 4.0], [0.9, 0.8, 0.7])
    say(database, run_id, arrivals, [(0.6, 9500, 3)])
    assert curve(database, run_id) == ([0.0, 3.0], [0.7, 0.6])


def curve(database: Database, run_id: int) -> tuple[list[float], list[float]]:
    with database.reading() as connection:
        read = chunks.read(connection, run_id, ["loss"])
        found = histories.over_time_without_steps(connection, run_id, read)["loss"]
    return found.steps.tolist(), found.values.tolist()


def test_a_run_that_was_rolled_up_tells_what_its_bins_say(database: Database, run_id: int) -> None:
    count = 70_000
    said = [(1.0 + i, 10 * i, i) for i in range(count)]
    say(database, run_id, Arrivals(), said)
    settle(database, run_id)
    assert told(database, run_id) == said
    rolling_up.roll_up(database, run_id)
    found = told(database, run_id)
    assert 100 < len(found) < 5000
    assert (found[0], found[-1]) == (said[0], said[-1])
    assert all(abs(value - 1 - step) <= 64 and abs(timestamp / 10 - step) <= 64 for value, timestamp, step in found)


def test_a_history_moves_with_its_project(database: Database, run_id: int, tmp_path: Path) -> None:
    said = [(1.0, 5, 0), (2.0, 4, 0), (3.0, 6, 1)]
    say(database, run_id, Arrivals(), said)
    elsewhere = Database(make_engine(f"sqlite:///{tmp_path}/elsewhere.db"))
    migrate.upgrade(elsewhere.engine)
    with database.reading() as connection:
        moving.copy_project(connection, elsewhere, "p", "p")
    with elsewhere.reading() as connection:
        (moved,) = runs.ids_after(connection, 0, 10)
    assert sorted(told(elsewhere, moved)) == sorted(said)
    elsewhere.close()
