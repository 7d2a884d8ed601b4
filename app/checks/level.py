"""How good a run got: the best level of its validation curves, and how sure that level is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from app.curves.curve import Curve, FloatArray
from app.signals.noise import scatter
from app.signals.view import LARGEST

Goal = Literal["min", "max"]

# In the order of trust: what two runs are compared by is the first of these that both have.
COMPARED: Mapping[str, Goal] = {"val/loss": "min", "val/accuracy": "max"}
MIN_POINTS = 4  # evaluations below which neither a level nor its scatter is known
LEVEL_SHARE, LEVEL_POINTS = 0.1, 3
NEIGHBOURHOOD = 0.25  # how far around the best the scatter is taken [share of the evaluations, to each side]


@dataclass(frozen=True, kw_only=True)
class Level:
    """The best that a curve reached for long enough not to be one lucky evaluation."""

    curve: Annotated[str, Field(description="Which curve, by role.", examples=["val/loss"])]
    goal: Annotated[Goal, Field(description="Which way is better.")]
    value: Annotated[float, Field(description="Mean of a tenth of the evaluations, three at least [metric's unit].")]
    error: Annotated[float, Field(description="Standard error of `value` from the scatter around it [metric's unit].")]
    step: Annotated[float, Field(description="The last step of those evaluations [steps].")]
    points: Annotated[int, Field(description="Finite evaluations of the curve [points].")]


def levels(curves: Mapping[str, Curve]) -> dict[str, Level]:
    """Curve -> its level, of the curves that runs are compared by. curves: by role; accuracies as fractions."""
    found = {name: best_level(curves[name], goal) for name, goal in COMPARED.items() if name in curves}
    return {name: level for name, level in found.items() if level is not None}


def best_level(curve: Curve, goal: Goal) -> Level | None:
    """The best mean of consecutive evaluations; None when there are fewer than `MIN_POINTS` finite ones."""
    keep = np.abs(curve.values) < LARGEST  # false for NaN as well
    steps, values = curve.steps[keep], curve.values[keep]
    if values.size < MIN_POINTS:
        return None
    width = max(LEVEL_POINTS, round(LEVEL_SHARE * values.size))
    means = _rolling_mean(values, width)
    first = int(np.argmin(means) if goal == "min" else np.argmax(means))
    middle, around = first + width // 2, max(math.ceil(NEIGHBOURHOOD * values.size), width)
    noise = scatter(values[max(0, middle - around) : middle + around + 1])
    return Level(
        curve=curve.name,
        goal=goal,
        value=float(means[first]),
        error=noise / math.sqrt(width),
        step=float(steps[first + width - 1]),
        points=int(values.size),
    )


def _rolling_mean(values: FloatArray, width: int) -> FloatArray:
    """Means of `width` consecutive points [points - width + 1]; sums in extended precision, for they are long."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.longdouble)])
    return np.asarray((total[width:] - total[:-width]) / width, dtype=np.float64)
