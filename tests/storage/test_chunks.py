from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from app.curves.points import Points
from app.errors import UnknownRun
from app.rules.context import Context
from app.storage import chunks, runs
from app.storage.blocks import CorruptBlock
from app.storage.chunks import Batch, Stored
from app.storage.database import Database
from app.storage.runs import StoredRun
from app.storage.tables import chunks as chunk_table


def points(name: str, steps: Sequence[float], values: Sequence[float] | float) -> Points:
    return Points(name, np.array(steps, float), np.broadcast_to(np.array(values, float), len(steps)))


def open_run(database: Database, name: str = "r") -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        return runs.lock_run(connection, home.id, name)[0].id


def find(database: Database, name: str = "r") -> StoredRun:
    with database.reading() as connection:
        home = runs.find_project(connection, "p")
        assert home is not None
        found = runs.find_run(connection, home.id, name)
        assert found is not None
        return found


def write(database: Database, run_id: int, *parts: Points, attempt: int | None = None) -> None:
    with database.writing() as connection:
        chunks.write(connection, [Batch(run_id, attempt, parts)])


def read(database: Database, run_id: int, name: str) -> dict[float, float]:
    with database.reading() as connection:
        curve = chunks.read(connection, run_id, [name])[name]
    return dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


def chunk_count(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(chunk_table)).scalar_one()


def test_every_float_comes_back_bit_for_bit(database: Database):
    run_id = open_run(database)
    steps = np.array([0.0, 0.5, 1.0, 5e-324, 2.0**53, 2.0**53 - 1, 1e15])
    values = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324, -np.finfo(float).max, np.nextafter(1, 2)])
    write(database, run_id, Points("loss", steps, values))
    with database.reading() as connection:
        curve = chunks.read(connection, run_id, ["loss"])["loss"]
    order = np.argsort(steps)
    assert curve.steps.tobytes() == steps[order].tobytes()
    assert curve.values.tobytes() == values[order].tobytes()


def test_the_last_write_of_a_step_wins(database: Database):
    run_id = open_run(database)
    write(database, run_id, points("loss", [2, 0, 1], [2, 0, 1]))
    write(database, run_id, points("loss", [1, 3, 1], [10, 3, 11]))
    assert read(database, run_id, "loss") == {0: 0, 1: 11, 2: 2, 3: 3}


def test_a_batch_sent_again_changes_nothing_that_a_reader_sees(database: Database):
    run_id = open_run(database)
    sent = [points("loss", [1, 2, 3], [1, 2, 3]), points("val/loss", [3], 9)]
    write(database, run_id, *sent)
    before = read(database, run_id, "loss"), read(database, run_id, "val/loss"), find(database).attempt
    write(database, run_id, *sent)
    assert (read(database, run_id, "loss"), read(database, run_id, "val/loss"), find(database).attempt) == before


def test_batches_of_one_transaction_keep_their_order_and_share_a_chunk(database: Database):
    run_id, other = open_run(database), open_run(database, "other")
    with database.writing() as connection:
        sent = [
            Batch(run_id, None, [points("loss", [1], 1), points("loss", [1], 2)]),
            Batch(other, None, [points("loss", [1], 7)]),
            Batch(run_id, None, [points("loss", [1, 2], 3)]),
        ]
        chunks.write(connection, sent)
    assert (read(database, run_id, "loss"), read(database, other, "loss")) == ({1: 3, 2: 3}, {1: 7})
    assert chunk_count(database) == 2


def test_a_resumed_attempt_hides_what_it_trained_again(database: Database):
    run_id = open_run(database)
    write(database, run_id, points("loss", [0, 1, 2, 3], 1), points("val/loss", [1, 3], 1))
    write(database, run_id, points("loss", [2], 2), attempt=2)
    assert read(database, run_id, "loss") == {0: 1, 1: 1, 2: 2}
    assert read(database, run_id, "val/loss") == {1: 1}
    # Without an attempt, points belong to the latest; a straggler of the first is stored, and stays hidden.
    write(database, run_id, points("loss", [3], 3))
    write(database, run_id, points("loss", [4], 1), attempt=1)
    assert read(database, run_id, "loss") == {0: 1, 1: 1, 2: 2, 3: 3}


def test_an_evaluator_may_post_old_steps_at_any_time(database: Database):
    run_id = open_run(database)
    write(database, run_id, points("loss", [0, 1, 2, 3], 1), points("val/loss", [1], 1))
    write(database, run_id, points("val/loss", [0, 1], 2), attempt=2)
    assert read(database, run_id, "loss") == {0: 1, 1: 1, 2: 1, 3: 1}
    assert read(database, run_id, "val/loss") == {0: 2, 1: 2}
    write(database, run_id, points("loss", [3, 4], 2), attempt=2)
    write(database, run_id, points("val/loss", [2], 2))
    assert read(database, run_id, "loss") == {0: 1, 1: 1, 2: 1, 3: 2, 4: 2}
    assert read(database, run_id, "val/loss") == {0: 2, 1: 2, 2: 2}


