"""How a run began: the level it started from, and how long it stayed there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.signals.matching import Pair
from app.signals.smoothing import tail_mean

# So many points of train loss are batches rather than means over epochs [points].
MANY_POINTS = 200
_NOTHING = 1e-9  # nats


def chance_loss(num_classes: int | None) -> float | None:
    """Cross-entropy of guessing among `num_classes` equally likely classes: log C [nats]; None when C is unknown."""
    return math.log(num_classes) if num_classes else None


@dataclass(frozen=True)
class BlindGuess:
    """The losses, from low to high, that a model which knows nothing of its inputs may start at, in `unit`.

    known: what they follow from, by name.
    """

    low: float
    high: float
    unit: str
    known: Mapping[str, float]

    @property
    def of_classes(self) -> bool:
        """Whether it is a cross-entropy; else it is a squared error."""
        return "log_num_classes" in self.known

    def nearest(self, value: float) -> float:
        """The sane start that is nearest to a loss."""
        return min(max(value, self.low), self.high)


def blind_guess(
    num_classes: int | None, class_priors: Sequence[float] | None, target_variance: float | None
) -> BlindGuess | None:
    """What is known of the start of a sane model; None when nothing is.

    Of C classes: log C for equal logits, and with priors p their entropy -sum p log p for a bias of log p [nats].
    On squared error: the targets' variance for a model that predicts their mean, half of it where the loss has the
    factor 1/2.
    """
    classes = num_classes or (len(class_priors) if class_priors else None)
    if (log_c := chance_loss(classes)) is not None:
        known = {"log_num_classes": log_c}
        if not class_priors:
            return BlindGuess(log_c, log_c, "nats", known)
        # One class alone has no entropy, and no loss can be set in relation to nothing.
        entropy = min(log_c, max(_NOTHING, -math.fsum(p * math.log(p) for p in class_priors if p > 0)))
        return BlindGuess(entropy, log_c, "nats", {**known, "entropy_of_priors": entropy})
    if target_variance is None:
        return None
    known = {"target_variance": target_variance}
    return BlindGuess(target_variance / 2, target_variance, "squared target units", known)


def first_level(train: Curve) -> float:
    """Train loss at the beginning: the median of the first few points (a fiftieth of the run, at most five).

    One batch scatters, so the median speaks for the start; but a run that blew up at its second update has only its
    first point to say where it began, and a first point that is itself a burst, twenty times what follows, is not
    where the run began either.
    """
    head = train.values[: max(1, min(5, len(train) // 50))]
    first, level = float(head[0]), float(np.median(head))
    if level > 5 * first > 0:
        return first
    follow = float(train.values[1]) if len(train) > 1 else level
    return follow if level > 20 * follow > 0 else level


def starting_level(train: Curve, num_classes: int | None) -> float:
    """The level that falls are measured from: log C where the number of classes is known, else the first level."""
    return chance_loss(num_classes) or first_level(train)


@dataclass(frozen=True)
class InitialLoss:
    """The loss before the first update: `value`, and whether it was read off or extrapolated."""

    value: float
    step: float
    observed: bool


def initial_loss(train: Curve, val: Curve, pair: Pair, *, averaged: bool = False) -> InitialLoss | None:
    """The loss of the untrained model, None when the curves begin too late to tell. train: at least one point.

    Read off a validation point at step 0, unless that may be the end of an epoch that is counted from 0: it may where
    train loss begins there as well and has no second point before the second of validation. Else read off the first
    batch where every one seems to have been logged: `MANY_POINTS` or more. Fewer points may be means over the intervals
    that they end, and the loss at the beginning of the first one is extrapolated, below the truth for every curve that
    falls fastest at first: by half of the fall from the first interval to the second; with validation at the same
    cadence to 2 * mean - end. Train loss that ends above validation loss is scaled down by as much: dropout or
    augmentation, not the start, holds it up.
    averaged: whether train loss is known to be means, however many points it has.
    """
    if len(val) and val.steps[0] == 0 and _untrained(train, val):
        return InitialLoss(float(val.values[0]), 0.0, observed=True)
    spacing = float(np.median(np.diff(train.steps[:50]))) if len(train) > 1 else math.inf
    if train.steps[0] > 1.5 * spacing:
        return None
    step, first = float(train.steps[0]), float(train.values[0])
    held_up = _held_up(pair, first)
    if len(pair) and val.steps[0] < 1.5 * max(step, spacing):
        return InitialLoss(
            2 * float(pair.train[0]) / held_up - float(pair.val[0]), float(pair.steps[0]), observed=False
        )
    fall = max(0.0, first - float(train.values[1])) if len(train) > 1 else 0.0
    return InitialLoss((first + fall / 2) / held_up, step, observed=len(train) >= MANY_POINTS and not averaged)


def _untrained(train: Curve, val: Curve) -> bool:
    """Whether step 0 of validation is before the first update, and not the first of epochs."""
    if train.steps[0] > 0:
        return True
    return len(train) > 1 and len(val) > 1 and bool(train.steps[1] < val.steps[1])


def _held_up(pair: Pair, first: float) -> float:
    """Train loss over validation loss at the end, at least 1; 1 too where the loss fell so far that it says nothing."""
    if len(pair) == 0:
        return 1.0
    train, val = tail_mean(pair.train), tail_mean(pair.val)
    return max(1.0, train / val) if val > first / 2 > 0 else 1.0


@dataclass(frozen=True, eq=False)
class FlatStart:
    """The stretch at the beginning over which the loss made little of its fall so far, as it stood at each point.

    All arrays: [points]. length_points: points until a twentieth of the fall was made.
    suddenness: time to the first twentieth over time to the half [ratio]: 0.07 for an exponential, 0.1 for a line,
        towards 1 for a plateau with a cliff.
    fall: the fall so far as a share of the starting level [ratio].
    end_step: the step at which a twentieth of the fall was made [steps].
    """

    length_points: FloatArray
    suddenness: FloatArray
    fall: FloatArray
    end_step: FloatArray


def flat_start(steps: FloatArray, values: FloatArray, start_level: float) -> FlatStart:
    """Measure the plateau at the beginning of a smoothed loss. steps, values: [points], finite; start_level > 0."""
    fallen = np.maximum.accumulate(start_level - values)
    index = np.arange(1, values.size + 1)
    nothing = fallen <= 0
    begun = np.minimum(np.where(nothing, index, np.searchsorted(fallen, 0.05 * fallen)), index)
    half = np.minimum(np.where(nothing, index, np.searchsorted(fallen, 0.5 * fallen)), index)
    return FlatStart(
        length_points=begun.astype(np.float64),
        suddenness=np.where(nothing, 1.0, (begun + 0.5) / (half + 1.0)),
        fall=np.maximum(fallen, 0.0) / start_level,
        end_step=steps[np.minimum(begun, index - 1)],
    )
