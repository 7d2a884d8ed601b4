"""Thinned curves stay true: strictly increasing, bounded, ends and non-finite points kept."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.curves.curve import Curve, make_curve
from app.curves.thinning import LEAST_MAX_POINTS, for_display, for_rules

Thin = Callable[[Curve, int], Curve]
BOTH = pytest.mark.parametrize("thin", [for_rules, for_display])
steps = st.one_of(
    st.floats(0, 2.0**53, exclude_max=True),
    st.integers(0, 2**53).map(float),
    st.integers(2**53 - 400, 2**53).map(float),
    st.integers(0, 300).map(float),
)
values = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf]))
curves = st.lists(st.tuples(steps, values), max_size=300).map(
    lambda points: make_curve("a", [s for s, _ in points], [v for _, v in points])
)


def same(one: Curve, other: Curve) -> bool:
    return np.array_equal(one.steps, other.steps) and np.array_equal(one.values, other.values, equal_nan=True)


@BOTH
@given(curve=curves, max_points=st.integers(0, 80))
def test_the_result_is_a_curve_of_at_most_so_many_points_inside_the_old_one(
    thin: Thin, curve: Curve, max_points: int
) -> None:
    thinned = thin(curve, max_points)
    assert len(thinned) <= max(max_points, LEAST_MAX_POINTS)
    assert (np.diff(thinned.steps) > 0).all()
    assert same(thin(curve, max_points), thinned)
    was, now = curve.finite(), thinned.finite()
    if len(was):
        assert (now.steps[0], now.steps[-1]) == (was.steps[0], was.steps[-1]) or thin is for_display
        assert was.values.min() <= now.values.min()
        assert now.values.max() <= was.values.max()
    if len(curve) <= max_points:
        assert thinned is curve


@BOTH
@given(curve=curves, max_points=st.integers(8, 80))
def test_non_finite_points_are_kept_and_none_is_made(thin: Thin, curve: Curve, max_points: int) -> None:
    thinned = thin(curve, max_points)
    bad = ~np.isfinite(curve.values)
    kept = ~np.isfinite(thinned.values)
    before = dict(zip(curve.steps[bad], curve.values[bad], strict=True))
    after = dict(zip(thinned.steps[kept], thinned.values[kept], strict=True))
    assert all(np.array_equal(before[step], value, equal_nan=True) for step, value in after.items())
    if bad.sum() <= max_points // 4:
        assert after.keys() == before.keys()
    elif bad.any():
        assert min(after) == min(before)
        assert max(after) == max(before)


@given(curve=curves, max_points=st.integers(8, 80))
def test_display_keeps_real_points_the_ends_and_the_extremes(curve: Curve, max_points: int) -> None:
    shown = for_display(curve, max_points)
    real = {(step, str(value)) for step, value in zip(curve.steps, curve.values, strict=True)}
    assert {(step, str(value)) for step, value in zip(shown.steps, shown.values, strict=True)} <= real
    if len(curve):
        assert (shown.steps[0], shown.steps[-1]) == (curve.steps[0], curve.steps[-1])
    finite = curve.finite().values
    if finite.size:
        assert shown.finite().values.min() == finite.min()
        assert shown.finite().values.max() == finite.max()


def test_a_spike_of_one_point_is_still_seen() -> None:
    values = np.sin(np.arange(100_000) / 5_000)
    values[[31_234, 77_777]] = 50, -50
    shown = for_display(make_curve("a", np.arange(values.size), values), 200)
    assert {31_234.0, 77_777.0} <= set(shown.steps)
    bucket = shown.values[(shown.steps > 50_000) & (shown.steps < 52_000)]
    assert bucket.size >= 2  # each stretch keeps its own least and greatest


def test_bins_are_means_between_exact_ends() -> None:
    rng = np.random.default_rng(0)
    values = np.linspace(3, 1, 100_002) + rng.normal(0, 0.3, 100_002)
    curve = make_curve("a", np.arange(values.size), values)
    seen = for_rules(curve, 1002)
    assert len(seen) == 1002
    assert seen.values[[0, -1]].tolist() == values[[0, -1]].tolist()
    inner = slice(1, -1)
    np.testing.assert_allclose(seen.values[inner], values[inner].reshape(1000, 100).mean(axis=1))
    np.testing.assert_allclose(seen.steps[inner], np.arange(1, 100_001).reshape(1000, 100).mean(axis=1))


def test_a_bin_around_a_non_finite_point_does_not_take_its_step() -> None:
    values = np.ones(101)
    values[50] = np.nan
    seen = for_rules(make_curve("a", np.arange(101.0), values), 10)
    assert np.count_nonzero(seen.steps == 50) == 1
    assert np.isnan(seen.values[seen.steps == 50]).all()


def test_of_many_non_finite_points_the_ends_of_stretches_stay() -> None:
    values = np.ones(10_000)
    values[2_000:4_000] = np.nan
    values[7_000:] = np.inf
    seen = for_rules(make_curve("a", np.arange(values.size), values), 100)
    assert seen.steps[~np.isfinite(seen.values)].tolist() == [2_000, 3_999, 7_000, 9_999]


@BOTH
def test_nothing_but_non_finite_points(thin: Thin) -> None:
    seen = thin(make_curve("a", np.arange(1_000), np.full(1_000, np.nan)), 100)
    assert seen.steps.tolist() == [0, 999]


def test_a_constant_curve_stays_constant() -> None:
    seen = for_rules(make_curve("a", np.arange(1_000), np.full(1_000, 0.1)), 100)
    assert set(seen.values) == {0.1}


def test_the_mean_of_the_largest_numbers_is_finite() -> None:
    limit = float(np.finfo(np.float64).max)
    seen = for_rules(make_curve("a", np.arange(1_000), np.full(1_000, limit)), 100)
    assert np.isfinite(seen.values).all()
