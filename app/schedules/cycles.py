"""Rates that come back up: triangles, waves and restarts."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray
from app.schedules.schedule import Fit
from app.schedules.shapes import joined, logged, rms

# What counts as coming back up, and how near the cycles must be to the first one [share of the peak].
REBOUND, ALIKE = 0.05, 0.05
# Cycles within a twentieth of one another are of one length. None grow shorter, and restarts at most triple.
SAME_LENGTH, LONGEST = 0.05, 3.0
# Fewer points of a cycle do not show its shape.
FEWEST = 4


def cycles(steps: FloatArray, values: FloatArray) -> Fit | None:
    """The first cycle of a rate, repeated: each as long as the last or longer by one factor, of any height.

    steps, values: [points]. None for a rate that does not come back up after a fall; kind `unknown` for one that does
    in another way, or whose first cycle is not over.
    """
    rising = np.diff(values)
    falls = rising < 0
    peak = int(falls.argmax())
    if not falls[peak] or float((values[peak:] - np.minimum.accumulate(values[peak:])).max()) < REBOUND:
        return None
    unknown = Fit("unknown", partial(logged, at=steps, values=values))
    at = _begins(values, rising, peak)
    if at.size < 2 or at[1] - at[0] < FEWEST:
        return unknown
    begins = steps[at]
    lengths = np.diff(begins)
    # A second cycle may be twice as long as the first: restarts often double (Loshchilov and Hutter 2017).
    growths = (float(lengths[-1] / lengths[-2]),) if lengths.size > 1 else (1.0, 2.0)
    if abs(growths[0] - 1) < SAME_LENGTH:
        growths = (1.0, *growths[1:])
    if not 1 <= growths[0] <= LONGEST:
        return unknown
    best = min((_repeat(steps, values, begins, growth) for growth in growths), key=lambda fit: fit.error)
    return best if best.error < ALIKE else unknown


def _begins(values: FloatArray, rising: FloatArray, peak: int) -> NDArray[np.intp]:
    """The indices at which cycles begin: at the jumps back up, else where the curve turns as it does at its start."""
    moves = np.flatnonzero(rising)
    up = rising[moves] > 0
    turn = np.flatnonzero(up[1:] != up[:-1])
    turns = moves[turn + 1]
    troughs = turns[rising[turns] > 0]
    back_up = values[np.minimum(troughs + 2, values.size - 1)] - values[troughs]
    if (back_up > 0.5 * float(np.ptp(values[: troughs[0] + 1]))).any():
        return np.append(peak, troughs + 1)
    # Rounding makes a turn level, and its middle is where the curve turns.
    middles = (moves[turn] + 1 + turns) // 2
    return np.append(0, middles[(rising[turns] > 0) == (rising[moves[0]] > 0)])


def _repeat(steps: FloatArray, values: FloatArray, begins: FloatArray, growth: float) -> Fit:
    """The first cycle, stretched to the length of each and scaled above its floor to the height of each."""
    first = (steps >= begins[0]) & (steps < begins[1])
    edges = np.append(begins, begins[-1] + growth * (begins[-1] - begins[-2]))
    floor = float(values[first].min())
    at, shape = (steps[first] - begins[0]) / (begins[1] - begins[0]), values[first] - floor
    unit = partial(_cycles, edges=edges, growth=growth, at=at, shape=shape)
    heights = np.ones(begins.size)
    plain = unit(steps, heights=heights, floor=0.0)
    which = np.searchsorted(begins, steps, side="right") - 1
    for cycle in range(1, begins.size):
        unscaled = plain[which == cycle]
        height = float(unscaled @ (values[which == cycle] - floor))
        heights[cycle] = height / max(float(unscaled @ unscaled), 1e-12)
    course = partial(unit, heights=heights, floor=floor)
    rise = partial(logged, at=np.array([steps[0], begins[0]]), values=values[[0, int(first.argmax())]])
    whole = partial(joined, seam=begins[0], before=rise, after=course)
    return Fit("cyclic", whole, None, rms(whole(steps) - values))


def _cycles(
    steps: FloatArray, edges: FloatArray, growth: float, at: FloatArray, shape: FloatArray, heights: FloatArray,
    floor: float,
) -> FloatArray:  # fmt: skip
    """edges: where each cycle begins, and the last one ends [steps]; later ones grow on from there."""
    ahead = list(edges)
    while ahead[-1] <= steps.max(initial=0.0) and len(ahead) < edges.size + 1000:
        ahead.append(ahead[-1] + growth * (ahead[-1] - ahead[-2]))
    begins = np.array(ahead)
    which = np.minimum(np.maximum(np.searchsorted(begins, steps, side="right") - 1, 0), begins.size - 2)
    share = (steps - begins[which]) / (begins[which + 1] - begins[which])
    rate: FloatArray = floor + heights[np.minimum(which, heights.size - 1)] * np.interp(share, at, shape)
    return rate
