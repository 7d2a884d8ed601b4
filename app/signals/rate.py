"""What the learning rate did."""

from dataclasses import dataclass

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.schedules import RateDrop

__all__ = ["FadeOut", "RateDrop", "drops", "fade_out", "rate_at", "rate_now", "spent", "warmup_end"]

FADED = 0.1  # share of the peak at which a schedule has done nearly all of its work


def drops(rate: Curve, largest_factor: float = 0.5) -> tuple[RateDrop, ...]:
    """Cuts to `largest_factor` of the rate or less between two logged points, never counting a fade-out to zero.

    Smooth schedules end in tiny rates whose ratios are large although nothing sudden happened, so a drop must also
    take away a quarter of the highest rate so far: from 0.1 to 0.01 is a drop, from 1e-6 to 1e-7 is not.
    """
    if len(rate) < 2:
        return ()
    old, new = rate.values[:-1], rate.values[1:]
    peak = np.maximum.accumulate(rate.values)[:-1]
    sudden = (new >= 0) & (new <= largest_factor * old) & (old - new >= 0.25 * peak) & (old > 0)
    return tuple(RateDrop(float(rate.steps[i + 1]), float(new[i] / old[i])) for i in np.flatnonzero(sudden))


@dataclass(frozen=True)
class FadeOut:
    """A rate that came down for good: where it passed half of its peak, where a tenth [steps], to what share of it."""

    step: float
    end: float
    factor: float


def fade_out(rate: Curve) -> FadeOut | None:
    """Where the rate faded to a tenth of its peak and stayed there, None when it has not. rate: at least one point."""
    peak = int(rate.values.argmax())
    share = np.maximum(rate.values[peak:], 0.0) / max(float(rate.values[peak]), 1e-300)
    above = np.flatnonzero(share > FADED)
    if above.size == 0 or above[-1] + 1 == share.size:
        return None
    end = int(above[-1]) + 1
    half = int(np.argmax(share <= 0.5))
    return FadeOut(float(rate.steps[peak + half]), float(rate.steps[peak + end]), float(share[-1]))


def spent(rate: Curve, steps: FloatArray) -> FloatArray:
    """The rate summed over the steps from the first of `steps` to each [rate x steps]; the steps where there is none.

    steps: [points], increasing. As in `rate_at` the rate logged last holds, and before the first that one.
    """
    if len(rate) == 0:
        return steps
    edges = np.union1d(rate.steps[(rate.steps > steps[0]) & (rate.steps < steps[-1])], steps)
    at = np.maximum(np.searchsorted(rate.steps, edges[:-1], side="right") - 1, 0)
    total = np.concatenate([[0.0], np.cumsum(np.maximum(rate.values[at], 0.0) * np.diff(edges))])
    return total[np.searchsorted(edges, steps)] if total[-1] > 0 else steps


def rate_at(rate: Curve, steps: FloatArray) -> FloatArray:
    """The rate at each of `steps` as a share of the highest one until then [ratio]; 1 where none was logged yet.

    steps: [points]. The rate logged last before a step holds at it.
    """
    if len(rate) == 0:
        return np.ones_like(steps)
    peak = np.maximum.accumulate(rate.values)
    share = np.where(peak > 0, rate.values / np.where(peak > 0, peak, 1.0), 1.0)
    at = np.searchsorted(rate.steps, steps, side="right") - 1
    return np.where(at < 0, 1.0, share[np.maximum(at, 0)])


def rate_now(rate: Curve) -> float:
    """The last rate as a share of the highest one [ratio, 0 to 1]; 1 for an empty or all-zero curve."""
    peak = float(rate.values.max()) if len(rate) else 0.0
    return float(rate.values[-1]) / peak if peak > 0 else 1.0


def warmup_end(rate: Curve) -> float:
    """The step at which a rate that began below half of its peak came within a tenth of it [steps]; else 0."""
    if len(rate) < 2 or rate.values[0] >= 0.5 * rate.values.max():
        return 0.0
    return float(rate.steps[int(np.argmax(rate.values >= 0.9 * rate.values.max()))])
