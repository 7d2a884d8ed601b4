"""Shapes of a falling rate, each fitted in closed form.

Every shape becomes a straight line, or a solution of a linear difference equation, behind some transform; so a fit is
a few sums. The error is always measured on the rate itself.
"""

import math
from functools import partial

import numpy as np

from app.curves.curve import FloatArray
from app.schedules.schedule import Course, Fit, Kind

# What rounding and averaging leave is below 1/500 of a fall; what a wrong shape leaves is above 1/100.
CLOSE, NEAR = 1 / 500, 1 / 100
# What rounding to four digits leaves at worst, however small the fall is [share of the peak].
ROUNDING = 3e-4
# How much nearer a shape with one more number to adjust must be.
PRICE = {"linear": 1, "exponential": 1, "inverse_sqrt": 1, "cosine": 2}
# A rate below is as good as none, and its inverse square would not be a number [share of the peak].
LEAST_RATE = 1e-100
# In place of the square of a shape that is zero at every point.
TINY = 1e-12
# Enough points for a difference equation, where more would only cost time.
GRID_POINTS = 65
# No cosine begins before step 0, give or take what rounding makes of where it begins [share of its length].
EARLY = 0.1
# A second, finer grid around the best of the first.
FINE = np.linspace(0.975, 1.025, 101)
# Nearer to each other, steps have squares that are zero to a float, and no line goes through them [steps].
LEAST_SPAN = 1e-100


def fall(steps: FloatArray, values: FloatArray, rests: bool, planned_steps: float | None) -> Fit | None:
    """The shape nearest to a rate that falls; None when none is near.

    steps, values: [points], at least 2; values are shares of the peak. rests: the last value is the floor that the
    schedule stays on. A simpler shape wins over one with more to adjust when it is close.
    """
    floor = float(values[-1]) if rests else 0.0
    # The floor cuts the last point off the shape, unless its shape includes the floor.
    x, y = (steps[:-1], values[:-1]) if rests else (steps, values)
    depth = 1 - float(values.min())
    if x.size < 3 or x[-1] - x[0] < LEAST_SPAN:
        return None
    fits = [_line(x, y, floor), *_cosines(x, y, floor, planned_steps)]
    if min(fit.error for fit in fits) > CLOSE * depth and float(y.min()) > LEAST_RATE:
        fits += [_exponential(x, y, floor), *_inverse_root(x, y, floor)]
    if min(fit.error for fit in fits) > CLOSE * depth:
        fits += _cosine_to_floor(steps, values)
    best = min(fits, key=lambda fit: fit.error * PRICE[fit.kind])
    return best if best.error <= max(NEAR * depth, ROUNDING) else None


def root_fall(steps: FloatArray, values: FloatArray) -> Fit:
    """1 - sqrt(x) from the first point on, the fall that a held rate is often given (Hägele et al. 2024)."""
    x, root = steps - steps[0], (1 - values) ** 2
    if x[-1] < LEAST_SPAN:
        return Fit("unknown", partial(logged, at=steps, values=values), None, math.inf)
    length = float(x @ x) / float(x @ root)
    return _fit("warmup_stable_decay", partial(_one_minus_root, begin=steps[0], length=length), steps, values,
                float(steps[0]) + length)  # fmt: skip


def rms(differences: FloatArray) -> float:
    """Root mean square."""
    return math.sqrt(float(differences @ differences) / differences.size)


def half_cosine(steps: FloatArray, top: float, floor: float, begin: float, length: float | FloatArray) -> FloatArray:
    """From `top` at `begin` to `floor`, `length` later, along half a cosine; level before and after."""
    phase = np.minimum(np.maximum((steps - begin) / length, 0.0), 1.0)
    return floor + (top - floor) / 2 * (1 + np.cos(math.pi * phase))


def logged(steps: FloatArray, at: FloatArray, values: FloatArray) -> FloatArray:
    """Straight lines between known points, level before and after."""
    return np.interp(steps, at, values)


def joined(steps: FloatArray, seam: float, before: Course, after: Course) -> FloatArray:
    """One course up to a step, another from it on."""
    return np.where(steps < seam, before(steps), after(steps))


def levels(steps: FloatArray, begins: FloatArray, values: FloatArray) -> FloatArray:
    """A staircase: values [levels] from their first steps [levels] on."""
    return values[np.searchsorted(begins, steps, side="right") - 1]


def _fit(kind: Kind, course: Course, steps: FloatArray, values: FloatArray, horizon: float | None = None) -> Fit:
    return Fit(kind, course, horizon, rms(course(steps) - values))


