"""How a stretch of a curve moves: its slope, how sure that is, and the scatter around it."""

import math
from dataclasses import dataclass

import numpy as np

from app.curves.curve import FloatArray


@dataclass(frozen=True)
class Trend:
    """A straight line through a stretch.

    change: rise of the line from the first to the last step of the stretch [relative to the level].
    error: standard error of `change` [relative to the level].
    scatter: standard deviation of the points around the line [relative to the level].
    """

    change: float
    error: float
    scatter: float

    @property
    def change_in_errors(self) -> float:
        """The change in units of its standard error; negative is falling."""
        return self.change / max(self.error, 1e-12)

    @property
    def fall_in_noise_units(self) -> float:
        """How far the stretch fell, in units of the scatter around it [noise units]."""
        return -self.change / max(self.scatter, 1e-12)


def relative(values: FloatArray) -> FloatArray:
    """Values on a scale where differences are relative changes, whatever the unit of the metric.

    The logarithm of a positive curve; one that touches zero or goes below is divided by its own range instead.
    """
    if values.size and float(values.min()) > 0:
        return np.log(values)
    spread = float(values.max() - values.min()) if values.size else 0.0
    return values / spread if spread > 0 else np.zeros_like(values)


def trend(steps: FloatArray, values: FloatArray) -> Trend:
    """Least squares over the whole stretch. steps, values: [points], at least 3, finite."""
    y = relative(values)
    span = float(steps[-1] - steps[0])
    x = (steps - steps.mean()) / span
    sxx = float(x @ x)
    slope = float(x @ y) / sxx
    residual = y - y.mean() - slope * x
    scatter = math.sqrt(float(residual @ residual) / max(y.size - 2, 1))
    return Trend(slope, scatter / math.sqrt(sxx), scatter)


def last_stretch(steps: FloatArray, share: float, min_points: int = 4) -> slice:
    """The points of the last `share` of the steps, widened to at least `min_points`."""
    begin = int(np.searchsorted(steps, steps[-1] - share * (steps[-1] - steps[0]), side="right"))
    return slice(max(0, min(begin, steps.size - min_points)), steps.size)