def test_the_first_step_of_an_attempt_may_come_late(database: Database):
    run_id = open_run(database)
    write(database, run_id, points("loss", [0, 1, 2], 1))
    write(database, run_id, points("loss", [2], 2), attempt=2)
    write(database, run_id, points("loss", [1], 2), attempt=2)
    write(database, run_id, points("loss", [5], 2), attempt=2)
    assert read(database, run_id, "loss") == {0: 1, 1: 2, 2: 2, 5: 2}


def test_a_later_attempt_sets_a_closed_run_running_and_late_points_do_not(database: Database):
    run_id = open_run(database)
    with database.writing() as connection:
        runs.save_run(connection, replace(find(database), context=Context(state="finished")))
    write(database, run_id, points("val/loss", [1], 1))
    assert (find(database).context.state, find(database).attempt) == ("finished", 1)
    write(database, run_id, points("loss", [1], 1), attempt=4)
    assert (find(database).context.state, find(database).attempt) == ("running", 4)
    write(database, run_id, points("loss", [1], 1), attempt=2)
    assert find(database).attempt == 4


def test_in_one_transaction_points_without_attempt_follow_the_one_just_opened(database: Database):
    run_id = open_run(database)
    with database.writing() as connection:
        sent = [(None, 1), (2, 2), (None, 3), (1, 4)]
        chunks.write(connection, [Batch(run_id, attempt, [points("loss", [v], v)]) for attempt, v in sent])
    with database.reading() as connection:
        stored = connection.execute(select(chunk_table.c.attempt, chunk_table.c.points)).all()
    assert sorted((row.attempt, row.points) for row in stored) == [(1, 2), (2, 2)]


def test_more_chunks_than_one_statement_takes_are_all_stored(database: Database):
    run_id = open_run(database)
    write(database, run_id, *(points(f"x{number}", [number], number / 3) for number in range(1201)))
    with database.reading() as connection:
        stored = chunks.stored_curves(connection, [run_id])[run_id]
    assert {curve.name: curve.first_step for curve in stored} == {f"x{number}": number for number in range(1201)}
    assert read(database, run_id, "x1200") == {1200.0: 400.0}


def test_each_write_counts_the_revision_up(database: Database):
    run_id = open_run(database)
    first = find(database)
    write(database, run_id, points("loss", [1], 1))
    second = find(database)
    assert second.revision == first.revision + 1
    assert second.updated_at > first.updated_at


def test_a_run_that_is_gone_is_named(database: Database):
    with pytest.raises(UnknownRun):
        write(database, 12345, points("loss", [1], 1))
    assert chunk_count(database) == 0


def test_a_deleted_run_takes_its_points_along_and_its_id_is_not_used_again(database: Database):
    run_id = open_run(database)
    write(database, run_id, points("loss", [1], 1))
    with database.writing() as connection:
        connection.execute(text("DELETE FROM runs"))
    assert chunk_count(database) == 0
    assert open_run(database) > run_id


def test_only_the_curves_asked_for_are_read_in_name_order(database: Database):
    run_id = open_run(database)
    write(database, run_id, *(points(name, [1], 1) for name in ("c", "a", "b")))
    write(database, run_id, points("d", [1], 1))
    with database.reading() as connection:
        assert list(chunks.read(connection, run_id, ["c", "a", "no such"])) == ["a", "c"]
        assert chunks.curve_names(connection, run_id) == ["a", "b", "c", "d"]


def test_what_is_stored_is_summed_up_without_reading_points(database: Database):
    run_id, other = open_run(database), open_run(database, "other")
    write(database, run_id, points("loss", [5, 1], 1), points("a", [7], 1))
    write(database, run_id, points("loss", [1, 9.5], 1))
    with database.reading() as connection:
        found = chunks.stored_curves(connection, [run_id, other])
        assert chunks.stored_curves(connection, []) == {}
    assert found == {run_id: [Stored("a", 1, 7.0, 7.0), Stored("loss", 4, 1.0, 9.5)], other: []}


def test_a_corrupt_block_says_so(database: Database):
    run_id = open_run(database)
    write(database, run_id, points("loss", [1], 1))
    with database.writing() as connection:
        connection.execute(chunk_table.update().values(block=b"torn"))
    with pytest.raises(CorruptBlock, match="4 bytes"):
        read(database, run_id, "loss")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(1, 3)),
            st.sampled_from(["loss", "val/loss"]),
            st.lists(st.integers(0, 8), min_size=1, max_size=4),
        ),
        max_size=8,
    ),
    st.integers(1, 3),
)
def test_how_batches_are_grouped_into_transactions_does_not_matter(
    database: Database, sent: list[tuple[int | None, str, list[int]]], group: int
):
    alone, together = (open_run(database, f"{i} {sent} {group}"[:200]) for i in range(2))
    batches = [(attempt, points(name, steps, float(i))) for i, (attempt, name, steps) in enumerate(sent)]
    for attempt, part in batches:
        write(database, alone, part, attempt=attempt)
    for start in range(0, len(batches), group):
        with database.writing() as connection:
            chunks.write(connection, [Batch(together, a, [part]) for a, part in batches[start : start + group]])
    for name in {name for _, name, _ in sent}:
        assert read(database, alone, name) == read(database, together, name)
