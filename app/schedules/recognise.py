"""Which schedule a logged rate follows.

A logged rate is exact but for rounding, so a few shapes are fitted and the nearest is taken when it is near enough.
Rates that are set once an epoch and logged at every update make stairs: shapes are fitted to the first point of each.
"""

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import Curve, FloatArray
from app.schedules.cycles import cycles
from app.schedules.schedule import Fit, Kind, RateDrop, Schedule
from app.schedules.shapes import CLOSE, NEAR, ROUNDING, fall, half_cosine, joined, levels, logged, rms, root_fall

IntArray = NDArray[np.intp]

# Rates are often logged to four digits: a thousandth of the peak is the least that counts as a change.
FLAT = 1e-3
# Below what a schedule changes from point to point, above the rounding of single precision [share of the peak].
SAME_LEVEL = 1e-6
# A cut leaves at most this share of the rate: most halve it or more, while a decay by the epoch keeps 0.9 and more.
GENTLEST_CUT = 0.85
LARGEST_RATIO = 1e100


def recognise(rate: Curve, planned_steps: float | None = None) -> Schedule | None:
    """The schedule behind a logged rate; None for fewer than 2 points.

    rate: finite. planned_steps: where the schedule may end; a hint where only a few points were logged.
    """
    if len(rate) < 2:
        return None
    steps, peak = rate.steps, float(rate.values.max())
    # What is negative is no rate, and so far below a small peak that their ratio would be no number either.
    values = np.maximum(rate.values, -LARGEST_RATIO * peak) / peak if peak > 0 else np.ones_like(rate.values)
    top = int((values >= 1 - FLAT).argmax())
    # No schedule goes below zero.
    negative = float(values.min()) < 0
    fit = Fit("unknown", partial(logged, at=steps, values=values)) if negative else cycles(steps, values)
    if fit is None and values[-1] == 1 and values[-1] - values[-2] > SAME_LEVEL:
        fit = Fit("warmup", partial(logged, at=steps, values=values))
    if fit is None:
        fit = _warmed(steps, values, top, _after_peak(steps[top:], values[top:], planned_steps))
    warmup_end = float(steps[top]) if top and fit.kind != "cyclic" else 0.0
    first, last, now = float(steps[0]), float(steps[-1]), float(values[-1])
    return Schedule(fit.kind, peak, warmup_end, fit.drops, fit.horizon, fit.error, now, first, last, fit.course)


def _warmed(steps: FloatArray, values: FloatArray, top: int, after: Fit) -> Fit:
    """What follows the peak, with the rise before it: a straight warm-up, or half a cosine, which makes one cycle."""
    if not top:
        return after
    x, rise = steps[: top + 1], values[: top + 1]
    straight = partial(logged, at=x[[0, -1]], values=rise[[0, -1]])
    curved = partial(half_cosine, top=rise[0], floor=rise[-1], begin=x[0], length=x[-1] - x[0])
    errors = rms(straight(x) - rise), rms(curved(x) - rise)
    one_cycle = after.kind == "cosine" and top >= 4 and errors[1] < 0.2 * errors[0]
    share = top / steps.size
    error = math.sqrt(share * errors[one_cycle] ** 2 + (1 - share) * after.error**2)
    course = partial(joined, seam=steps[top], before=curved if one_cycle else straight, after=after.course)
    return Fit("cyclic" if one_cycle else after.kind, course, after.horizon, error, after.drops)


def _after_peak(steps: FloatArray, values: FloatArray, planned_steps: float | None) -> Fit:
    """The best fit to a rate that does not rise: constant, cut, falling, or held and then falling."""
    if values.min() >= 1 - FLAT:
        return Fit("constant", partial(logged, at=steps[:1], values=np.ones(1)), None, rms(values - 1))
    firsts = _first_of_levels(values)
    cut = _cuts(steps, values, firsts)
    if cut and len(cut.drops) <= 2:
        return cut
    # A last level longer than any before it is the floor on which the schedule rests.
    rests = firsts.size > 4 and steps.size - firsts[-1] > 1 + int(np.diff(firsts).max())
    smooth = fall(steps[firsts], values[firsts], rests, planned_steps)
    if cut and (smooth is None or smooth.kind == "exponential" or smooth.error > CLOSE):
        return cut
    if smooth is None or smooth.error > CLOSE:
        held = _held(steps, values, rests, planned_steps)
        if held and (smooth is None or held.error < smooth.error / 3):
            return held
    return smooth or Fit("unknown", partial(logged, at=steps, values=values))


