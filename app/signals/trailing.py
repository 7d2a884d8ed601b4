"""The course of a run as it was seen at each of its own moments: signals that look back and never ahead.

Every array has one entry an evaluation and the entry at k is computed from the points up to k alone, so what a rule
concludes from entry k is what it would have concluded had the run stopped there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from app.curves.curve import FloatArray
from app.signals.trend import relative

BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
NOISE_POINTS = 9


@dataclass(frozen=True, eq=False)
class TrailingTrend:
    """A straight line through the last stretch before each point. All arrays: [points].

    begin: index of the first point of the stretch.
    change: rise of the line over the stretch [relative to the level].
    error: standard error of `change`; scatter: deviation of the points around the line [relative to the level].
    """

    begin: np.ndarray[tuple[int, ...], np.dtype[np.intp]]
    change: FloatArray
    error: FloatArray
    scatter: FloatArray

    @property
    def fall_certainty(self) -> FloatArray:
        """How sure each stretch falls, as a normal deviate: 2 is one chance in 44 that noise alone does it.

        The slope over its error is Student's t with two degrees of freedom fewer than points; Wallace's (1959)
        transform makes it a normal deviate, so that four points have to fall more clearly than forty.
        """
        free = np.maximum(np.arange(self.change.size) - self.begin - 1, 1)
        t = np.minimum(np.abs(self.change) / np.maximum(self.error, 1e-12), 1e9)
        deviate = (8 * free + 1) / (8 * free + 3) * np.sqrt(free * np.log1p(t * t / free))
        return np.asarray(-np.sign(self.change) * deviate)

    @property
    def fall_in_noise_units(self) -> FloatArray:
        """How far each stretch fell, in units of the scatter around it [noise units]."""
        return -self.change / np.maximum(self.scatter, 1e-12)


def trailing_trend(steps: FloatArray, values: FloatArray, share: float, min_points: int = 4) -> TrailingTrend:
    """Least squares over the last `share` of the steps before each point, by running sums.

    A stretch has at least `min_points` points; before there are as many, it is all there is and says nothing: no
    change, infinite error. steps, values: [points], finite; min_points: at least 3.
    """
    index = np.arange(steps.size)
    begin = np.searchsorted(steps, steps - share * (steps - steps[:1]), side="right")
    begin = np.maximum(0, np.minimum(begin, index + 1 - min_points))
    count = index + 1 - begin
    scale = max(float(steps[-1] - steps[0]), 1e-300) if steps.size else 1.0
    x, y = (steps - steps[:1]) / scale, relative(values)
    y = y - (y.mean() if y.size else 0.0)
    sx, sy, sxx, sxy, syy = (_windowed(q, begin) for q in (x, y, x * x, x * y, y * y))
    vxx = np.maximum(sxx - sx * sx / count, 1e-300)
    vxy = sxy - sx * sy / count
    vyy = np.maximum(syy - sy * sy / count, 0.0)
    slope = vxy / vxx
    scatter = np.sqrt(np.maximum(vyy - slope * vxy, 0.0) / np.maximum(count - 2, 1))
    span = x - x[begin]
    young = count < min_points
    return TrailingTrend(
        begin,
        np.where(young, 0.0, slope * span),
        np.where(young, np.inf, scatter * span / np.sqrt(vxx)),
        np.where(young, 0.0, scatter),
    )


def trailing_level(values: FloatArray, share: float = 0.1, min_points: int = 3) -> FloatArray:
    """Mean of the last `share` of the points before each point, at least `min_points` where there are as many."""
    index = np.arange(values.size)
    width = np.maximum(min_points, np.rint(share * (index + 1))).astype(np.intp)
    begin = np.maximum(0, index + 1 - width)
    return np.asarray(_windowed(values, begin) / (index + 1 - begin))


def trailing_noise(values: FloatArray) -> FloatArray:
    """Robust point-to-point scatter of the last few points before each point, in the curve's own unit.

    Each point against the mean of its neighbours, the median size over the last nine scaled to a standard deviation;
    0 before the third point. values: [points], finite.
    """
    if values.size < 3:
        return np.zeros_like(values)
    difference = np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2) * (1.4826 / np.sqrt(1.5))
    young = [float(np.median(difference[:have])) for have in range(1, min(NOISE_POINTS, difference.size + 1))]
    grown = (
        np.median(sliding_window_view(difference, NOISE_POINTS), axis=1)
        if difference.size >= NOISE_POINTS
        else np.zeros(0)
    )
    return np.concatenate([[0.0, 0.0], young, grown])


def held(on: BoolArray, off: BoolArray) -> BoolArray:
    """A state that `on` switches on and only `off` switches off, so that a number near its limit cannot flicker."""
    index = np.arange(1, on.size + 1)
    last_on = np.maximum.accumulate(np.where(on, index, 0))
    last_off = np.maximum.accumulate(np.where(off & ~on, index, 0))
    return np.asarray(last_on > last_off)


def _windowed(values: FloatArray, begin: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> FloatArray:
    """Sums from `begin` to each point; in extended precision, for early stretches are small beside the whole run."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.longdouble)])
    return np.asarray(total[1:] - total[begin], dtype=np.float64)
