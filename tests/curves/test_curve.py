"""Points in any order become a curve in step order, and the last write of a step wins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.curves.curve import Curve, Curves, make_curve

points = st.lists(st.tuples(st.integers(0, 30), st.floats(width=64)), max_size=60)


@given(points)
def test_the_last_write_of_a_step_wins_whatever_the_order(written: list[tuple[int, float]]) -> None:
    curve = make_curve("a", [s for s, _ in written], [v for _, v in written])
    expected = dict(written)
    assert curve.steps.tolist() == sorted(expected)
    np.testing.assert_array_equal(curve.values, [expected[step] for step in sorted(expected)])


def test_a_curve_is_cut_at_a_step_into_what_was_through_it_and_what_came_after() -> None:
    curve = make_curve("a", [0, 2, 4], [1.0, 2.0, 3.0])
    assert (curve.through(2).steps.tolist(), curve.after(2).steps.tolist()) == ([0, 2], [4])
    assert (curve.through(3).values.tolist(), curve.after(3).values.tolist()) == ([1, 2], [3])


def test_points_in_order_are_taken_as_they_are() -> None:
    values = np.array([np.nan, np.inf, -0.0])
    curve = make_curve("a", [0, 1, 2], values)
    assert np.signbit(curve.values[2])
    np.testing.assert_array_equal(curve.values, values)


@pytest.mark.parametrize(
    ("steps", "values"), [([1], []), ([[1]], [[1.0]]), ([-1], [0.0]), ([np.nan], [0.0]), ([np.inf, 1], [0.0, 1.0])]
)
def test_what_is_no_curve_is_refused(steps: list[float], values: list[float]) -> None:
    with pytest.raises(ValueError, match="a: "):
        make_curve("a", steps, values)


def test_finite_drops_what_is_not_and_copies_nothing_when_all_is() -> None:
    curve = make_curve("a", [0, 1, 2, 3], [1.0, np.nan, np.inf, 2.0])
    assert curve.finite().steps.tolist() == [0, 3]
    assert curve.finite().finite().values.tolist() == [1, 2]
    whole = make_curve("a", [0], [1.0])
    assert whole.finite() is whole


def test_through_includes_its_step() -> None:
    curve = make_curve("a", [1, 2, 3], [1.0, 2.0, 3.0])
    assert [len(curve.through(step)) for step in (0.5, 1, 2.5, 3, 99)] == [0, 1, 2, 3, 3]


def test_curves_iterate_in_name_order_and_know_their_last_step() -> None:
    a, b = make_curve("a", [5], [0.0]), Curve("b", np.empty(0), np.empty(0))
    curves = Curves({"b": b, "a": a})
    assert (list(curves), len(curves), curves["a"]) == (["a", "b"], 2, a)
    assert curves.last_step() == 5
    assert curves.through(4).last_step() is None
    assert Curves({}).last_step() is None
