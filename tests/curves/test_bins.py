"""Bins stand for the points behind them: nothing is lost that a mean may not stand for."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.curves import bins as module
from app.curves.bins import summed_up, thinned_for_display, thinned_for_rules
from app.curves.curve import Curve, make_curve
from app.curves.thinning import for_display, for_rules

values = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf]))
curves = st.lists(st.tuples(st.integers(0, 400).map(float), values), min_size=1, max_size=200).map(
    lambda points: make_curve("a", [s for s, _ in points], [v for _, v in points])
)
NOTHING = Curve("a", np.empty(0), np.empty(0))


def parts(curve: Curve, cuts: list[int]) -> list[Curve]:
    edges = sorted({0, len(curve), *(min(cut, len(curve)) for cut in cuts)})
    return [Curve("a", curve.steps[a:b], curve.values[a:b]) for a, b in pairwise(edges)]


@given(curve=curves, bins=st.integers(1, 40))
def test_bins_sum_up_every_point(curve: Curve, bins: int) -> None:
    made = summed_up(curve, bins)
    finite = curve.finite()
    assert made.points == len(curve)
    assert len(made.counts) == min(bins, len(finite))
    assert (made.counts > 0).all()
    assert made.counts.sum() == len(finite)
    assert made.complete
    if len(finite):
        assert made.non_finite.sum() == len(curve) - len(finite)
        assert (made.lows.min(), made.highs.max()) == (finite.values.min(), finite.values.max())
        assert ((made.lows <= made.values) & (made.values <= made.highs) & (made.spreads >= 0)).all()
    exact = set(made.exact.steps)
    assert {curve.steps[0], curve.steps[-1], *curve.steps[~np.isfinite(curve.values)]} <= exact


def test_a_bin_holds_count_mean_and_spread() -> None:
    made = summed_up(Curve("a", np.arange(8.0), np.array([1, 3, 2, 2, np.nan, 5, 7, 6])), 2)
    assert made.counts.tolist() == [4 - 1, 4]
    assert np.allclose(made.values, [2, 5], rtol=1e-15)
    assert np.allclose(made.spreads, [np.std([1, 3, 2]), np.std([2, 5, 7, 6])])
    assert made.steps.tolist() == [1, 21 / 4]
    assert (made.low_steps.tolist(), made.high_steps.tolist()) == ([0, 3], [1, 6])
    assert made.non_finite.tolist() == [0, 1]


@given(curve=curves, cuts=st.lists(st.integers(0, 200), max_size=4), tail=st.booleans(), most=st.integers(8, 60))
def test_thinned_from_bins_is_true_to_the_curve(curve: Curve, cuts: list[int], tail: bool, most: int) -> None:
    stretches = parts(curve, cuts)
    rest = stretches.pop() if tail else NOTHING
    bins = [summed_up(part, 8) for part in stretches]
    seen, shown = thinned_for_rules(bins, rest, most), thinned_for_display(bins, rest, most)
    points = dict(zip(curve.steps, curve.values, strict=True))
    for thinned in (seen, shown):
        assert len(thinned) <= most
        assert (np.diff(thinned.steps) > 0).all()
        bad = ~np.isfinite(thinned.values)
        assert all(
            np.array_equal(points[s], thinned.values[bad][i], equal_nan=True) for i, s in enumerate(thinned.steps[bad])
        )
    assert all(np.array_equal(points[s], v, equal_nan=True) for s, v in zip(shown.steps, shown.values, strict=True))
    assert (shown.steps[0], shown.steps[-1]) == (curve.steps[0], curve.steps[-1])
    finite = curve.finite()
    if len(finite):
        ends = finite.steps[0], finite.values[0], finite.steps[-1], finite.values[-1]
        at = seen.finite()
        assert (at.steps[0], at.values[0], at.steps[-1], at.values[-1]) == ends
        extremes = shown.finite().values
        assert (extremes.min(), extremes.max()) == (finite.values.min(), finite.values.max())
    bad_steps = set(curve.steps[~np.isfinite(curve.values)])
    if len(bad_steps) <= most - 4:
        assert bad_steps <= set(shown.steps)


@given(curve=curves, most=st.integers(8, 60))
def test_without_bins_it_is_plain_thinning(curve: Curve, most: int) -> None:
    for one, other in (
        (thinned_for_rules([], curve, most), for_rules(curve, most)),
        (thinned_for_display([], curve, most), for_display(curve, most)),
    ):
        assert np.array_equal(one.steps, other.steps)
        assert np.array_equal(one.values, other.values, equal_nan=True)


def test_bins_weigh_what_they_hold() -> None:
    # A bin of a hundred points beside eight hundred single ones: it is about a ninth of the curve, not a bin in many.
    long, rest = make_curve("a", np.arange(100), np.ones(100)), make_curve("a", np.arange(100, 900), np.zeros(800))
    seen = thinned_for_rules([summed_up(long, 2)], rest, 20)
    assert (seen.values[1:3] == 1).all()
    assert (seen.values[4:] == 0).all()


def test_the_stretch_between_two_others_gives_its_ends_to_its_bins() -> None:
    whole = make_curve("a", np.arange(90), np.arange(90) ** 2)
    seen = thinned_for_rules([summed_up(part, 5) for part in parts(whole, [30, 60])], NOTHING)
    assert (seen.steps[0], seen.steps[-1]) == (0, 89)
    assert not {29, 30, 59, 60} & set(seen.steps)


def test_of_many_non_finite_points_the_ends_of_stretches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NON_FINITE", 4)
    made = summed_up(make_curve("a", np.arange(20), np.where(np.arange(20) % 10 > 4, np.nan, 1.0)), 4)
    assert not made.complete
    assert made.exact.steps.tolist() == [0, 5, 9, 14, 15, 19]
