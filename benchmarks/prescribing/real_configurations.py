"""Configurations of the torch form, drawn as those of the NumPy form are: sane, or spoiled in the same twelve ways."""

from dataclasses import replace
from typing import Literal

import numpy as np

from prescribing.configurations import SANE_SHARE, SPOILED, Configuration, between
from prescribing.real_tasks import REAL

Generator = np.random.Generator
HEAD_SCALE = 0.577  # as nn.Linear draws its weights
WIDTHS = {"mlp": (24, 96), "batchnorm": (24, 96), "conv": (8, 24), "gru": (16, 48), "transformer": (16, 48)}
ADAM_SHARE = {"gru": 0.8, "transformer": 1.0}  # else a third
DEPTHS = {"conv": (2, 3), "gru": (1, 2), "transformer": (1, 2)}  # else 1 to 3


def draw_real(number: int, seed: int) -> Configuration:
    """The configuration of that number; the same whatever else is drawn."""
    rng = np.random.default_rng([seed, number, 3])
    sane = _sane(number, rng)
    if rng.random() < SANE_SHARE:
        return sane
    way = str(rng.choice(list(SPOILED)))
    return _fitted(replace(SPOILED[way](sane, rng), spoiled=way))


def _sane(number: int, rng: Generator) -> Configuration:
    task = str(rng.choice(list(REAL)))
    spec = REAL[task]
    architecture = str(rng.choice(spec.architectures))
    adam = rng.random() < ADAM_SHARE.get(architecture, 0.35)
    optimiser: Literal["sgd", "adam"] = "adam" if adam else "sgd"
    schedule: Literal["constant", "cosine", "cut"] = rng.choice(["cosine", "cut", "constant"])
    width = int(between(rng, *WIDTHS[architecture]))
    return Configuration(
        name=f"{number:04d}-{task}-{architecture}",
        form="torch",
        data_seed=int(rng.integers(2**31)),
        task=task,
        architecture=architecture,
        width=width // 4 * 4 if architecture == "transformer" else width,
        depth=int(rng.integers(*DEPTHS.get(architecture, (1, 3)), endpoint=True)),
        head_scale=HEAD_SCALE,
        optimiser=optimiser,
        lr=_rate(rng, adam, architecture, spec.classes),
        schedule=str(schedule),  # type: ignore[arg-type]
        cut_at=round(float(rng.uniform(0.5, 0.8)), 2),
        updates=int(rng.integers(*spec.updates, endpoint=True)),
        batch=int(rng.choice([16, 32, 64])),
        train_size=int(spec.rows * rng.choice([0.6, 1.0])),
        noise=round(float(rng.uniform(*spec.noise)), 3),
        weight_decay=float(rng.choice([0.0, 1e-4, 1e-3, 1e-2] if adam else [0.0, 1e-4, 5e-4, 1e-3])),
        dropout=float(rng.choice([0.0, 0.0, 0.1, 0.2])),
        logged="batch" if rng.random() < 0.6 else "mean",
        evaluations=int(rng.choice([25, 40])),
    )


def _rate(rng: Generator, adam: bool, architecture: str, classes: int | None) -> float:
    if adam:
        return between(rng, 1e-3, 5e-3) * (2 if architecture in DEPTHS else 1)
    # Squared errors have steeper gradients: at the rate of a classifier half of the sane regressions ended in NaN.
    return between(rng, 0.02, 0.08) * (1 if classes else 0.25)


def _fitted(c: Configuration) -> Configuration:
    """As the data and the models allow it, and as hard as it is for the NumPy form."""
    weight_decay = c.weight_decay
    if c.spoiled == "heavy regularisation" and c.optimiser == "sgd":
        weight_decay /= 10  # which momentum multiplies it by
    return replace(
        c,
        train_size=min(c.train_size, REAL[c.task].rows // 2) if c.spoiled == "little data" else c.train_size,
        depth=min(c.depth, 2) if c.architecture in ("gru", "transformer") else c.depth,
        weight_decay=weight_decay,
    )
