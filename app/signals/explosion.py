"""Whether and when a loss left every useful range."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.curves.curve import Curve, FloatArray

Cause = Literal["at the start", "after a climb", "while the rate was rising", "out of the blue"]


@dataclass(frozen=True)
class NonFinite:
    """NaN and infinities of a curve: how many, and the step of the first."""

    count: int
    first_step: float
    stays: bool


def non_finite(curve: Curve) -> NonFinite | None:
    """The non-finite points of a curve; `stays` when the curve ends in one. None when every point is finite."""
    bad = np.flatnonzero(~np.isfinite(curve.values))
    if bad.size == 0:
        return None
    return NonFinite(int(bad.size), float(curve.steps[bad[0]]), bool(bad[-1] == len(curve) - 1))


@dataclass(frozen=True)
class Blowup:
    """A climb far above the start.

    peak: highest smoothed level over the starting level [ratio].
    end: level at the end over the starting level [ratio].
    first_step: the step at which the loss first passed three times its start [steps].
    """

    peak: float
    end: float
    first_step: float


def blowup(steps: FloatArray, values: FloatArray, start_level: float, end_level: float) -> Blowup | None:
    """How far a smoothed loss climbed above a positive starting level; None when it never passed three times it."""
    if start_level <= 0 or values.size == 0:
        return None
    high = np.flatnonzero(values > 3 * start_level)
    if high.size == 0:
        return None
    return Blowup(float(values.max()) / start_level, end_level / start_level, float(steps[high[0]]))


def cause_of_non_finite(train: Curve, rate: Curve | None, first_step: float) -> Cause:
    """What led up to the first non-finite point: the last finite points before it, and the rate over them."""
    before = train.finite().through(first_step)
    if len(before) < 3:
        return "at the start"
    if rate is not None:
        recent = rate.through(first_step).values[-10:]
        if recent.size > 1 and recent[-1] > 1.01 * recent[0]:
            return "while the rate was rising"
    tail = before.values[-10:]
    return "after a climb" if tail[-1] > 2 * float(np.median(before.values)) else "out of the blue"
