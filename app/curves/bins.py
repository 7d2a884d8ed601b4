"""A long stretch of a curve summed up: bins, and the points that no mean may stand for. Pure.

What reads bins costs the same for any number of points behind them. The means are what rules see, the extremes what a
drawing shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.curves.thinning import bin_edges, bucket_extremes, for_display, for_rules, means, non_finite_kept

# Of more non-finite points than this in one stretch only some are kept beside the bins.
MOST_NON_FINITE = 4096


@dataclass(frozen=True, eq=False)
class Bins:
    """A stretch of a curve in equally filled bins of its finite points, in step order; none is empty.

    Arrays are float64 [bins]: counts of finite points; mean step and mean value; spread, the standard deviation; the
    least and the greatest value with the steps they stand at; non_finite, the points between this bin's first step and
    the next one's that are not finite (the first bin has those before it as well).
    exact: first and last point, first and last finite point, and the non-finite points: all of at most 4096, else ends
    of their stretches. points: how many the stretch has.
    """

    counts: FloatArray
    steps: FloatArray
    values: FloatArray
    spreads: FloatArray
    low_steps: FloatArray
    lows: FloatArray
    high_steps: FloatArray
    highs: FloatArray
    non_finite: FloatArray
    exact: Curve
    points: int

    @property
    def complete(self) -> bool:
        """Whether `exact` holds every non-finite point."""
        kept = int((~np.isfinite(self.exact.values)).sum())
        return kept == self.points - int(self.counts.sum())


def summed_up(curve: Curve, bins: int) -> Bins:
    """At most so many bins of a curve that has a point."""
    finite = np.isfinite(curve.values)
    real = np.flatnonzero(finite)
    steps, values = curve.steps[real], curve.values[real]
    bad = curve.steps[~finite]
    starts = bin_edges(real.size, bins)
    widths = np.diff(np.append(starts, real.size))
    low, high = bucket_extremes(values, starts)
    mean_steps, mean = means(steps, values, starts, bad) if real.size else (steps, values)
    with np.errstate(over="ignore"):
        squares = (values - np.repeat(mean, widths)) ** 2
        spreads = np.sqrt(np.add.reduceat(squares, starts) / widths) if real.size else values
    owner = np.clip(np.searchsorted(steps[starts], bad, side="right") - 1, 0, None)
    kept = np.concatenate(([0, len(curve) - 1], real[:1], real[-1:], non_finite_kept(finite, MOST_NON_FINITE)))
    exact = np.unique(kept.astype(np.intp))
    return Bins(
        counts=widths.astype(np.float64),
        steps=mean_steps,
        values=mean,
        spreads=spreads,
        low_steps=steps[low],
        lows=values[low],
        high_steps=steps[high],
        highs=values[high],
        non_finite=np.bincount(owner, minlength=starts.size)[: starts.size].astype(np.float64),
        exact=Curve(curve.name, curve.steps[exact], curve.values[exact]),
        points=len(curve),
    )


def thinned_for_rules(stretches: Sequence[Bins], rest: Curve, max_points: int = 4096) -> Curve:
    """What `for_rules` makes of a curve of which some stretches are known by their bins and the rest by its points.

    No stretch overlaps another one or the rest. The bins of the result are filled as equally as the given ones allow.
    """
    if not stretches:
        return for_rules(rest, max_points)
    exact = [_exact(one.exact, one is stretches[0], one is stretches[-1]) for one in stretches]
    points = [*exact, rest]
    # Exact points come first, so that where a mean has the step of one the point is taken.
    steps = np.concatenate([c.steps for c in points] + [one.steps for one in stretches])
    values = np.concatenate([c.values for c in points] + [one.values for one in stretches])
    alone = np.ones(sum(len(c) for c in points))
    counts = np.concatenate([alone, *(one.counts for one in stretches)])
    return for_rules(*_in_order(rest.name, steps, values, counts, max_points))


def thinned_for_display(stretches: Sequence[Bins], rest: Curve, max_points: int) -> Curve:
    """What `for_display` makes of such a curve: its own points, the extremes of every bin among them."""
    if not stretches:
        return for_display(rest, max_points)
    points = [*(one.exact for one in stretches), rest]
    extremes = [(one.low_steps, one.lows) for one in stretches] + [(one.high_steps, one.highs) for one in stretches]
    steps = np.concatenate([c.steps for c in points] + [at for at, _ in extremes])
    values = np.concatenate([c.values for c in points] + [value for _, value in extremes])
    halves = [one.counts / 2 for one in stretches]
    counts = np.concatenate([np.ones(sum(len(c) for c in points)), *halves, *halves])
    curve, most, weights = _in_order(rest.name, steps, values, counts, max_points)
    return for_display(curve, most, weights)


def _exact(curve: Curve, first: bool, last: bool) -> Curve:
    """The non-finite points of a stretch, with its ends only where the curve may end there: its bins have them too."""
    keep = ~np.isfinite(curve.values)
    real = np.flatnonzero(~keep)
    if first:
        keep[real[:1]] = True
    if last:
        keep[real[-1:]] = True
    return Curve(curve.name, curve.steps[keep], curve.values[keep])


def _in_order(
    name: str, steps: FloatArray, values: FloatArray, counts: FloatArray, max_points: int
) -> tuple[Curve, int, FloatArray]:
    """Sorted by step, the first of equal steps taken; in the order of arguments that thinning has."""
    order = np.argsort(steps, kind="stable")
    order = order[np.append(True, np.diff(steps[order]) > 0)]
    return Curve(name, steps[order], values[order]), max_points, counts[order]