def _regress(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Least squares: intercept and slope."""
    middle, level = float(x.sum()) / x.size, float(y.sum()) / x.size
    centred = x - middle
    slope = float(centred @ y) / float(centred @ centred)
    return level - slope * middle, slope


def _line(steps: FloatArray, values: FloatArray, floor: float) -> Fit:
    start, slope = _regress(steps, values)
    course = partial(_straight, start=start, slope=slope, floor=floor)
    return _fit("linear", course, steps, values, (floor - start) / slope)


def _exponential(steps: FloatArray, values: FloatArray, floor: float) -> Fit:
    start, slope = _regress(steps, np.log(values))
    return _fit("exponential", partial(_exp, start=start, slope=slope, floor=floor), steps, values)


def _inverse_root(steps: FloatArray, values: FloatArray, floor: float) -> list[Fit]:
    """a0 / sqrt(t + t0): its inverse square is a straight line."""
    start, slope = _regress(steps, values**-2.0)
    if start + slope * steps[0] <= 0:
        return []
    course = partial(_root, start=start, slope=slope, floor=floor)
    return [_fit("inverse_sqrt", course, steps, values)]


def _cosines(steps: FloatArray, values: FloatArray, floor: float, planned_steps: float | None) -> list[Fit]:
    """Half a cosine to zero, whose square root is a quarter of a slower cosine: s(t + h) + s(t - h) = 2 cos(wh) s(t).

    With few points, where that equation would fit anything, a cosine has to begin where one would.
    """
    root = np.sqrt(np.maximum(values, 0.0))
    if steps.size < 8:
        return _begun_cosines(steps, values, floor, planned_steps)
    even, h, grid = _even(steps, root)
    middle = grid[h:-h]
    cosine = float(middle @ (grid[2 * h :] + grid[: -2 * h])) / (2 * float(middle @ middle))
    if not 0 < cosine < 1 - 1e-12:
        return []
    pace = math.acos(cosine) / (h * even)
    x = steps - steps[0]
    c, s = np.cos(pace * x), np.sin(pace * x)
    cc, ss, cs, cr, sr = (float(a @ b) for a, b in ((c, c), (s, s), (c, s), (c, root), (s, root)))
    a, b = (ss * cr - cs * sr) / (cc * ss - cs**2), (cc * sr - cs * cr) / (cc * ss - cs**2)
    begin, length = float(steps[0]) + math.atan2(b, a) / pace, math.pi / (2 * pace)
    return [_cosine(steps, values, a**2 + b**2, 0.0, begin, length, floor)] if begin > -EARLY * length else []


def _begun_cosines(steps: FloatArray, values: FloatArray, floor: float, planned_steps: float | None) -> list[Fit]:
    """Cosines to zero that begin at zero, at the first point or one point before it; the best length for each."""
    first, last = float(steps[0]), float(steps[-1])
    spacing = (last - first) / (steps.size - 1)
    fits = []
    for begin in {0.0, first, first - spacing}:
        # A cosine of which less than a fiftieth was run is flat.
        lengths = np.geomspace(last - begin, 50 * (last - begin), 200)
        length = _best_length(steps, values, begin, lengths)
        fits.append(_begun_cosine(steps, values, begin, _best_length(steps, values, begin, length * FINE), floor))
        if planned_steps and planned_steps >= last:
            fits.append(_begun_cosine(steps, values, begin, planned_steps - begin, floor))
    return fits


def _best_length(steps: FloatArray, values: FloatArray, begin: float, lengths: FloatArray) -> float:
    shapes = half_cosine(steps, 1.0, 0.0, begin, lengths[:, None])
    hits = shapes @ values
    return float(lengths[int((hits**2 / np.maximum((shapes**2).sum(axis=1), TINY)).argmax())])


def _begun_cosine(steps: FloatArray, values: FloatArray, begin: float, length: float, floor: float) -> Fit:
    shape = half_cosine(steps, 1.0, 0.0, begin, length)
    top = float(shape @ values) / max(float(shape @ shape), TINY)
    return _cosine(steps, values, top, 0.0, begin, length, floor)


def _cosine_to_floor(steps: FloatArray, values: FloatArray) -> list[Fit]:
    """Half a cosine to a floor above zero: v(t + h) + v(t - h) - 2 v(t) falls in a straight line with v(t)."""
    if steps.size < 8:
        return []
    even, h, grid = _even(steps, values)
    middle = grid[h:-h]
    _, slope = _regress(middle, grid[2 * h :] + grid[: -2 * h] - 2 * middle)
    if not -4 < slope < -1e-9:
        return []
    pace = math.acos(1 + slope / 2) / (h * even)
    x = pace * (steps - steps[0])
    table = np.stack((np.ones_like(x), np.cos(x), np.sin(x)), axis=1)
    level, a, b = (float(k) for k in np.linalg.lstsq(table, values, rcond=None)[0])
    size = math.hypot(a, b)
    begin, length = float(steps[0]) + math.atan2(b, a) / pace, math.pi / pace
    low = max(level - size, 0.0)
    return [_cosine(steps, values, level + size, low, begin, length, 0.0)] if begin > -EARLY * length else []


def _even(steps: FloatArray, values: FloatArray) -> tuple[float, int, FloatArray]:
    """Values on even steps: the spacing [steps], a quarter of the points, the values."""
    points = min(steps.size, GRID_POINTS)
    spacing = float(steps[-1] - steps[0]) / (points - 1)
    return spacing, points // 4, np.interp(np.linspace(steps[0], steps[-1], points), steps, values)


def _cosine(
    steps: FloatArray, values: FloatArray, top: float, low: float, begin: float, length: float, floor: float
) -> Fit:
    """floor: where the fall is cut off; low: where the cosine would end."""
    course = partial(_cut_cosine, top=top, low=low, begin=begin, length=length, floor=floor)
    cut_at = math.acos(min(max(2 * (floor - low) / max(top - low, TINY) - 1, -1.0), 1.0)) / math.pi
    return _fit("cosine", course, steps, values, begin + length * cut_at)


def _cut_cosine(steps: FloatArray, top: float, low: float, begin: float, length: float, floor: float) -> FloatArray:
    return np.maximum(half_cosine(steps, top, low, begin, length), floor)


def _straight(steps: FloatArray, start: float, slope: float, floor: float) -> FloatArray:
    return np.maximum(start + slope * steps, floor)


def _exp(steps: FloatArray, start: float, slope: float, floor: float) -> FloatArray:
    return np.maximum(np.exp(np.minimum(start + slope * steps, 700.0)), floor)


def _root(steps: FloatArray, start: float, slope: float, floor: float) -> FloatArray:
    return np.maximum(np.maximum(start + slope * steps, 1e-12) ** -0.5, floor)


def _one_minus_root(steps: FloatArray, begin: float, length: float) -> FloatArray:
    return 1 - np.sqrt(np.minimum(np.maximum((steps - begin) / length, 0.0), 1.0))
