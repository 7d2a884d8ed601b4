"""A recognised schedule in the words that make one: its kind and parameters, and how far what they make is off.

A guess is checked by making it: of a few that the shape suggests the nearest is told, and none that is not near.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.curves.curve import Curve, FloatArray
from app.errors import InvalidInput
from app.schedules.kinds import MOST_CUTS, KindName, Parameters
from app.schedules.make import course, parsed
from app.schedules.schedule import Schedule
from app.schedules.shapes import LEAST_RATE, rms

# RMS distance beyond which the parameters of a kind say something else than what was logged [share of the peak].
NEAR_ENOUGH = 0.01
# Errors nearer to one another than rounding makes them are the same, and the sooner, plainer guess is taken.
SAME_ERROR = 1e-5
# Below, a warm-up would take longer than any run [share of the peak].
LEAST_RISE = 1e-7
# Points that no two numbers fit by chance.
FEWEST = 4
Guess = tuple[KindName, dict[str, Any]]


@dataclass(frozen=True)
class Remade:
    """What makes a logged rate again.

    first_step: the step at which the schedule's t is 0. error: root mean square distance of what is made from what was
    logged [share of the peak].
    """

    kind: KindName
    parameters: Parameters
    first_step: float
    error: float


def remake(rate: Curve, schedule: Schedule) -> Remade | None:
    """The parameters that make this rate; None where no kind with any comes near it.

    rate: what `schedule` was recognised in. Not found: rates that came down by themselves (reduce_on_plateau), cuts by
    factors that differ, waves, a floor that cuts a fall off; and what a few points leave open. A line that ends above
    zero is told as the beginning of one that reaches it, and cuts at steps of their own as counted from 0: the points
    are the same.
    """
    if schedule.peak <= 0 or len(rate) < FEWEST or rate.values.min() < 0:
        return None
    # Steps are counted from 0, or from the first that was logged.
    guesses = [
        (first, *guess)
        for first in dict.fromkeys((0.0, schedule.first))
        for guess in _guesses(rate.steps - first, rate.values / schedule.peak, schedule, first)
    ]
    found: Remade | None = None
    # Cuts that are told one by one fit whatever is cut, so those that a rule makes come first.
    for first, kind, given in sorted(guesses, key=lambda guess: "at" in guess[2]):
        made = _made(rate, schedule.peak, first, kind, given)
        if made and (found is None or made.error < found.error - SAME_ERROR):
            found = made
    return found if found and found.error <= NEAR_ENOUGH else None


def _made(rate: Curve, peak: float, first: float, kind: KindName, given: dict[str, Any]) -> Remade | None:
    try:
        p = parsed(kind, lr=peak, **given)
    except InvalidInput:
        return None
    made = course(kind, rate.steps - first, p)
    return Remade(kind, p, first, rms((made - rate.values) / peak))


def _guesses(t: FloatArray, values: FloatArray, schedule: Schedule, first: float) -> Iterator[Guess]:
    """Kinds with parameters; t: steps of the schedule, values: shares of the peak, both [points]."""
    for warmup in _warmups(t, values):
        if schedule.horizon is not None:
            yield from _ending(warmup, t, values, schedule, first)
        else:
            given = {"steps": max(round(float(t[-1]) + 1), 1), "warmup": warmup}
            yield from _endless(given, t, values, schedule, first)


def _ending(warmup: float, t: FloatArray, values: FloatArray, schedule: Schedule, first: float) -> Iterator[Guess]:
    """Those that fall to an end at a step that the shape tells."""
    end, through = (schedule.horizon or 0.0) - first, float(t[-1]) + 1
    low, so_far = (max(rate, 0.0) for rate in schedule.at(np.array([end, through]) + first).tolist())
    given: dict[str, Any] = {"steps": max(round(end), 1), "warmup": warmup, "min_lr": low}
    if schedule.kind == "linear":
        yield "linear", given
        # A line to a floor is the beginning of one to zero, whose end need not be a whole step.
        yield "linear", {**given, "steps": max(round(through), 1), "min_lr": so_far}
    elif schedule.kind == "warmup_stable_decay":
        hold = float(t[np.flatnonzero(values >= values.max())[-1]])
        for shape in ("linear", "cosine", "sqrt"):
            yield "warmup_stable_decay", {**given, "decay": end - hold, "shape": shape}
    else:
        yield "cosine", given
        yield "one_cycle", {**given, "start_lr": schedule.peak * float(values[0])}


def _endless(
    given: dict[str, Any], t: FloatArray, values: FloatArray, schedule: Schedule, first: float
) -> Iterator[Guess]:
    """Those that would go on: their steps are those that were logged."""
    yield "constant", given
    if schedule.drops:
        yield from _cuts(given, schedule, first)
    yield from _exponential(given, t, values)
    yield from _restarts(given, t, values, schedule.peak)
    # Level for its first two points, which the recognised shape is not: so it is tried on anything that has no end.
    yield "inverse_sqrt", given


def _warmups(t: FloatArray, values: FloatArray) -> Iterator[float]:
    """How long the rate rose: none, to the first point at the peak, or as its last rising point says."""
    top = int(values.argmax())
    if not top:
        yield 0.0
        return
    yield float(t[top])
    if values[top - 1] > LEAST_RISE:
        yield float((t[top - 1] + 1) / values[top - 1] - 1)


def _cuts(given: dict[str, Any], schedule: Schedule, first: float) -> Iterator[Guess]:
    at = [drop.step - first for drop in schedule.drops]
    factors = [drop.factor for drop in schedule.drops]
    if max(factors) - min(factors) > 0.02 * max(factors):
        return
    common = {**given, "factor": factors[0]}
    yield "step", {**common, "every": at[0] - given["warmup"]}
    if len(at) <= MOST_CUTS:
        yield "step", {**common, "at": at}


def _exponential(given: dict[str, Any], t: FloatArray, values: FloatArray) -> Iterator[Guess]:
    """The factor is a tenth, since it and `every` cannot be told apart: one rate of decay has many of both."""
    top = int(values.argmax())
    if LEAST_RATE < values[-1] < values[top]:
        decades = -np.log10(values[-1] / values[top])
        yield "exponential", {**given, "factor": 0.1, "every": float((t[-1] - t[top]) / decades)}


def _restarts(given: dict[str, Any], t: FloatArray, values: FloatArray, peak: float) -> Iterator[Guess]:
    jumps = np.flatnonzero(np.diff(values) > 0.5 * float(np.ptp(values)))
    begins = t[jumps[t[jumps] > given["warmup"]] + 1]
    if not begins.size:
        return
    cycle = float(begins[0]) - given["warmup"]
    last = float(values[np.searchsorted(t, begins[0]) - 1])
    # What is left of half a cosine one step before its end.
    left = (1 + np.cos(np.pi * (cycle - 1) / cycle)) / 2 if cycle > 1 else 1.0
    low = max((last - left) / (1 - left), 0.0) * peak if left < 1 else 0.0
    for growth in (1, 2, 3):
        yield "cosine_restarts", {**given, "cycle": cycle, "growth": growth, "min_lr": low}
