"""Fewer points that say the same: means for the rules, real points for the eye. Pure and deterministic."""

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import Curve, FloatArray

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

# First, last, least, greatest, and a few non-finite points: fewer could not say what the curve does.
LEAST_MAX_POINTS = 8


def for_rules(curve: Curve, max_points: int = 4096, counts: FloatArray | None = None) -> Curve:
    """At most `max_points` points: means of equally filled bins of finite points, beside every non-finite point.

    counts: how many points each point of the curve stands for [points], one when absent.

    The first and the last finite point stay exact, because rules read where a run began and where it stands. A bin's
    step is the mean of its steps. Of more than max_points / 4 non-finite points only the first and last of each stretch
    are kept. Anything less than 8 is taken as 8. A short curve is returned as it is.
    """
    max_points = max(max_points, LEAST_MAX_POINTS)
    if len(curve) <= max_points:
        return curve
    finite = np.isfinite(curve.values)
    kept = non_finite_kept(finite, max_points // 4)
    real = np.flatnonzero(finite)
    inner = real[1:-1]
    bins, taken = max_points - 2 - kept.size, curve.steps[kept]
    weights = None if counts is None else counts[inner]
    steps, values = _bin_means(curve.steps[inner], curve.values[inner], bins, taken, weights)
    exact = np.union1d(kept, real[[0, -1]] if real.size else real)
    steps = np.concatenate((steps, curve.steps[exact]))
    values = np.concatenate((values, curve.values[exact]))
    order = np.argsort(steps, kind="stable")
    return Curve(curve.name, steps[order], values[order])


def for_display(curve: Curve, max_points: int, counts: FloatArray | None = None) -> Curve:
    """At most `max_points` of the curve's own points, so that a drawing of them looks like a drawing of all.

    Kept: the first and last point, the least and greatest finite value of the curve and of each of equally filled
    buckets, and every non-finite point (where they would not leave room for the others, the first and last of each
    stretch). Anything less than 8 is taken as 8. A short curve is returned as it is. counts: as for `for_rules`.
    """
    max_points = max(max_points, LEAST_MAX_POINTS)
    if len(curve) <= max_points:
        return curve
    finite = np.isfinite(curve.values)
    kept = non_finite_kept(finite, max_points - 2 - 2)
    real = np.flatnonzero(finite)
    buckets = (max_points - 2 - kept.size) // 2
    starts = bin_edges(real.size, buckets) if counts is None else _weighted_edges(counts[real], buckets)
    extremes = real[np.concatenate(bucket_extremes(curve.values[real], starts))]
    chosen = np.unique(np.concatenate((np.array([0, len(curve) - 1]), kept, extremes)))
    return Curve(curve.name, curve.steps[chosen], curve.values[chosen])


def non_finite_kept(finite: BoolArray, budget: int) -> IntArray:
    """Indices [<= budget] of non-finite points to keep: all, else the ends of stretches, else some of the ends."""
    bad = np.flatnonzero(~finite)
    if bad.size <= budget:
        return bad
    breaks = np.diff(bad) > 1
    ends = bad[np.append(True, breaks) | np.append(breaks, True)]
    chosen = np.linspace(0, ends.size - 1, min(budget, ends.size)).astype(np.intp)
    return np.take(ends, chosen)


def bin_edges(count: int, bins: int) -> IntArray:
    """Where each of at most `bins` equally filled bins of `count` points begins [bins]."""
    return np.unique(np.linspace(0, count, min(bins, count), endpoint=False).astype(np.intp))


def _weighted_edges(counts: FloatArray, bins: int) -> IntArray:
    """The same for entries that stand for `counts` points each: none is split, so some bins hold more than others."""
    before = np.cumsum(counts) - counts
    bin_of = np.floor(before * (bins / max(float(counts.sum()), 1.0))).astype(np.intp)
    return np.flatnonzero(np.diff(bin_of, prepend=-1))


def _bin_means(
    steps: FloatArray, values: FloatArray, bins: int, taken: FloatArray, counts: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Mean step and mean value of equally filled bins; the steps increase strictly and are none of `taken` [steps]."""
    starts = bin_edges(steps.size, bins) if counts is None else _weighted_edges(counts, bins)
    if not starts.size:
        return steps[:0], values[:0]
    return means(steps, values, starts, taken, counts)


def means(
    steps: FloatArray, values: FloatArray, starts: IntArray, taken: FloatArray, counts: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Mean step and mean value of finite points from each of `starts` to the next, none of them empty."""
    widths = np.diff(np.append(starts, steps.size))
    if counts is None:
        weights = np.repeat(1.0 / widths, widths)
    else:
        weights = counts / np.repeat(np.add.reduceat(counts, starts), widths)
    first, last = steps[starts], steps[starts + widths - 1]
    middle = first + np.add.reduceat((steps - np.repeat(first, widths)) * weights, starts)
    # Weighted before they are added, since the sum of large finite values must not become infinite; and held between
    # the bin's least and greatest value, since rounding must not make scatter where a constant curve has none.
    with np.errstate(over="ignore"):
        mean = np.add.reduceat(values * weights, starts)
    mean = np.clip(mean, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts))
    middle = np.clip(middle, first, last)
    # A bin may close around a non-finite point and have its very step as the mean: then it stands on its first point.
    return np.where(np.isin(middle, taken), first, middle), mean


def bucket_extremes(values: FloatArray, starts: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of the first least and of the first greatest finite value from each of `starts` to the next."""
    if not starts.size:
        return starts, starts
    widths = np.diff(np.append(starts, values.size))
    chosen = []
    for extreme in (np.minimum, np.maximum):
        hits = np.flatnonzero(values == np.repeat(extreme.reduceat(values, starts), widths))
        bucket = np.searchsorted(starts, hits, side="right")
        chosen.append(hits[np.unique(bucket, return_index=True)[1]])
    return chosen[0], chosen[1]
