"""What a search is about: its metric, its space, and the facts about the task."""

from dataclasses import dataclass
from typing import Literal

from app.search.space import Space

Goal = Literal["min", "max"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search over runs for the best hyper-parameters.

    metric: the curve, by role, that configurations are compared by. steps_per_epoch: how many of the jobs' steps make
    an epoch; 1 where they count epochs. most_runs: how many runs there may be in all. num_classes, class_priors (shares
    that sum to 1), target_variance (for regression with mean squared error): what the loss of an untrained model is
    measured against. Everything that may be None may be unknown.
    """

    name: str
    metric: str = "val/loss"
    goal: Goal = "min"
    space: Space
    seed: int = 0
    steps_per_epoch: float | None = None
    most_runs: int | None = None
    num_classes: int | None = None
    class_priors: tuple[float, ...] | None = None
    target_variance: float | None = None
