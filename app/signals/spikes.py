"""Short spikes of a loss: points far above their surroundings that come back at once."""

from dataclasses import dataclass

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.signals.noise import scatter
from app.signals.smoothing import running_median

# Points on either side that make the surroundings; a spike is shorter than these, and two are further apart.
SIDE = 5
# How far above its surroundings a spike stands [scatters; share of the level]. Losses scatter with a heavier tail than
# a normal distribution, in which eight would never come.
LEAST_HEIGHT, LEAST_SHARE = 8.0, 0.25
# Five spikes whose distances agree to a tenth of the shortest come by chance once in a hundred times.
LEAST_REGULAR, TOLERANCE = 5, 0.1


@dataclass(frozen=True)
class Spikes:
    """Spikes of one curve.

    count: how many. every: the distance between them where it is always about the same, else None [steps].
    """

    count: int
    every: float | None


def spikes(curve: Curve) -> Spikes | None:
    """The spikes of a finite curve; None where there are none, and for fewer than 20 points."""
    if len(curve) < 4 * SIDE:
        return None
    level = running_median(curve.values, 2 * SIDE + 1)
    above = curve.values - level
    high = (above > LEAST_HEIGHT * scatter(curve.values)) & (above > LEAST_SHARE * np.abs(level))
    at = np.flatnonzero(high)
    at = at[(at >= SIDE) & (at < len(curve) - SIDE)]  # the ends have no surroundings on one side
    if at.size == 0:
        return None
    steps = curve.steps[at[np.diff(at, prepend=at[0] - 2 * SIDE) > SIDE]]
    return Spikes(int(steps.size), _distance(steps))


def _distance(steps: FloatArray) -> float | None:
    """The distance of evenly spaced steps, a few of which may be missing [steps]; None where they are not even."""
    if steps.size < LEAST_REGULAR:
        return None
    distances = np.diff(steps)
    every = float(np.median(distances))
    off = distances / every - np.maximum(np.rint(distances / every), 1)
    return every if float(np.abs(off).max()) <= TOLERANCE else None
