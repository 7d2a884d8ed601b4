"""What followed a cut, read from the whole run: whether a verdict on the part before it was right.

A level is the mean of three neighbouring evaluations of the held-out loss (of train loss where there is none), and its
noise comes from the scatter of the evaluations before the cut. A change counts when it is large (FALL, RISE) and beyond
three standard errors of a difference of two levels. There is none when it is below half of that size and could not well
be of that size. Else it is too close to call. What cannot be told is a reason in words, counted instead of scored.
"""

from collections.abc import Callable, Mapping

import numpy as np

from app.curves.curve import Curve, Curves, FloatArray

FALL, RISE = 0.02, 0.05  # [relative to the level at the cut, to the best level before it]
_POINTS = 3  # of a level
_LEAST_BEFORE, _LEAST_AFTER = 6, 3
_CERTAIN, _LIKELY = 3.0, 1.0  # [standard errors]
_RATE_CUT = 1 / 3  # the rate fell to this share of what it was at the cut
_SAME_RATE = 0.01
TOO_CLOSE = "too close to call"

Truth = bool | str


def held_out(curves: Curves) -> Curve:
    """The loss that counts: val, or train where no val was logged; its finite points."""
    return curves["val/loss" if "val/loss" in curves else "train/loss"].finite()


def level_at(curve: Curve, step: float) -> float:
    """Mean of the last three evaluations up to `step`."""
    return float(curve.through(step).values[-_POINTS:].mean())


def why_not(whole: Curves, at: float) -> str | None:
    """Why nothing can be told of what followed step `at`; None where it can."""
    if not {"val/loss", "train/loss"} & set(whole):
        return "no loss"
    logged = whole["val/loss" if "val/loss" in whole else "train/loss"]
    before = logged.through(at)
    if not np.isfinite(logged.values[len(before) :]).all():
        return "diverged later"
    if len(before.finite()) < _LEAST_BEFORE or len(logged) - len(before) < _LEAST_AFTER:
        return "too few evaluations"
    return None if (before.finite().values > 0).all() else "loss not positive"


def fell_further(whole: Curves, at: float) -> Truth:
    """Whether keep_training was right at step `at`: a later level lies below the level there."""
    curve = held_out(whole)
    now = level_at(curve, at)
    error = _error(curve, at)
    later = _levels(curve.values[len(curve.through(at)) - _POINTS + 1 :])
    fell = _counts(now - _lowest(later, error), now, error, FALL)
    return TOO_CLOSE if fell is None else fell


def stayed_risen(whole: Curves, at: float) -> Truth:
    """Whether overfitting was right at step `at`: val stands above its best before, ends above it, and train did not.

    Without truth where val rose only after the cut, which nobody could have seen at it.
    """
    if "train/loss" not in whole or "val/loss" not in whole:
        return "train or val not logged"
    val, train = whole["val/loss"].finite(), whole["train/loss"].finite()
    before, error = val.through(at), _error(val, at)
    levels = _levels(before.values)
    best, best_step = _lowest(levels, error), float(before.steps[np.argmin(levels) + _POINTS - 1])
    risen = _counts(level_at(val, at) - best, best, error, RISE)
    stayed = _counts(level_at(val, float(val.steps[-1])) - best, best, error, RISE)
    if stayed is False or (stayed and _rose(train, best_step)):
        return False
    if stayed is None or risen is None:
        return TOO_CLOSE
    return True if risen else "rose only later"


def paid_to_decay(whole: Curves, at: float) -> Truth:
    """Whether decay_needed was right at step `at`: the rate, steady till then, was cut later and that beat the trend.

    The trend is the line through log loss against log step over the last third before the cut. Without truth where the
    rate was not logged, was falling already or was never cut, or where the trend itself still promises a fall.
    """
    if "lr" not in whole:
        return "rate not logged"
    rate = whole["lr"].finite()
    recent = rate.values[(rate.steps <= at) & (rate.steps >= at * 2 / 3)]
    later = rate.values[rate.steps > at]
    if not recent.size or np.ptp(recent) > _SAME_RATE * recent.max():
        return "rate not steady at the cut"
    if not later.size or later.min() > _RATE_CUT * recent[-1]:
        return "rate not cut later"
    curve = held_out(whole)
    now, end = level_at(curve, at), float(curve.steps[-1])
    forecast = now * _trend_ratio(curve, at, end)
    if now - forecast > RISE * now:
        return "still falling at the cut"
    paid = _counts(forecast - level_at(curve, end), now, _error(curve, at), FALL)
    return TOO_CLOSE if paid is None else paid


TRUTHS: Mapping[str, Callable[[Curves, float], Truth]] = {
    "keep_training": fell_further,
    "overfitting": stayed_risen,
    "decay_needed": paid_to_decay,
}


def realised_gain(whole: Curves, at: float, steps: float) -> float | None:
    """Relative fall of the loss `steps` steps after step `at`; None where the run does not reach that far.

    Both levels are means of the evaluations up to their step, so both lag behind it alike.
    """
    curve = held_out(whole)
    target = at + steps
    spacing = float(np.median(np.diff(curve.steps)))
    if target > float(curve.steps[-1]) + spacing:
        return None
    now = level_at(curve, at)
    return (now - level_at(curve, target)) / now


def _levels(values: FloatArray) -> FloatArray:
    return np.convolve(values, np.full(_POINTS, 1 / _POINTS), mode="valid")


def _lowest(levels: FloatArray, error: float) -> float:
    """The lowest level less its luck: of m equal ones the least lies about sqrt(2 ln m) of their own errors too low.

    error: of the difference of two levels. m: the independent ones among those within three errors of the lowest.
    """
    own = error / np.sqrt(2)
    equals = np.count_nonzero(levels <= levels.min() + _CERTAIN * own) / _POINTS
    return float(levels.min() + own * np.sqrt(2 * np.log(max(1.0, equals))))


def _error(curve: Curve, at: float) -> float:
    """Standard error of the difference of two levels, from the last half before the cut.

    Differences of neighbours about their median, so that a slope is no noise; MAD x 1.4826 estimates sigma.
    """
    values = curve.through(at).values
    steps = np.diff(values[-max(_LEAST_BEFORE, len(values) // 2) :])
    sigma = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2)
    return float(sigma * np.sqrt(2 / _POINTS))


def _counts(change: float, scale: float, error: float, large: float) -> bool | None:
    """Whether a change counts; None where it is too close to call."""
    if change > large * scale and change > _CERTAIN * error:
        return True
    return False if change < large / 2 * scale and change + _LIKELY * error < large * scale else None


def _rose(train: Curve, since: float) -> bool:
    """Whether train too ends above where it stood at step `since`: then the run diverged."""
    if len(train.through(since)) < _POINTS:
        return False
    return level_at(train, float(train.steps[-1])) > level_at(train, since) * (1 + RISE / 2)


def _trend_ratio(curve: Curve, at: float, end: float) -> float:
    recent = (curve.steps <= at) & (curve.steps >= at * 2 / 3) & (curve.steps > 0)
    slope = np.polyfit(np.log(curve.steps[recent]), np.log(curve.values[recent]), 1)[0]
    return float((end / at) ** min(0.0, slope))
