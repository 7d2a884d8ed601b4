"""Whether a run that still trains can reach the best of its search: early stopping by forecast.

Statistic
    now = the best level so far; exponent = the power law of the last third of the evaluations, as for `keep_training`
    expected = now (planned / so far)^exponent, or now where the metric no longer gets better
    least = now exp(-(2 fall + 2 scatter + 0.05)), with the expected fall and the scatter around the law, both of log
A run is hopeless when even `least` is worse than the best. Of 334 labelled trainings of five tasks, cut at 20 to 80 %
of their length, 3 % with a constant rate and 4 % with any schedule ended below `least` (5 and 8 % of those cut at
20 %). A rate that is still to be decayed makes a late fall that no course so far shows, and most of those misses: such
a run is never hopeless, as far as its logged rate or the schedule that it named tells. What stopping by this costs a
search: benchmarks/early_stopping.py.

A metric that is to be high is forecast as 1 - metric, its error.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from app.curves.curve import FloatArray
from app.schedules.recognise import recognise
from app.search.ranking import best_level
from app.search.search import Goal
from app.search.trial import Trial
from app.signals.explosion import non_finite
from app.signals.trailing import trailing_trend
from app.signals.view import SMALLEST

LATE_SHARE, LEAST_POINTS = 1 / 3, 5
EARLIEST = 0.2  # of the planned steps
CONSTANT = ("constant", "none", "fixed", "")
FALLS, SCATTERS, SLACK = 2.0, 2.0, 0.05  # see the statistic


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run's metric is expected to come to by its planned end."""

    level: Annotated[float | None, Field(description="The level expected at the end [metric's unit].")]
    low: Annotated[float | None, Field(description="Lower end of the interval of that level [metric's unit].")]
    high: Annotated[float | None, Field(description="Upper end of that interval [metric's unit].")]
    hopeless: Annotated[bool, Field(description="Whether the run cannot be expected to reach the best.")]
    says: Annotated[str, Field(description="The same in one sentence, or why nothing can be said.")]


def can_reach(
    trial: Trial, best: float, goal: Goal = "min", planned_steps: float | None = None, metric: str = "val/loss"
) -> Forecast:
    """Whether the run can still reach `best` [metric's unit] by `planned_steps`.

    planned_steps: None takes the plan of the run's context. Says so where nothing can be said yet; a run whose train
    loss or metric is not finite any more is hopeless.
    """
    for name in ("train/loss", metric):
        burst = non_finite(trial.curves[name]) if name in trial.curves else None
        if burst and burst.stays:
            says = f"{name} is not finite from step {burst.first_step:g} on"
            return Forecast(level=None, low=None, high=None, hopeless=True, says=says)
    planned = planned_steps or trial.context.planned_steps
    curve = trial.curves.get(metric)
    errors = None if curve is None else _errors(curve.finite().values, goal)
    target = best if goal == "min" else 1 - best
    reason = _untold(metric, errors, target, planned)
    if reason is None and curve is not None and errors is not None and planned is not None:
        steps = curve.finite().steps
        if steps[-1] >= EARLIEST * planned and not _decays_yet(trial, float(steps[-1]), planned):
            return _forecast(steps, errors, target, planned, goal)
        late = steps[-1] >= EARLIEST * planned
        reason = "its rate is still to be decayed, which lowers a loss in a way that no course before shows"
        reason = reason if late else f"at step {steps[-1]:g} of {planned:g} it is too early to tell"
    return Forecast(level=None, low=None, high=None, hopeless=False, says=reason or f"{metric} was not logged")


def _decays_yet(trial: Trial, at: float, planned: float) -> bool:
    """Whether the schedule will still lower the rate by much, as far as the rate so far or the schedule's name says."""
    rate = trial.curves["lr"].finite() if "lr" in trial.curves else None
    if rate is not None and len(rate) > 1:
        schedule = recognise(rate, planned)
        if schedule is not None and schedule.will_decay(planned, at):
            return True
    lowered = rate is not None and len(rate) > 0 and rate.values[-1] < 0.5 * rate.values.max()
    named = (trial.context.schedule or "constant").lower()
    return named not in CONSTANT and not lowered


def _errors(values: FloatArray, goal: Goal) -> FloatArray | None:
    """The metric as something that falls towards zero; None where it has no such form."""
    errors = values if goal == "min" else 1 - values
    return errors if errors.size == 0 or float(errors.min()) >= 0 else None


def _untold(metric: str, errors: FloatArray | None, target: float, planned: float | None) -> str | None:
    if planned is None:
        return "its planned steps are not known"
    if errors is None:
        return f"{metric} was not logged, or goes below zero or above one, where its fall has no known course"
    if not (math.isfinite(target) and target >= 0):
        return "there is no best level yet that it could reach"
    if errors.size < LEAST_POINTS:
        return f"{metric} has {errors.size} of the {LEAST_POINTS} points that a forecast needs"
    return None


def _forecast(steps: FloatArray, errors: FloatArray, target: float, planned: float, goal: Goal) -> Forecast:
    now = best_level(errors, "min")
    trend = trailing_trend(steps, np.maximum(errors, SMALLEST), LATE_SHARE, LEAST_POINTS - 1)
    change, scatter = float(trend.change[-1]), float(trend.scatter[-1])
    begin, end = float(steps[trend.begin[-1]]), float(steps[-1])
    ahead = math.log(max(planned / end, 1.0))
    exponent = change / math.log(end / begin) if begin > 0 else change
    fall = max(0.0, -exponent * ahead)
    expected = now * math.exp(-fall)
    least = now * math.exp(-(FALLS * fall + SCATTERS * scatter + SLACK))
    hopeless = least > target
    ends = [value if goal == "min" else 1 - value for value in (expected, least, now)]
    low, high = min(ends), max(ends)
    says = f"expected to come to {ends[0]:.4g} ({low:.4g} to {high:.4g}) by step {planned:g}"
    aim = target if goal == "min" else 1 - target
    says += f", so it will not reach the best, {aim:.4g}" if hopeless else f", so it may reach the best, {aim:.4g}"
    return Forecast(level=ends[0], low=low, high=high, hopeless=hopeless, says=says)
