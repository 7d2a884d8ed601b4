"""Which checkpoint to keep: the earliest of those that noise cannot tell from the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from app.curves.curve import Curve, Curves, FloatArray
from app.errors import InvalidInput
from app.rules.overfitting import MIN_PAIRS
from app.rules.verdict import Evidence
from app.signals.best import best_of
from app.signals.view import View

Goal = Literal["min", "max"]
VAL_LOSS = "val/loss"
FEWEST = MIN_PAIRS  # evaluations: fewer tell no noise from a change, neither here nor in `overfitting`
_GOALS: dict[str, Goal] = {"loss": "min", "perplexity": "min", "error": "min", "accuracy": "max"}


@dataclass(frozen=True, kw_only=True)
class Keep:
    """The checkpoint to keep. Levels are running medians of the metric, in its own unit."""

    step: Annotated[float, Field(ge=0, description="The earliest checkpoint that is as good as the best one [steps].")]
    level: Annotated[float, Field(description="The metric's level there [the metric's unit].")]
    best_step: Annotated[
        float, Field(ge=0, description="Where the level is best, as the rule `overfitting` reads it [steps].")
    ]
    best_level: Annotated[float, Field(description="The level there [the metric's unit].")]
    equivalents: Annotated[
        tuple[float, ...],
        Field(description="Every checkpoint within one standard error of the best, `step` first [steps]."),
    ]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the curve of one metric says about which checkpoint to keep."""

    metric: Annotated[str, Field(description="The curve that decided, by role or by its own name.")]
    goal: Annotated[Goal, Field(description="Which way it is better.")]
    keep: Annotated[Keep | None, Field(description="The checkpoint to keep; null when that cannot be said.")]
    missing: Annotated[str | None, Field(description="Why it cannot be said, and what to log; null when it can.")]
    not_judged: Annotated[
        tuple[float, ...],
        Field(description="Checkpoints that were asked about and lie beyond the evaluations [steps]."),
    ]
    evidence: Annotated[tuple[Evidence, ...], Field(description="The numbers that decided, beside their limits.")]
    says: Annotated[str, Field(description="The answer in one sentence.")]


def goal_of(metric: str, goal: Goal | None) -> Goal:
    """Which way a metric is better: as said, else by its role. Raises InvalidInput where neither tells."""
    known = _GOALS.get(metric.rpartition("/")[2])
    if found := goal or known:
        return found
    raise InvalidInput(f"query.goal: whether {metric!a} is better low or high is not known; say goal=min or goal=max")


def evaluations(curves: Curves, metric: str) -> Curve:
    """The finite points of a metric; of val/loss beside train/loss, those that `overfitting` looks at."""
    view = View(curves)
    if metric == VAL_LOSS and len(view.pair) >= FEWEST:
        return Curve(metric, view.pair.steps, view.pair.val)
    return view.curves[metric].finite() if metric in view.curves else Curve(metric, np.zeros(0), np.zeros(0))


def choose(curves: Curves, metric: str, goal: Goal, checkpoints: Sequence[float] | None = None) -> Choice:
    """The checkpoint to keep. curves: by role. checkpoints: those there are [steps], None: one at each evaluation."""
    curve = evaluations(curves, metric)
    if (missing := _missing(curve, curves)) is not None:
        return Choice(metric=metric, goal=goal, keep=None, missing=missing, not_judged=(), evidence=(), says=missing)
    sign = 1.0 if goal == "min" else -1.0
    best = best_of(sign * curve.values)
    steps, levels = curve.steps, best.level
    at = best.at
    not_judged: tuple[float, ...] = ()
    if checkpoints is not None:
        steps, not_judged = _within(np.unique(checkpoints), curve.steps)
        levels = np.interp(steps, curve.steps, best.level)
        at = int(levels.argmin()) if steps.size else 0
    if not steps.size:
        missing = f"no checkpoint lies among the evaluations of {metric}, from step {_span(curve.steps)}"
        return Choice(
            metric=metric, goal=goal, keep=None, missing=missing, not_judged=not_judged, evidence=(), says=missing
        )
    same = levels <= levels[at] + best.error
    first = int(same.argmax())
    keep = Keep(
        step=float(steps[first]),
        level=float(sign * levels[first]),
        best_step=float(steps[at]),
        best_level=float(sign * levels[at]),
        equivalents=tuple(steps[same].tolist()),
    )
    worse = float(levels[first] - levels[at])
    evidence = (
        Evidence("behind_best", worse, best.error, "the metric's unit"),
        Evidence("noise", best.noise, None, "the metric's unit"),
        Evidence("evaluations", float(len(curve)), float(FEWEST), "evaluations"),
    )
    return Choice(
        metric=metric, goal=goal, keep=keep, missing=None, not_judged=not_judged, evidence=evidence,
        says=_says(metric, keep, best.noise),
    )  # fmt: skip


def _missing(curve: Curve, curves: Curves) -> str | None:
    if curve.name not in curves or not len(curves[curve.name]):
        return f"{curve.name} was not logged: log it at every checkpoint"
    if len(curve) < FEWEST:
        have = f"{len(curve)} finite evaluation" + ("" if len(curve) == 1 else "s")
        return f"{curve.name} has {have}, and {FEWEST} are needed to tell a change from noise"
    return None


def _within(checkpoints: FloatArray, steps: FloatArray) -> tuple[FloatArray, tuple[float, ...]]:
    """Those no further from an evaluation than evaluations are from one another, and the others."""
    reach = float(np.median(np.diff(steps)))
    inside = (checkpoints >= steps[0] - reach) & (checkpoints <= steps[-1] + reach)
    return checkpoints[inside], tuple(checkpoints[~inside].tolist())


def _span(steps: FloatArray) -> str:
    return f"{steps[0]:g} to {steps[-1]:g}"


def _says(metric: str, keep: Keep, noise: float) -> str:
    kept = f"Keep the checkpoint of step {keep.step:g}: {metric} is at {keep.level:.4g} there"
    if keep.step == keep.best_step:
        return f"{kept}, its best, and at no earlier one is it as good within noise ({noise:.2g})."
    return f"{kept}, within noise ({noise:.2g}) of its best, {keep.best_level:.4g} at step {keep.best_step:g}."