def _first_of_levels(values: FloatArray) -> IntArray:
    """The indices at which the rate takes a new level [levels]."""
    firsts = np.append(0, np.flatnonzero(np.abs(np.diff(values)) > SAME_LEVEL) + 1)
    lengths = np.diff(np.append(firsts, values.size))
    # Thinning leaves one averaged point half-way down a cut, which is no level.
    level = np.ones(firsts.size, dtype=np.bool_)
    level[1:-1] = (lengths[1:-1] > 1) | (lengths[:-2] == 1) | (lengths[2:] == 1)
    return firsts[level]


def _held(steps: FloatArray, values: FloatArray, rests: bool, planned_steps: float | None) -> Fit | None:
    """A rate held at its peak for a twentieth of the steps or more, then lowered smoothly; None if it was not."""
    hold = int((values < 1 - FLAT).argmax()) - 1
    if steps[hold] - steps[0] < 0.05 * (steps[-1] - steps[0]):
        return None
    firsts = hold + _first_of_levels(values[hold:])
    x, y = steps[firsts], values[firsts]
    if x.size < 4:
        return None
    root = root_fall(x, y)
    smooth = fall(x, y, rests, planned_steps) or root
    best = min(smooth, root, key=lambda fit: fit.error)
    if best.error > max(NEAR * (1 - float(y.min())), ROUNDING):
        return None
    course = partial(joined, seam=x[0], before=partial(logged, at=x[:1], values=y[:1]), after=best.course)
    return Fit("warmup_stable_decay", course, best.horizon, best.error)


def _cuts(steps: FloatArray, values: FloatArray, firsts: IntArray) -> Fit | None:
    """Levels with sudden cuts between them; None when a change is gentle, a rise, or as frequent as the points.

    Three or more of one size at neighbouring points are a line, logged now and then, down from a rate that was held.

    firsts: where each level begins [levels].
    """
    at, kept = steps[firsts], values[firsts]
    factors = kept[1:] / np.maximum(kept[:-1], SAME_LEVEL)
    if 2 * factors.size > steps.size - 1 or factors.max() > GENTLEST_CUT or _is_line(firsts, kept):
        return None
    drops = tuple(RateDrop(float(step), float(factor)) for step, factor in zip(at[1:], factors, strict=True))
    course = partial(levels, begins=np.append(-math.inf, at[1:]), values=kept)
    kind: Kind = "reduce_on_plateau" if _is_irregular(at, factors, float(np.diff(steps).max())) else "step"
    return Fit(kind, course, None, rms(course(steps) - values), drops)


def _is_line(firsts: IntArray, kept: FloatArray) -> bool:
    """Whether the levels after the first two lie on a falling line, a point each; the line may begin between points."""
    falls = -np.diff(kept)[1:]
    return kept.size >= 4 and int(np.diff(firsts)[1:].max()) == 1 and float(np.ptp(falls)) <= 0.1 * float(falls.max())


def _is_irregular(begins: FloatArray, factors: FloatArray, spacing: float) -> bool:
    """Whether three cuts or more by one factor lie where nobody would have planned them.

    Planned milestones lie on a coarse grid: its unit is the shortest stretch, or that by a whole number up to six.
    begins: the first step of each level [levels]. spacing: how far from it a cut may have been logged [steps].
    """
    if factors.size < 3 or np.ptp(factors) > 0.02 * factors.max():
        return False
    stretches = np.diff(begins)
    units = stretches.min() / np.arange(1, 7)[:, None]
    off_grid = np.abs(stretches - units * np.rint(stretches / units))
    return bool((off_grid > 0.1 * units + spacing).any(axis=1).all())
