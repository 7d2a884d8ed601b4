"""Fewer points that say the same: means for the rules, real points for the eye. Pure and deterministic."""

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import Curve, FloatArray

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

# First, last, least, greatest, and a few non-finite points: fewer could not say what the curve does.
LEAST_MAX_POINTS = 8


def for_rules(curve: Curve, max_points: int = 4096) -> Curve:
    """At most `max_points` points: means of equally filled bins of finite points, beside every non-finite point.

    The first and the last finite point stay exact, because rules read where a run began and where it stands. A bin's
    step is the mean of its steps. Of more than max_points / 4 non-finite points only the first and last of each stretch
    are kept. Anything less than 8 is taken as 8. A short curve is returned as it is.
    """
    max_points = max(max_points, LEAST_MAX_POINTS)
    if len(curve) <= max_points:
        return curve
    finite = np.isfinite(curve.values)
    kept = _non_finite_kept(finite, max_points // 4)
    real = np.flatnonzero(finite)
    inner = real[1:-1]
    steps, values = _bin_means(curve.steps[inner], curve.values[inner], max_points - 2 - kept.size, curve.steps[kept])
    exact = np.union1d(kept, real[[0, -1]] if real.size else real)
    steps = np.concatenate((steps, curve.steps[exact]))
    values = np.concatenate((values, curve.values[exact]))
    order = np.argsort(steps, kind="stable")
    return Curve(curve.name, steps[order], values[order])


def for_display(curve: Curve, max_points: int) -> Curve:
    """At most `max_points` of the curve's own points, so that a drawing of them looks like a drawing of all.

    Kept: the first and last point, the least and greatest finite value of the curve and of each of equally filled
    buckets, and every non-finite point (of more than max_points / 4, the first and last of each stretch). Anything less
    than 8 is taken as 8. A short curve is returned as it is.
    """
    max_points = max(max_points, LEAST_MAX_POINTS)
    if len(curve) <= max_points:
        return curve
    finite = np.isfinite(curve.values)
    kept = _non_finite_kept(finite, max_points // 4)
    real = np.flatnonzero(finite)
    extremes = real[_bucket_extremes(curve.values[real], (max_points - 2 - kept.size) // 2)]
    chosen = np.unique(np.concatenate((np.array([0, len(curve) - 1]), kept, extremes)))
    return Curve(curve.name, curve.steps[chosen], curve.values[chosen])


def _non_finite_kept(finite: BoolArray, budget: int) -> IntArray:
    """Indices [<= budget] of non-finite points to keep: all, else the ends of stretches, else some of the ends."""
    bad = np.flatnonzero(~finite)
    if bad.size <= budget:
        return bad
    breaks = np.diff(bad) > 1
    ends = bad[np.append(True, breaks) | np.append(breaks, True)]
    chosen = np.linspace(0, ends.size - 1, min(budget, ends.size)).astype(np.intp)
    return np.take(ends, chosen)


def _bin_edges(count: int, bins: int) -> IntArray:
    """Where each of at most `bins` equally filled bins of `count` points begins [bins]."""
    return np.unique(np.linspace(0, count, min(bins, count), endpoint=False).astype(np.intp))


def _bin_means(steps: FloatArray, values: FloatArray, bins: int, taken: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean step and mean value of equally filled bins; the steps increase strictly and are none of `taken` [steps]."""
    starts = _bin_edges(steps.size, bins)
    if not starts.size:
        return steps[:0], values[:0]
    widths = np.diff(np.append(starts, steps.size))
    weights = np.repeat(1.0 / widths, widths)
    first, last = steps[starts], steps[starts + widths - 1]
    middle = first + np.add.reduceat((steps - np.repeat(first, widths)) * weights, starts)
    # Weighted before they are added, since the sum of large finite values must not become infinite; and held between
    # the bin's least and greatest value, since rounding must not make scatter where a constant curve has none.
    with np.errstate(over="ignore"):
        means = np.add.reduceat(values * weights, starts)
    means = np.clip(means, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts))
    middle = np.clip(middle, first, last)
    # A bin may close around a non-finite point and have its very step as the mean: then it stands on its first point.
    return np.where(np.isin(middle, taken), first, middle), means


def _bucket_extremes(values: FloatArray, buckets: int) -> IntArray:
    """Indices of the first least and the first greatest value of each of equally filled buckets."""
    starts = _bin_edges(values.size, buckets)
    if not starts.size:
        return starts
    widths = np.diff(np.append(starts, values.size))
    chosen = []
    for extreme in (np.minimum, np.maximum):
        hits = np.flatnonzero(values == np.repeat(extreme.reduceat(values, starts), widths))
        bucket = np.searchsorted(starts, hits, side="right")
        chosen.append(hits[np.unique(bucket, return_index=True)[1]])
    return np.concatenate(chosen)
