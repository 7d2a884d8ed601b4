"""Where a cut of the learning rate shows in the losses, for jobs that log no rate.

With the rate goes the noise that it makes: train loss falls to a lower level within few points, and validation, which
bounced, becomes quiet. In a window that slides along the curves, two straight lines with a break between them are held
against one cubic, which has as many numbers to adjust: a smooth course is as near to the cubic, a cut is not.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from app.curves.curve import Curve, FloatArray
from app.signals.matching import Pair, match
from app.signals.smoothing import bin_means
from app.signals.trend import last_stretch, trend

# Points on either side of a break. Fewer do not show a scatter; more hide cuts near the ends and near one another.
SIDE = 6
# A point is then at least a hundredth of the run: by then the fall after a cut is over.
MOST_POINTS = 100
# A fall by less could be the rounding of what was logged [share of the level].
LEAST_FALL = 0.01
# The break of train loss [scatters around the lines], and how much nearer lines are than a cubic [log of the ratio of
# squares]: five sigma at one of a hundred places, and residuals of little more than half the squares.
LEAST_BREAK, LEAST_GAIN = 5.0, 0.6
# The break of validation loss, which says little in the noise before a cut and must only not deny it [scatters].
LEAST_VAL_BREAK = 1.0
# The scatter that SGD makes goes with the root of its rate: at a tenth of the rate it is a third [log of the ratio].
QUIETER = math.log(10) / 2
# Train loss alone, without a second witness, has to be this much nearer to lines [log of the ratio of squares].
LEAST_GAIN_ALONE = 1.5
# A neighbour remembers about a third of the noise of a point, so that two points say as much as one that does not.
INDEPENDENT = 0.5
# What no curve's logging resolves [share of the level]: keeps ratios finite where a curve is exactly straight.
RESOLUTION = 1e-4


@dataclass(frozen=True)
class InferredDrop:
    """A rate cut seen in the losses.

    step: the first step after it, as near as the curves were logged. fall: of train loss [share of its level].
    certainty: how much likelier than a smooth course [nats, log-likelihood; correlated points counted as half].
    """

    step: float
    fall: float
    certainty: float


@dataclass(frozen=True, eq=False)
class _Breaks:
    """What the lines say at every possible place of a break; all [places].

    fall: how much lower the curve goes on [log]. size: the same [scatters around the lines]. gain: how much nearer the
    lines are than a cubic [log of the ratio of squares]. quieter: scatter before over after [log]. climb: how far the
    curve rises afterwards [log].
    """

    fall: FloatArray
    size: FloatArray
    gain: FloatArray
    quieter: FloatArray
    climb: FloatArray


def infer_drop(train: Curve, val: Curve | None) -> InferredDrop | None:
    """The clearest cut of the rate that shows in train loss, and in validation loss where there is one; else None.

    train, val: finite. None too for losses that are not above zero, and for fewer than 13 points that can be compared.
    """
    pair = match(train, val) if val is not None else None
    steps, values = (pair.steps, pair.train) if pair else (train.steps, train.values)
    if values.size < 2 * SIDE + 1 or float(values.min()) <= 0 or (pair and float(pair.val.min()) <= 0):
        return None
    course = bin_means(Curve("train/loss", steps, values), MOST_POINTS)
    found = _breaks(np.log(course.values))
    # A cliff at the end of a plateau falls into more noise than was there before.
    shown = (found.fall > LEAST_FALL) & (found.size > LEAST_BREAK) & (found.gain > LEAST_GAIN)
    shown &= found.quieter > -QUIETER
    if pair:
        shown &= _confirmed(_breaks(np.log(bin_means(Curve("val/loss", steps, pair.val), MOST_POINTS).values)))
    else:
        shown &= (found.gain > LEAST_GAIN_ALONE) & (found.quieter > 0)
    if not shown.any():
        return None
    best = int(np.where(shown, found.size, 0.0).argmax())
    certainty = INDEPENDENT * SIDE * float(found.gain[best])
    return InferredDrop(float(course.steps[best + SIDE]), -math.expm1(-float(found.fall[best])), certainty)


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


def _confirmed(val: _Breaks) -> NDArray[np.bool_]:
    """Whether validation falls and becomes quiet too, and does not climb back: then it overfits instead [places]."""
    return (val.fall > LEAST_FALL) & (val.size > LEAST_VAL_BREAK) & (val.quieter > QUIETER) & (val.climb < val.fall)


def _breaks(level: FloatArray) -> _Breaks:
    """level: log of a loss [points], in even steps; places: each point that has SIDE others on either side."""
    windows = sliding_window_view(level, 2 * SIDE + 1)[:, _SIDES]
    windows = windows - windows.mean(axis=1, keepdims=True)
    cubic = (windows**2).sum(axis=1) - ((windows @ _CUBIC) ** 2).sum(axis=1)
    lines = windows @ _LINES_OF
    squares = ((windows - lines @ _LINES.T) ** 2).sum(axis=1) / (2 * SIDE - 4)
    variance = squares + RESOLUTION**2
    fall = lines[:, 0] - lines[:, 2]
    gain = np.log((np.maximum(cubic, 0.0) / (2 * SIDE - 4) + RESOLUTION**2) / variance)
    quieter = np.log((_scatter(windows[:, :SIDE]) + RESOLUTION) / (_scatter(windows[:, SIDE:]) + RESOLUTION))
    return _Breaks(fall, fall / np.sqrt(variance), gain, quieter, SIDE * lines[:, 3])


def _scatter(windows: FloatArray) -> FloatArray:
    """Point-to-point scatter: each point against the mean of its neighbours, which has 1.5 times its variance."""
    off = windows[:, 1:-1] - (windows[:, :-2] + windows[:, 2:]) / 2
    scatter: FloatArray = 1.4826 * np.median(np.abs(off), axis=1) / math.sqrt(1.5)
    return scatter


def _line_table() -> FloatArray:
    """Columns: level and slope of the line before the place, level and slope of the one after [2 SIDE, 4]."""
    x = np.arange(-SIDE, SIDE + 1.0)
    return np.stack((x < 0, np.minimum(x, 0), x > 0, np.maximum(x, 0)), axis=1)[_SIDES]


# The point at the place itself may hold both rates, as the mean over an epoch does: it belongs to neither line.
_SIDES = np.delete(np.arange(2 * SIDE + 1), SIDE)
_LINES = _line_table()
_LINES_OF = np.linalg.pinv(_LINES).T
_CUBIC = np.linalg.qr(np.vander(np.linspace(-1, 1, 2 * SIDE + 1)[_SIDES], 4))[0]
