"""Whether a run that still trains can reach the best of its search: early stopping by forecast."""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from app.search.search import Goal
from app.search.trial import Trial


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

    planned_steps: None takes the plan of the run's context. Says so where nothing can be said yet.
    """
    planned = planned_steps or trial.context.planned_steps
    why = "its planned steps are not known" if planned is None else "it is too early"
    if not math.isfinite(best):
        why = "there is no best level yet"
    if metric not in trial.curves:
        why = f"{metric} was not logged"
    return Forecast(level=None, low=None, high=None, hopeless=False, says=f"whether it can be the {goal}: {why}")
