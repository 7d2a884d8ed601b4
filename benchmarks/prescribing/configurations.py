"""Configurations drawn at random by a seed: sane ones, and ones spoiled in a way that a rule names.

Nothing is picked by hand: the task, the architecture, every number and the way of spoiling come from the generator.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from prescribing.real_tasks import REAL
from prescribing.tasks import TASKS

Generator = np.random.Generator
SANE_SHARE = 0.25
HALVES_SEED = 20_261_127


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All that decides a training but the seeds of its weights and batches.

    form: what trains it. noise: of the labels or the target. schedule: `cut` falls to cut_factor at cut_at [share of
    the run]. weight_decay: decoupled, per unit of the rate; in the torch form as its optimiser means it. logged: train
    loss of single batches, or its mean since the last evaluation.
    """

    name: str
    form: Literal["numpy", "torch"] = "numpy"
    data_seed: int
    task: str
    architecture: str
    width: int
    depth: int
    init_scale: float = 1.0
    head_scale: float = 0.3
    head_bias: float = 0.0
    optimiser: Literal["sgd", "adam"]
    lr: float
    schedule: Literal["constant", "cosine", "cut"]
    cut_at: float = 0.7
    cut_factor: float = 0.1
    updates: int
    batch: int
    train_size: int
    noise: float
    weight_decay: float = 0.0
    dropout: float = 0.0
    logged: Literal["batch", "mean"] = "batch"
    evaluations: int = 40
    spoiled: str = "sane"

    def rate(self, step: int) -> float:
        """The learning rate of the update after `step` updates; beyond the end, what it was at the end."""
        done = min(step / self.updates, 1.0)
        if self.schedule == "cosine":
            return self.lr * 0.5 * (1 + math.cos(math.pi * done))
        return self.lr * (self.cut_factor if self.schedule == "cut" and done >= self.cut_at else 1.0)

    @property
    def classes(self) -> int | None:
        """Of its task; None where it is a regression."""
        return (REAL if self.form == "torch" else TASKS)[self.task].classes

    def as_json(self) -> dict[str, Any]:
        """Its fields, as the run's config tells them."""
        return asdict(self)


def halves() -> tuple[frozenset[str], frozenset[str]]:
    """The tasks in two halves: A, on which advice may be changed, and B, which is only reported."""
    shuffled = np.random.default_rng(HALVES_SEED).permutation(sorted(TASKS)).tolist()
    return frozenset(shuffled[: len(TASKS) // 2]), frozenset(shuffled[len(TASKS) // 2 :])


def draw(number: int, seed: int) -> Configuration:
    """The configuration of that number; the same whatever else is drawn."""
    rng = np.random.default_rng([seed, number])
    sane = _sane(number, rng)
    if rng.random() < SANE_SHARE:
        return sane
    way = str(rng.choice(list(SPOILED)))
    return replace(SPOILED[way](sane, rng), spoiled=way)


def between(rng: Generator, low: float, high: float) -> float:
    """Log-uniform, to three digits."""
    return float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


def _sane(number: int, rng: Generator) -> Configuration:
    task = str(rng.choice(list(TASKS)))
    spec = TASKS[task]
    architecture = str(rng.choice(spec.architectures))
    deep = architecture == "tanh"
    optimiser: Literal["sgd", "adam"] = (
        "adam" if rng.random() < (0.7 if architecture == "attention" else 0.35) else "sgd"
    )
    lr = between(rng, 1e-3, 5e-3) if optimiser == "adam" else between(rng, 0.02, 0.08)
    schedule: Literal["constant", "cosine", "cut"] = rng.choice(["cosine", "cut", "constant"])
    return Configuration(
        name=f"{number:04d}-{task}-{architecture}",
        data_seed=int(rng.integers(2**31)),
        task=task,
        architecture=architecture,
        width=int(between(rng, 24, 64)),
        depth=int(rng.integers(3, 6)) if deep else int(rng.integers(1, 4)),
        optimiser=optimiser,
        lr=lr / 2 if architecture in ("rnn", "attention") or deep else lr,
        schedule=str(schedule),  # type: ignore[arg-type]
        cut_at=round(float(rng.uniform(0.5, 0.8)), 2),
        updates=int(rng.integers(300, 601)) if architecture in ("rnn", "attention") else int(rng.integers(500, 1201)),
        batch=int(rng.choice([16, 32, 64])),
        train_size=int(rng.choice([1500, 3000, 6000])),
        noise=round(float(rng.uniform(*spec.noise)), 3),
        weight_decay=float(rng.choice([0.0, 1e-4, 1e-3, 1e-2])),
        dropout=float(rng.choice([0.0, 0.0, 0.1])),
        logged="batch" if rng.random() < 0.6 else "mean",
        evaluations=int(rng.choice([25, 40, 60])),
    )


Spoil = Callable[[Configuration, Generator], Configuration]

SPOILED: dict[str, Spoil] = {
    "tiny initialisation": lambda c, rng: replace(c, init_scale=between(rng, 0.03, 0.4), depth=max(c.depth, 3)),
    "huge initialisation": lambda c, rng: replace(c, init_scale=between(rng, 3, 12)),
    "high constant rate": lambda c, rng: replace(
        c, schedule="constant", lr=c.lr * between(rng, 2, 8), batch=int(rng.choice([4, 8, 16]))
    ),
    "far too high a rate": lambda c, rng: replace(c, lr=c.lr * between(rng, 20, 1000)),
    "low rate": lambda c, rng: replace(c, lr=c.lr * between(rng, 0.005, 0.1)),
    "far too low a rate": lambda c, rng: replace(c, lr=c.lr * between(rng, 1e-6, 1e-3)),
    "early cut": lambda c, rng: replace(
        c, schedule="cut", cut_at=round(between(rng, 0.03, 0.3), 3), cut_factor=between(rng, 0.01, 0.1)
    ),
    "too short": lambda c, rng: replace(c, schedule="constant", updates=int(c.updates * between(rng, 0.1, 0.4))),
    "little data": lambda c, rng: replace(
        c, train_size=int(between(rng, 60, 500)), width=2 * c.width, weight_decay=0.0, dropout=0.0
    ),
    "tiny model": lambda c, rng: replace(c, width=int(rng.integers(1, 5))),
    "heavy regularisation": lambda c, rng: replace(
        c,
        weight_decay=between(rng, 0.3, 10) * (20 if c.optimiser == "adam" else 1),
        dropout=float(rng.choice([0.1, 0.5])),
    ),
    "wrong head": lambda c, rng: (
        replace(c, head_scale=between(rng, 3, 40)) if rng.random() < 0.6 else replace(c, head_bias=between(rng, 2, 10))
    ),
}
