"""Compaction changes how points lie, and nothing that anybody reads."""

import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from app.curves.curve import Curve
from app.curves.points import Points
from app.curves.thinning import for_rules
from app.storage import chunks, compaction, runs, thinned
from app.storage.chunks import Batch
from app.storage.database import Database
from app.storage.tables import bins as bin_table
from app.storage.tables import chunks as chunk_table


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of every kind from a few dozen points on."""
    monkeypatch.setattr(compaction, "BINNED", 16)
    monkeypatch.setattr(compaction, "_JOINED", (4, 16, 32))
    monkeypatch.setattr(compaction, "_LARGEST", 64)
    monkeypatch.setattr(compaction, "_LEAST_A_BIN", 4)
    monkeypatch.setattr(thinned, "_KEYS_AT_ONCE", 3)


def open_run(database: Database, name: str = "r") -> int:
    with database.writing() as connection:
        home, _ = runs.lock_project(connection, "p")
        return runs.lock_run(connection, home.id, name)[0].id


def write(
    database: Database, run_id: int, name: str, steps: Sequence[float], value: float, attempt: int | None = None
) -> None:
    part = Points(name, np.array(steps, float), np.full(len(steps), value))
    with database.writing() as connection:
        chunks.write(connection, [Batch(run_id, attempt, [part])])


def read(database: Database, run_id: int) -> dict[str, tuple[bytes, bytes]]:
    with database.reading() as connection:
        found = chunks.read(connection, run_id, chunks.curve_names(connection, run_id))
    return {name: (curve.steps.tobytes(), curve.values.tobytes()) for name, curve in found.items()}


def settle(database: Database, run_id: int) -> None:
    with database.reading() as connection:
        found = list(compaction.tails(connection, run_id))
    for curve in found:
        assert compaction.compact(database, run_id, curve)


def layout(database: Database, run_id: int) -> list[tuple[int, int, float, float]]:
    """(attempt, points, first, last) of every chunk in the order of its steps."""
    columns = (chunk_table.c.attempt, chunk_table.c.points, chunk_table.c.first_step, chunk_table.c.last_step)
    with database.reading() as connection:
        rows = connection.execute(select(*columns).where(chunk_table.c.run_id == run_id)).all()
    return sorted((tuple(row) for row in rows), key=lambda row: (row[0], row[2]))


def test_small_chunks_become_one_that_reads_the_same(database: Database):
    run_id = open_run(database)
    for batch in range(20):
        write(database, run_id, "loss", range(10 * batch, 10 * batch + 10), batch)
        write(database, run_id, "val/loss", [10 * batch], np.nan if batch % 3 else np.inf)
    before = read(database, run_id)
    settle(database, run_id)
    assert read(database, run_id) == before
    assert layout(database, run_id) == [(1, 200, 0, 199), (1, 20, 0, 190)]
    with database.reading() as connection:
        assert compaction.tails(connection, run_id) == {}
        assert compaction.with_tails(connection, [run_id]) == []
    assert not compaction.compact(database, run_id, 1)


def test_late_points_go_into_the_chunk_they_belong_to(database: Database, small: None):
    run_id = open_run(database)
    for start in (0, 100, 200):
        write(database, run_id, "loss", range(start, start + 70), 1)
        settle(database, run_id)
    assert [points for _, points, *_ in layout(database, run_id)] == [70, 70, 70]
    write(database, run_id, "loss", [150.5, 120, 80, 300], 2)
    before = read(database, run_id)
    settle(database, run_id)
    assert read(database, run_id) == before
    assert [(points, first) for _, points, first, _ in layout(database, run_id)] == [
        (71, 0),
        (71, 100),
        (70, 200),
        (1, 300),
    ]


def test_a_chunk_that_late_points_made_too_large_is_split(database: Database, small: None):
    run_id = open_run(database)
    write(database, run_id, "loss", range(100, 170), 1)
    settle(database, run_id)
    for start in (90, 80, 70, 60):
        write(database, run_id, "loss", range(start, start + 10), 2)
    before = read(database, run_id)
    settle(database, run_id)
    assert read(database, run_id) == before
    assert max(points for _, points, *_ in layout(database, run_id)) <= 64


def test_what_a_kill_leaves_behind_is_found(database: Database):
    run_id, other = open_run(database), open_run(database, "other")
    write(database, run_id, "loss", [1], 1)
    write(database, other, "loss", [1], 1)
    settle(database, other)
    with database.reading() as connection:
        page = runs.ids_after(connection, 0, 10)
        assert page == [run_id, other]
        assert compaction.with_tails(connection, page) == [run_id]


def test_of_two_compactors_one_wins(database: Database):
    run_id = open_run(database)
    for step in range(50):
        write(database, run_id, "loss", [step], step)
    before = read(database, run_id)
    barrier = threading.Barrier(2)
    won: list[bool] = []

    def work() -> None:
        barrier.wait()
        won.append(compaction.compact(database, run_id, 1))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1
    assert read(database, run_id) == before
    assert layout(database, run_id) == [(1, 50, 0, 49)]


def test_a_curve_that_another_replica_works_at_is_skipped_at_once(database: Database):
    if database.on_sqlite:
        pytest.skip("one writer at a time: nothing is claimed")
    run_id = open_run(database)
    write(database, run_id, "loss", [1], 1)
    with database.writing() as other:
        other.execute(text("SELECT 1 FROM curves FOR UPDATE"))
        assert not compaction.compact(database, run_id, 1)
        write(database, run_id, "loss", [2], 1)  # and ingest does not wait for it
    assert compaction.compact(database, run_id, 1)


def test_a_run_that_was_deleted_meanwhile_stays_deleted(database: Database):
    run_id = open_run(database)
    write(database, run_id, "loss", [1], 1)
    with database.writing() as connection:
        connection.execute(text("DELETE FROM runs"))
    assert not compaction.compact(database, run_id, 1)
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(chunk_table)).scalar_one() == 0


def test_one_snapshot_is_read_while_chunks_are_replaced(database: Database):
    run_id = open_run(database)
    for step in range(40):
        write(database, run_id, "loss", [step], step)
    done = threading.Event()
    seen: list[int] = []

    def reader() -> None:
        while not done.is_set():
            with database.reading() as connection:
                curve = thinned.read_for_rules(connection, run_id, ["loss"])["loss"]
                seen.append(len(curve) if np.array_equal(curve.steps, np.arange(len(curve))) else -1)

    thread = threading.Thread(target=reader)
    thread.start()
    for step in range(40, 80):
        write(database, run_id, "loss", [step], step)
        settle(database, run_id)
    done.set()
    thread.join()
    assert seen == sorted(seen)
    assert set(seen) <= set(range(40, 81))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.just("settle"),
            st.tuples(
                st.one_of(st.none(), st.integers(1, 3)),
                st.sampled_from(["loss", "val/loss"]),
                st.lists(st.integers(0, 60), min_size=1, max_size=30),
            ),
        ),
        max_size=14,
    )
)
def test_when_what_is_settled_does_not_matter(
    database: Database, small: None, sent: list[str | tuple[int | None, str, list[int]]]
):
    run_id, plain = open_run(database, uuid4().hex), open_run(database, uuid4().hex)
    for place, batch in enumerate(sent):
        if isinstance(batch, str):
            settle(database, run_id)
            continue
        attempt, name, steps = batch
        for target in (run_id, plain):
            write(database, target, name, steps, np.nan if place % 5 == 4 else place, attempt)
    assert read(database, run_id) == read(database, plain)
    assert_settled_chunks_are_disjoint(database, run_id)
    names = ["loss", "val/loss"]
    with database.reading() as connection:
        for most in (8, 20, 1000):
            shown = thinned.read_for_display(connection, run_id, names, most)
            for name, whole in chunks.read(connection, run_id, names).items():
                assert_shows(shown[name], whole, most)


def assert_settled_chunks_are_disjoint(database: Database, run_id: int) -> None:
    query = text(
        "SELECT chunks.curve, attempt, first_step, last_step FROM chunks JOIN curves ON curves.run_id = chunks.run_id "
        "AND curves.curve = chunks.curve WHERE chunks.run_id = :run AND sequence <= settled ORDER BY 1, 2, 3"
    )
    with database.reading() as connection:
        rows = connection.execute(query, {"run": run_id}).all()
    for one, following in pairwise(rows):
        assert one[:2] != following[:2] or one.last_step < following.first_step


def assert_shows(shown: Curve, whole: Curve, most: int) -> None:
    points = dict(zip(whole.steps.tolist(), whole.values.tolist(), strict=True))
    assert len(shown) <= most
    assert all(np.array_equal(points[s], v, equal_nan=True) for s, v in zip(shown.steps, shown.values, strict=True))
    if not len(whole):
        return
    assert (shown.steps[0], shown.steps[-1]) == (whole.steps[0], whole.steps[-1])
    real = whole.finite().values
    if real.size:
        assert (shown.finite().values.min(), shown.finite().values.max()) == (real.min(), real.max())
    bad = whole.steps[~np.isfinite(whole.values)]
    if bad.size <= most - 4:
        assert set(bad) <= set(shown.steps)
    if len(whole) <= most:
        assert len(shown) == len(whole)


@pytest.fixture
def long_run(database: Database) -> Iterator[tuple[int, Curve]]:
    """A run of 200,000 points, settled, with a tail and a late point; and the curve as a reader sees it."""
    run_id = open_run(database)
    noise = np.random.default_rng(5)
    values = 2 * np.exp(-np.arange(200_000) / 4e4) + 0.1 * noise.standard_normal(200_000)
    values[[7, 120_000]] = np.nan, np.inf
    for start in range(0, 200_000, 20_000):
        part = Points("loss", np.arange(start, start + 20_000.0), values[start : start + 20_000])
        with database.writing() as connection:
            chunks.write(connection, [Batch(run_id, None, [part])])
    settle(database, run_id)
    write(database, run_id, "loss", [200_000, 200_001, 150_000.5], 0.25)
    with database.reading() as connection:
        yield run_id, chunks.read(connection, run_id, ["loss"])["loss"]


def test_rules_see_of_bins_what_they_see_of_points(database: Database, long_run: tuple[int, Curve]):
    run_id, whole = long_run
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(bin_table)).scalar_one() > 0
        seen = thinned.read_for_rules(connection, run_id, ["loss"])["loss"]
    assert len(seen) <= 4096
    assert (seen.steps[0], seen.values[0], seen.steps[-1]) == (0, whole.values[0], 200_001)
    bad = ~np.isfinite(whole.values)
    assert set(whole.steps[bad]) == set(seen.steps[~np.isfinite(seen.values)])
    of_points = for_rules(whole).finite()
    finite = seen.finite()
    apart = np.interp(of_points.steps, finite.steps, finite.values) - of_points.values
    # Both are means of about fifty points of noise 0.1, over edges that lie elsewhere.
    assert np.sqrt(np.mean(apart**2)) < 0.03
    assert abs(np.std(np.diff(finite.values)) / np.std(np.diff(of_points.values)) - 1) < 0.4


def test_a_drawing_from_bins_shows_the_curve(database: Database, long_run: tuple[int, Curve]):
    run_id, whole = long_run
    with database.reading() as connection:
        for most in (50, 2000, 150_000, 300_000):
            shown = thinned.read_for_display(connection, run_id, ["loss"], most)["loss"]
            assert_shows(shown, whole, most)


@pytest.mark.parametrize("most", [10, 1000, 200_000])
def test_a_stretch_of_a_drawing_is_cut_exactly_where_bins_are_not(
    database: Database, long_run: tuple[int, Curve], most: int
):
    run_id, whole = long_run
    first, last = whole.steps[len(whole) // 3], whole.steps[-2]
    wanted = whole.between(first, last)
    with database.reading() as connection:
        shown = thinned.read_for_display(connection, run_id, [whole.name], most, (first, last))[whole.name]
        read = chunks.read(connection, run_id, [whole.name], (first, last))[whole.name]
    assert np.array_equal(read.steps, wanted.steps)
    assert np.array_equal(read.values, wanted.values, equal_nan=True)
    assert (shown.steps[0], shown.steps[-1]) == (wanted.steps[0], wanted.steps[-1])
    assert len(shown) == min(most, len(wanted)) or most < len(wanted)
    assert len(shown) <= most
    assert set(shown.steps) <= set(wanted.steps)
