"""Searches and runs for tests: a search over rate, weight decay and width, and runs with the curves they are given."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.curves.curve import Curve, make_curve
from app.diagnosis import Diagnosis
from app.rules.context import Context, RunState
from app.search.looks import Look, looks_at
from app.search.places import Placed
from app.search.search import Search
from app.search.space import Space
from app.search.trial import Trial

SPACE = {
    "lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0},
    "weight_decay": {"kind": "choice", "options": [0, 1e-5, 1e-4]},
}
PER_EPOCH = 20


def search(space: Mapping[str, Any] | None = None, **facts: Any) -> Search:
    known: dict[str, Any] = {"name": "s", "seed": 0, "steps_per_epoch": PER_EPOCH, "num_classes": 4}
    return Search(space=Space.parse(space or SPACE), **(known | facts))


def run(
    name: str,
    lr: float | None = 0.01,
    *,
    train: Sequence[float] | np.ndarray | None = None,
    val: Sequence[float] | np.ndarray | None = None,
    accuracy: Sequence[float] | None = None,
    rates: Sequence[float] | np.ndarray | None = None,
    config: Mapping[str, Any] | None = None,
    step: int | None = None,
    state: RunState = "finished",
    diagnosis: Diagnosis | None = None,
    width: float = 1.0,
    **context: Any,
) -> Trial:
    """Train, accuracy and rates every `width` steps; val at the end of each epoch."""
    given = {"lr": lr, "weight_decay": 0} if config is None else config
    curves: dict[str, Curve] = {}
    for role, values, apart in (
        ("train/loss", train, width),
        ("train/accuracy", accuracy, width),
        ("lr", rates, width),
        ("val/loss", val, float(PER_EPOCH)),
    ):
        if values is not None:
            curves[role] = make_curve(role, apart * np.arange(1, len(values) + 1), values)
    return Trial(name, given, state, step, curves, Context(state=state, **context), diagnosis)


def look(trial: Trial, **facts: Any) -> Look:
    return Look(search(**facts), trial)


def placed(*trials: Trial, **facts: Any) -> Placed:
    return Placed(looks_at(search(**facts), trials))


def falling(start: float = 1.4, end: float = 0.3, points: int = 100, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """An exponential fall with the scatter of single batches."""
    scatter = noise * np.random.default_rng(seed).normal(size=points)
    return end + (start - end) * np.exp(-5 * np.arange(points) / points) + scatter


def flat(level: float = 1.4, points: int = 100, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    return level + noise * np.random.default_rng(seed).normal(size=points)
