"""Where an early cut of the learning rate shows in the losses, for jobs that log no rate.

With the rate goes the noise that it makes: train and validation loss slow down within one evaluation, and quietly.
"""

from dataclasses import dataclass

import numpy as np

from app.signals.matching import Pair
from app.signals.trend import last_stretch, trend

# An early cut: pace after over pace before, times unrest; and the steady fall that a low rate leaves [noise units].
MOST_SLOWED_UNREST, LEAST_DRIFT, MOST_SLOWED = 0.003, 8.0, 0.3


@dataclass(frozen=True)
class EarlyCut:
    """A cut of the rate while the loss was falling fast, seen in train and validation loss.

    step: the first evaluation after it. slowed: pace after over pace before [ratio]. unrest: mean second difference
    of validation after it over its pace before [ratio].
    """

    step: float
    slowed: float
    unrest: float


def infer_early_cut(pair: Pair, start: float, latest: float) -> EarlyCut | None:
    """The cut of the rate by step `latest` that shows most clearly; None where none does.

    A falling loss slows down by itself, but over many evaluations and at the unrest that its rate makes. Within one
    evaluation, both losses slow down to a fraction, to a course without unrest that goes on falling: that is a cut.
    start: the level at step 0, above zero; pair: evaluations in about even steps, at least 8 of them.
    """
    if len(pair) < 8 or float(min(pair.train.min(), pair.val.min(), start)) <= 0:
        return None
    train, val = (np.log(np.r_[start, values]) for values in (pair.train, pair.val))
    late = last_stretch(pair.steps, 1 / 3, 4)
    if trend(pair.steps[late], pair.val[late]).fall_in_noise_units < LEAST_DRIFT:
        return None
    k = np.arange(2, int(np.searchsorted(pair.steps, latest, side="right")) + 1)
    side = np.maximum(2, k // 2)
    k, side = k[k + 1 + side < val.size], side[k + 1 + side < val.size]
    before = [(curve[k - k // 2] - curve[k]) / (k // 2) for curve in (train, val)]
    after = [(curve[k + 1] - curve[k + 1 + side]) / side for curve in (train, val)]
    falling = (before[0] > 0) & (before[1] > 0)
    slowed = np.maximum(*(a / np.where(falling, b, 1.0) for a, b in zip(after, before, strict=True)))
    bends = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(val, 2)))])
    ends = np.minimum(k + 3 * side - 1, bends.size - 1)
    unrest = (bends[ends] - bends[k + 1]) / np.maximum(ends - k - 1, 1) / np.where(falling, before[1], 1.0)
    shown = falling & (np.maximum(slowed, 0.0) * unrest <= MOST_SLOWED_UNREST) & (slowed <= MOST_SLOWED)
    if not shown.any():
        return None
    best = int(np.where(shown, slowed * unrest, np.inf).argmin())
    return EarlyCut(float(pair.steps[k[best]]), float(slowed[best]), float(unrest[best]))
