"""Helped, harmed or no difference: fixed before any figure was seen.

Of each side the level of test loss at the end is known for several seeds. In logarithms, so that a difference is
relative,

- helped: the cure's mean is lower than the control's by more than the two-sided 95 % limit of Welch's t for the scatter
  between the seeds (of a paired t where both sides are the same runs) and by at least 1 %; and the cure ends below the
  loss of a blind guess, for a run that still learns nothing was not helped;
- harmed: higher by as much;
- no difference: anything else.

A cure beat its control where its mean is lower by as much, above a blind guess or not.

A loss that is not finite, or above ten times a blind guess, counts as ten times a blind guess: gone is gone. The gain
is the relative fall from the control's geometric mean to the cure's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from app.curves.curve import FloatArray
from prescribing.cures import Sides

Verdict = Literal["helped", "harmed", "no difference"]
LEVEL, LEAST, GONE = 0.95, 0.01, 10.0
CLEAR = 0.1  # a gain worth an alarm: what a missed cure is held against as well [relative]


@dataclass(frozen=True)
class Outcome:
    """What a cure did. gain: [relative fall of test loss]. beat: whether it did better than the control."""

    verdict: Verdict
    gain: float
    beat: bool


def outcome(sides: Sides, blind: float) -> Outcome:
    """blind: the loss of a blind guess."""
    cure, control = _logs(sides.cure, blind), _logs(sides.control, blind)
    fall = float(control.mean() - cure.mean())
    limit = max(_limit(cure, control, sides.paired), LEAST)
    gain = 1 - math.exp(-fall)
    beat = fall > limit
    if beat and cure.mean() < math.log(blind):
        return Outcome("helped", gain, beat)
    return Outcome("harmed" if -fall > limit else "no difference", gain, beat)


def blind_guess(classes: int | None, noise: float) -> float:
    """Log C, or the variance of a target of unit variance and its noise."""
    return math.log(classes) if classes else 1 + noise**2


def _logs(values: Sequence[float], blind: float) -> FloatArray:
    kept = np.nan_to_num(np.array(values, dtype=float), nan=np.inf, posinf=np.inf)
    logs: FloatArray = np.log(np.clip(kept, 1e-9, GONE * blind))
    return logs


def _limit(cure: FloatArray, control: FloatArray, paired: bool) -> float:
    """The half-width of the difference's confidence interval."""
    if paired:
        each = control - cure
        return float(stats.t.ppf((1 + LEVEL) / 2, each.size - 1) * each.std(ddof=1) / math.sqrt(each.size))
    parts = np.array([side.var(ddof=1) / side.size for side in (cure, control)])
    error = float(parts.sum())
    if error == 0:
        return 0.0
    freedom = error**2 / float((parts**2 / (np.array([cure.size, control.size]) - 1)).sum())
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom) * math.sqrt(error))


def wilson(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if of == 0:
        return 0.0, 1.0
    z, share = float(stats.norm.ppf(0.975)), count / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median and its 95 % interval between order statistics (binomial); needs one value."""
    ordered = sorted(values)
    low = max(int(stats.binom.ppf(0.025, len(ordered), 0.5)) - 1, 0)
    return float(np.median(ordered)), ordered[low], ordered[len(ordered) - 1 - low]
