"""A recognised schedule: its kind, its numbers, and how it goes on."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from app.curves.curve import FloatArray

Kind = Literal[
    "constant", "step", "reduce_on_plateau", "exponential", "cosine", "linear", "inverse_sqrt", "cyclic",
    "warmup_stable_decay", "warmup", "unknown",
]  # fmt: skip
# Steps [any shape] -> rate [the same shape, share of the peak].
Course = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class RateDrop:
    """A sudden cut of the learning rate: the first step at the new rate, and new rate over old [ratio]."""

    step: float
    factor: float


@dataclass(frozen=True)
class Fit:
    """One explanation of a rate: its course, where it ends [steps], and its RMS error [share of the peak]."""

    kind: Kind
    course: Course
    horizon: float | None = None
    error: float = 0.0
    drops: tuple[RateDrop, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """The schedule that a logged rate follows.

    peak: highest rate. warmup_end: first step at the peak [steps]; 0 without a warm-up. drops: sudden cuts. horizon:
    where a fitted fall reaches zero or its floor [steps]; None for one that has no end. fit_error: root mean square
    distance of the fit from the points, of stairs from the first point of each [share of the peak]. now: last rate
    [share of the peak]. first, last: the steps between which the rate was logged.

    `warmup` is a rate that has only risen so far, `unknown` one that no known schedule is near to.
    """

    kind: Kind
    peak: float
    warmup_end: float
    drops: tuple[RateDrop, ...]
    horizon: float | None
    fit_error: float
    now: float
    first: float
    last: float
    course: Course = field(repr=False, compare=False)

    def at(self, steps: ArrayLike) -> FloatArray:
        """The fitted rate at these steps, going on past the last one; an unknown schedule holds its last rate."""
        return self.peak * self.course(np.asarray(steps, dtype=np.float64))

    @property
    def falling_now(self) -> bool:
        """Whether the schedule, not a cut, lowers the rate at the end: by a 200th over the last tenth of the steps.

        That is what a cosine does after a tenth of its length.
        """
        if self.kind in ("constant", "step", "reduce_on_plateau", "warmup"):
            return False
        before, now = self.at([self.last - 0.1 * (self.last - self.first), self.last])
        return bool(now < (1 - 1 / 200) * before)

    def will_decay(self, planned_steps: float, through_step: float) -> bool | None:
        """Whether going on like this more than halves the rate after `through_step`, by `planned_steps`.

        None when it cannot be known: the rate is constant so far, or its cuts show no period that fits in.
        """
        if planned_steps <= through_step:
            return False
        if self.kind == "step":
            return True if self._next_cut(through_step) <= planned_steps else None
        if self.kind in ("constant", "reduce_on_plateau", "warmup", "unknown"):
            return None
        ahead = self.at(np.linspace(through_step, planned_steps, 129))
        return bool(ahead.min() < 0.5 * ahead[0])

    def _next_cut(self, through_step: float) -> float:
        """The step of the cut that two equal stretches announce [steps]; infinite when none is announced."""
        if len(self.drops) < 2 or self.drops[-1].factor > 0.5:
            return math.inf
        gaps = np.diff([self.first, *(drop.step for drop in self.drops)])
        period, last_cut = float(gaps[-1]), self.drops[-1].step
        # A first stretch may be short by what was not logged of it, such as the offset of one or half an epoch.
        regular = np.abs(gaps - period).max() <= 0.05 * period
        due = last_cut + period
        return due if regular and through_step < due + 0.05 * period else math.inf
