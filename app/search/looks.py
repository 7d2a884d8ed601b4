"""What a search measures on one run, once: its length, its fall, its end, and whether it diverged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.curves.curve import Curve, Curves
from app.search.parameters import as_number
from app.search.search import Search
from app.search.space import Configuration
from app.search.trial import Trial
from app.signals.explosion import non_finite
from app.signals.noise import scatter
from app.signals.start import InitialLoss, first_level, initial_loss
from app.signals.trend import trend
from app.signals.view import View

EMPTY = np.zeros(0)
BLOWN = 3.0  # times its start: a loss that ended above it has diverged, as for the rule `exploding`
LEAST_POINTS = 4  # of a stretch whose fall is to be told from noise
ENDS = 0.2  # of the points at each end of a stretch that make its first and its last level
SURE = 3.0  # [normal deviate] one of seven hundred flat stretches seems to fall as clearly
LEAST_FALL = 0.02  # [share of the start] a fall that anybody would call one


@dataclass(frozen=True)
class Fall:
    """How a loss fell over a stretch.

    share: from the first level to the last [share of the first]. certainty: of a fall, given the scatter and the number
    of points [normal deviate]. start, end: those levels. error: standard error of `end`. points: of the stretch.
    """

    share: float
    certainty: float
    start: float
    end: float
    error: float
    points: int

    @property
    def significant(self) -> bool:
        """Whether the loss fell beyond its noise, and by enough to matter."""
        return self.certainty >= SURE and self.share >= LEAST_FALL


class Look:
    """A run with what a search needs to know of it, measured on demand and kept."""

    def __init__(self, search: Search, trial: Trial) -> None:
        self.search, self.trial = search, trial
        self.run = trial.run
        self._falls: dict[float, Fall | None] = {}
        self.values: Configuration = search.space.read(trial.config)

    @cached_property
    def view(self) -> View:
        """Its curves as the rules look at them."""
        return View(Curves(self.trial.curves))

    @cached_property
    def train(self) -> Curve:
        """Train loss as reported; empty when none was logged."""
        return self.view.curves.get("train/loss") or Curve("train/loss", EMPTY, EMPTY)

    @cached_property
    def rate(self) -> float | None:
        """The learning rate of its configuration, else the highest one logged; None when neither is known."""
        named = as_number(self.values.get(self.search.space.rate or ""))
        if named is None and len(self.view.rate):
            named = float(self.view.rate.values.max())
        return named if named is not None and named > 0 else None

    @cached_property
    def decay(self) -> float | None:
        """The weight decay of its configuration; None when it is not known."""
        return as_number(self.values.get(self.search.space.decay or ""))

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.trial.state != "running"

    @cached_property
    def last_step(self) -> float:
        """The last step of any curve, 0 where there is no point."""
        return Curves(self.trial.curves).last_step() or 0.0

    @cached_property
    def length(self) -> float:
        """How long the run is, or is planned to be while it runs [steps]."""
        planned = self.trial.context.planned_steps
        return max(self.last_step, planned) if planned and not self.over else self.last_step

    @cached_property
    def epochs(self) -> float | None:
        """The same in epochs: by the search's steps per epoch, else as many as there were evaluations [epochs]."""
        if self.search.steps_per_epoch:
            return self.length / self.search.steps_per_epoch
        evaluations = len(self.view.curves.get(self.search.metric) or self.view.curves.get("val/loss") or ())
        return evaluations * self.length / self.last_step if evaluations and self.last_step else None

    @cached_property
    def initial(self) -> InitialLoss | None:
        """The loss before the first update; None when it was not logged or is not finite."""
        if len(self.view.train) == 0 or not math.isfinite(self.train.values[0]):
            return None
        if self._logs_updates:
            return InitialLoss(float(self.train.values[0]), float(self.train.steps[0]), observed=True)
        return initial_loss(self.view.train, self.view.val, self.view.pair, averaged=self.trial.context.averaged)

    @property
    def _logs_updates(self) -> bool:
        """Whether train loss is known to be that of every update, so that its first point is the untrained model's."""
        steps = self.train.steps
        counts_updates = (self.search.steps_per_epoch or 0.0) > 1 and not self.trial.context.averaged
        return counts_updates and steps[0] <= 1 and (steps.size < 2 or steps[1] - steps[0] <= 1)

    @cached_property
    def diverged(self) -> float | None:
        """The step at which train loss left every useful range for good; None when it did not."""
        burst = non_finite(self.train)
        if burst and burst.stays:
            return burst.first_step
        finite = self.view.train
        if len(finite) < LEAST_POINTS:
            return None
        start = first_level(finite)
        end = float(np.median(finite.values[-max(2, len(finite) // 10) :]))
        if start > 0 and end > BLOWN * start:
            return float(finite.steps[int(np.argmax(finite.values > BLOWN * start))])
        return None

    def fall(self, through: float = math.inf) -> Fall | None:
        """The fall of train loss over its steps up to `through`; None for fewer than four finite points."""
        if through not in self._falls:
            self._falls[through] = fall_of(self.view.train.through(through))
        return self._falls[through]

    @property
    def learns(self) -> bool:
        """Whether its train loss fell significantly and stayed finite."""
        fall = self.fall()
        return self.diverged is None and fall is not None and fall.significant


def fall_of(loss: Curve) -> Fall | None:
    """The fall of a finite loss; None for fewer than four points, or where it does not begin above zero."""
    size = len(loss)
    if size < LEAST_POINTS:
        return None
    width = max(1, round(ENDS * size)) if size < 20 else max(4, round(ENDS / 2 * size))
    # A loss falls fastest at first, so only the first three points speak for the start.
    start, end = float(np.sort(loss.values[:3])[1]), float(loss.values[-width:].mean())
    if start <= 0:
        return None
    noise = scatter(loss.values)
    return Fall((start - end) / start, _certainty(loss), start, end, noise / math.sqrt(width), size)


def _certainty(loss: Curve) -> float:
    """How surely a straight line through the points falls, as a normal deviate: Wallace's (1959) of Student's t."""
    line, free = trend(loss.steps, loss.values), len(loss) - 2
    t = min(max(line.change_in_errors, -1e9), 1e9)
    deviate = (8 * free + 1) / (8 * free + 3) * math.sqrt(free * math.log1p(t * t / free))
    return -math.copysign(deviate, t) if t else 0.0


def looks_at(search: Search, trials: Sequence[Trial]) -> list[Look]:
    """The trials in the order of their names, so that nothing depends on the order of arrival."""
    return [Look(search, trial) for trial in sorted(trials, key=lambda trial: trial.run)]


def counted(many: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is one."""
    return f"{many} {noun}" if many == 1 else f"{many} {noun}s"


def named(looks: Sequence[Look], most: int = 3) -> str:
    """A few runs by name, and how many more there are."""
    names = [look.run for look in looks[:most]]
    more = len(looks) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
