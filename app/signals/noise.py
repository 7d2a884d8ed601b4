"""How much a curve jumps from point to point, and how little it can."""

import math

import numpy as np

from app.curves.curve import FloatArray

DIVIDED = 64  # values that are enough to find what divides all of them


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


def quantum(values: FloatArray) -> float:
    """The jumps in which a rounded curve moves, in the curve's own unit: about the greatest common divisor of values.

    0 where there is none above a millionth of the largest, and where nothing jumps. values: [points], finite.
    """
    distinct = np.unique(np.abs(values))
    if distinct.size < 2:
        return 0.0
    least = 1e-6 * float(distinct[-1])
    found = 0.0
    for value in distinct[:: distinct.size // DIVIDED + 1].tolist():
        found = _common_divisor(value, found, least)
    return found if found > 10 * least else 0.0


def _common_divisor(one: float, other: float, least: float) -> float:
    """Euclid's, by remainders of the least size, so that a rounding error is none of a whole divisor."""
    while other > least:
        one, other = other, abs(math.remainder(one, other))
    return one
