"""Where a validation curve is best: not its luckiest point, and every point that noise cannot tell from the best."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray
from app.signals.noise import scatter
from app.signals.smoothing import running_median

# The standard error of a median is that much larger than that of a mean, of points from a normal distribution.
MEDIAN_ERROR = 1.2533
FEWEST_SMOOTHED = 3  # a lucky point stands alone
# Noise is read off the evaluations around the best one: it may have been another while the rate was high.
NEAR_SHARE, NEAR_POINTS = 0.2, 5


@dataclass(frozen=True, eq=False)
class Best:
    """The best of a curve whose lower values are better.

    at: index of the best evaluation. level: running medians [evaluations, the curve's unit]. noise: point-to-point
    scatter around the best [the curve's unit]. error: standard error of the difference of two levels [the same].
    equivalent: whether each level is within one such error of the best [evaluations]; of one standard error, as
    Breiman et al. (1984) choose the simplest of equally good trees.
    """

    at: int
    level: FloatArray
    noise: float
    error: float
    equivalent: NDArray[np.bool_]

    @property
    def earliest(self) -> int:
        """The index of the first evaluation that is as good as the best, within noise."""
        return int(self.equivalent.argmax())


def best_of(values: FloatArray) -> Best:
    """The best evaluation and its equivalents. values: [evaluations], finite, at least one, lower is better."""
    at = int(np.argmin(running_median(values, values.size // 15)))
    window = max(FEWEST_SMOOTHED, values.size // 15 | 1)
    level = running_median(values, window)
    half = max(NEAR_POINTS, round(NEAR_SHARE * values.size))
    noise = scatter(values[max(0, at - half) : at + half + 1])
    error = MEDIAN_ERROR * noise * math.sqrt(2 / window)
    return Best(at, level, noise, error, level <= level[at] + error)
