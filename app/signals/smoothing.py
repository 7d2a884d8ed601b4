"""Smoother versions of a curve, for reading a level or a shape off it."""

import numpy as np
from scipy.ndimage import median_filter

from app.curves.curve import Curve, FloatArray


def running_median(values: FloatArray, window_points: int) -> FloatArray:
    """Centred running median; the ends repeat the end value. values: [points], finite."""
    if window_points <= 1 or values.size == 0:
        return values
    return np.asarray(median_filter(values, size=window_points | 1, mode="nearest"), dtype=np.float64)


def bin_means(curve: Curve, bins: int) -> Curve:
    """Means over equal-count bins, each at the step of its last point; the curve itself when it is short enough."""
    if len(curve) <= bins:
        return curve
    edges = np.linspace(0, len(curve), bins + 1).astype(np.int64)
    means = np.add.reduceat(curve.values, edges[:-1]) / np.diff(edges)
    return Curve(curve.name, curve.steps[edges[1:] - 1], means)


def step_means(curve: Curve, width: float) -> Curve:
    """Means over bins of `width` steps that begin at step 0, each at the step of its last point; none of nothing."""
    of = np.ceil(curve.steps / width - 1e-9)
    first = np.flatnonzero(np.diff(of, prepend=-1.0))
    counts = np.diff(first, append=of.size)
    means = np.add.reduceat(curve.values, first) / counts
    return Curve(curve.name, curve.steps[first + counts - 1], means)


def bin_noise(curve: Curve, bins: int) -> FloatArray:
    """Standard error of each of the means that `bin_means` answers, from neighbouring points [values' unit].

    Differences of neighbours hold the scatter of single points and hardly any of the course. 0 where a bin is a point.
    """
    if len(curve) <= bins:
        return np.zeros_like(curve.values)
    edges = np.linspace(0, len(curve), bins + 1).astype(np.int64)
    squares = np.concatenate([[0.0], np.cumsum(np.diff(curve.values) ** 2 / 2)])
    inside = edges[1:] - edges[:-1] - 1
    variance = (squares[edges[1:] - 1] - squares[edges[:-1]]) / np.maximum(inside, 1)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0) / (inside + 1)))


def tail_mean(values: FloatArray, share: float = 0.1) -> float:
    """Mean of the last `share` of the points, at least two of them. values: [points], finite, not empty."""
    return float(values[-max(2, round(values.size * share)) :].mean())
