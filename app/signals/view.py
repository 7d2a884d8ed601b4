"""What the rules look at: a run's curves, and the signals that several rules share, each measured once."""

from functools import cached_property

import numpy as np

from app.curves.curve import Curve, Curves, FloatArray
from app.signals.matching import Pair, match
from app.signals.smoothing import bin_means, running_median

PROGRESS_BINS = 200
# No metric means a number beyond these; as infinity and as zero they cannot overflow in a square, a sum or a ratio.
LARGEST, SMALLEST = 1e100, 1e-100


class View:
    """A run's curves by role, with signals measured on demand and kept.

    The signals are over finite points; `curves` holds what was reported, NaN included.
    """

    def __init__(self, curves: Curves) -> None:
        self.curves = Curves({name: _readable(curve) for name, curve in curves.items()})

    @cached_property
    def train(self) -> Curve:
        """Finite train loss; empty when none was logged."""
        return self._finite("train/loss")

    @cached_property
    def val(self) -> Curve:
        """Finite validation loss; empty when none was logged."""
        return self._finite("val/loss")

    @cached_property
    def rate(self) -> Curve:
        """Finite learning rate; empty when none was logged."""
        return self._finite("lr")

    @cached_property
    def pair(self) -> Pair:
        """Train and validation loss at matched steps; empty when either is missing."""
        return match(self.train, self.val)

    @cached_property
    def progress(self) -> Curve:
        """Train loss in at most 200 bins: fine enough for a shape, coarse enough for a single batch not to matter."""
        return bin_means(self.train, PROGRESS_BINS)

    @cached_property
    def smooth_val(self) -> FloatArray:
        """Validation loss of `pair` behind a running median over a fifteenth of the run."""
        return running_median(self.pair.val, len(self.pair) // 15)

    @cached_property
    def settled(self) -> Curve:
        """Train loss as the rules read its late course: at the evaluations, or in bins when there are too few."""
        if len(self.pair) >= 4:
            return Curve("train/loss", self.pair.steps, self.pair.train)
        return self.progress

    def _finite(self, name: str) -> Curve:
        empty = np.zeros(0)
        return self.curves[name].finite() if name in self.curves else Curve(name, empty, empty)


def _readable(curve: Curve) -> Curve:
    size = np.abs(curve.values)
    beyond, below = size > LARGEST, (size < SMALLEST) & (size > 0)
    if not (beyond.any() or below.any()):
        return curve
    values = np.where(beyond, np.copysign(np.inf, curve.values), np.where(below, 0.0, curve.values))
    return Curve(curve.name, curve.steps, values)
