"""How much a curve jumps from point to point."""

import math

import numpy as np

from app.curves.curve import FloatArray


def scatter(values: FloatArray) -> float:
    """Robust point-to-point scatter of a curve, in the curve's own unit; 0 for fewer than 3 points.

    Each point against the mean of its neighbours, which a straight stretch leaves at zero; the median of the sizes is
    scaled to a standard deviation (1.4826 for a normal distribution, 1.5 the variance of such a difference).
    values: [points], finite.
    """
    if values.size < 3:
        return 0.0
    difference = values[1:-1] - (values[:-2] + values[2:]) / 2
    return float(1.4826 * np.median(np.abs(difference)) / math.sqrt(1.5))
