"""Seeded learning curves of known shape, with the noise that training has, for tests of rules and their promises.

An expert would name each shape at a glance; the seed varies its floor, pace and noise. Nothing here is taken from the
rules: a shape is drawn from what its pathology looks like, never from a rule's limits.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from app.curves.curve import Curves, FloatArray, make_curve
from app.rules.context import Context, RunState

CLASSES = 10
CHANCE = math.log(CLASSES)
Level = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Levels without noise over progress x, which goes from 0 to 1 over the planned steps.

    train, val: loss [nats]; rate: learning rate; batch_noise: scatter of one batch's loss [share of its level];
    eval_noise: scatter of an evaluation [share of its level]; length: share of the plan that was run.
    """

    train: Level
    val: Level
    rate: Level
    batch_noise: float = 0.05
    eval_noise: float = 0.015
    length: float = 1.0
    state: RunState = "finished"


def build(
    shape: Shape, seed: int, *, epochs: int = 60, updates: int = 20, per_update: bool = True
) -> tuple[Curves, Context]:
    """A run of `epochs` times `updates` steps: val and accuracies once an epoch, train loss every update or its means.

    Accuracy goes with loss: from chance at log C towards 1 at 0.
    """
    rng = np.random.default_rng([seed, 1])
    steps = np.arange(1.0, round(epochs * shape.length) * updates + 1)
    x = steps / (epochs * updates)
    batches = shape.train(x) * np.exp(shape.batch_noise * correlated(rng, x.size))
    ends = steps[updates - 1 :: updates]
    means = batches.reshape(-1, updates).mean(axis=1)
    evaluated = np.append(0.0, ends)
    val = shape.val(evaluated / steps[-1] * x[-1])
    val = val * np.exp(shape.eval_noise * correlated(rng, val.size))
    curves = {
        "train/loss": (steps, batches) if per_update else (ends, means),
        "val/loss": (evaluated, val),
        "train/accuracy": (ends, accuracy_at(means)),
        "val/accuracy": (evaluated, accuracy_at(val)),
        "lr": (steps, shape.rate(x)) if per_update else (ends, shape.rate(x)[updates - 1 :: updates]),
    }
    context = Context(num_classes=CLASSES, planned_steps=float(epochs * updates), state=shape.state)
    return Curves({name: make_curve(name, *points) for name, points in curves.items()}), context


def correlated(rng: np.random.Generator, points: int, memory: float = 0.3) -> FloatArray:
    """Noise of spread 1 of which each point remembers a part of the one before [points]."""
    fresh = rng.normal(size=points) * math.sqrt(1 - memory**2)
    noise: FloatArray = lfilter([1.0], [1.0, -memory], fresh)
    return noise


def accuracy_at(loss: FloatArray) -> FloatArray:
    """The accuracy that usually comes with a loss: chance at log C and above, 1 at 0; NaN where loss is not finite."""
    with np.errstate(invalid="ignore"):
        accuracy: FloatArray = np.where(np.isfinite(loss), np.clip(np.exp(-loss), 1 / CLASSES, 1), np.nan)
    return accuracy


def decay(start: float, floor: float, pace: float) -> Level:
    """Exponential fall from `start` to `floor`; `pace` e-foldings over the planned steps."""
    return lambda x: floor + (start - floor) * np.exp(-pace * x)


def power(start: float, scale: float, exponent: float) -> Level:
    """Power-law fall that never settles: it halves again and again, ever more slowly."""
    return lambda x: start * (1 + x / scale) ** -exponent


def constant(value: float) -> Level:
    """The same at every step."""
    return lambda x: np.full_like(x, value)


def cosine(peak: float) -> Level:
    """From `peak` to nothing along half a cosine."""
    return lambda x: peak * (1 + np.cos(np.pi * x)) / 2


def staircase(peak: float, cuts: Mapping[float, float]) -> Level:
    """From `peak`, multiplied at each cut [share of the plan -> factor]."""
    return lambda x: peak * np.prod([np.where(x > at, factor, 1.0) for at, factor in cuts.items()], axis=0)


def healthy_cosine(rng: np.random.Generator) -> Shape:
    """Falls fast, settles low as the rate runs out, val just above train."""
    floor, pace = rng.uniform(0.08, 0.15), rng.uniform(9, 13)
    return Shape(
        train=decay(CHANCE, floor, pace), val=decay(CHANCE, floor * 1.12, pace), rate=cosine(0.1), batch_noise=0.04
    )


def healthy_steps(rng: np.random.Generator) -> Shape:
    """Flattens, falls again at each of two well-placed cuts of the rate, and settles."""
    floor, pace = rng.uniform(0.06, 0.12), rng.uniform(10, 14)

    def level(top: float) -> Level:
        def at(x: FloatArray) -> FloatArray:
            falls = sum(part * (1 - np.exp(-40 * np.clip(x - cut, 0, None))) for cut, part in ((0.5, 0.5), (0.75, 0.2)))
            return (top + (CHANCE - top) * np.exp(-pace * x)) * (1 - falls)

        return at

    return Shape(
        train=level(floor * 3), val=level(floor * 3.3), rate=staircase(0.1, {0.5: 0.1, 0.75: 0.1}), batch_noise=0.04
    )


def flat_start(rng: np.random.Generator) -> Shape:
    """Stays at chance for a quarter of the run or more, then falls over a cliff and learns well."""
    end, floor = rng.uniform(0.25, 0.45), rng.uniform(0.08, 0.15)

    def level(low: float) -> Level:
        return lambda x: np.where(x < end, CHANCE, low + (CHANCE - low) * np.exp(-25 * np.clip(x - end, 0, None)))

    return Shape(train=level(floor), val=level(floor * 1.12), rate=cosine(0.1), batch_noise=0.02, eval_noise=0.005)


def bouncing_plateau(rng: np.random.Generator) -> Shape:
    """Falls, then bounces at a constant high rate, far above any floor."""
    floor = rng.uniform(0.6, 0.9)
    return Shape(
        train=decay(CHANCE, floor, 14),
        val=decay(CHANCE, floor * 1.05, 14),
        rate=constant(0.5),
        batch_noise=0.15,
        eval_noise=0.08,
    )


def early_cut(rng: np.random.Generator) -> Shape:
    """Falls fast until the rate is cut to a twentieth at a tenth of the run, then creeps."""
    cut, pace = rng.uniform(0.1, 0.15), rng.uniform(5, 7)

    def level(low: float) -> Level:
        return lambda x: low + (CHANCE - low) * np.exp(-pace * (np.minimum(x, cut) + 0.05 * np.clip(x - cut, 0, None)))

    return Shape(train=level(0.1), val=level(0.13), rate=staircase(0.1, {cut: 0.05}), batch_noise=0.03)


def still_improving(rng: np.random.Generator) -> Shape:
    """A constant gap between train and val, and both fall steadily where the run stops."""
    scale, exponent = rng.uniform(0.05, 0.1), rng.uniform(0.5, 0.7)
    return Shape(
        train=power(CHANCE, scale, exponent),
        val=power(CHANCE, scale, exponent * 0.85),
        rate=constant(0.02),
        batch_noise=0.04,
        eval_noise=0.01,
    )


def overfit(rng: np.random.Generator) -> Shape:
    """Train falls towards nothing; val turns at a quarter of the run and climbs far above its best."""
    best, turn, climb = rng.uniform(0.7, 0.9), rng.uniform(0.15, 0.3), rng.uniform(0.8, 1.3)
    return Shape(
        train=decay(CHANCE, 0.01, rng.uniform(6, 8)),
        val=lambda x: best + (CHANCE - best) * np.exp(-14 * x) + climb * np.clip(x - turn, 0, None),
        rate=constant(0.05),
        eval_noise=0.02,
    )


def underfit(rng: np.random.Generator) -> Shape:
    """Train and val lie on each other, quiet and poor."""
    floor = rng.uniform(1.5, 1.75)
    return Shape(
        train=decay(CHANCE, floor, 10),
        val=decay(CHANCE, floor * 1.01, 10),
        rate=cosine(0.05),
        batch_noise=0.02,
        eval_noise=0.004,
    )


def wrong_start(rng: np.random.Generator) -> Shape:
    """Starts at many times log C, comes down at once and then learns well."""
    start, floor = rng.uniform(8, 20), rng.uniform(0.08, 0.15)

    def level(low: float) -> Level:
        return lambda x: decay(CHANCE, low, 10)(x) + (start - CHANCE) * np.exp(-150 * x)

    return Shape(train=level(floor), val=level(floor * 1.12), rate=cosine(0.1), batch_noise=0.04)


def explodes(rng: np.random.Generator) -> Shape:
    """Learns for a while, climbs by orders of magnitude, and is NaN to the end."""
    at = rng.uniform(0.3, 0.6)

    def level(x: FloatArray) -> FloatArray:
        climbing = decay(CHANCE, 0.3, 8)(x) + np.exp(np.clip((x - at) * 300, -30, 20))
        return np.where(x > at + 0.04, np.nan, climbing)

    return Shape(train=level, val=level, rate=constant(1.0), state="failed")


def flat(rng: np.random.Generator) -> Shape:
    """Stays where it began."""
    level = CHANCE * rng.uniform(1.0, 1.02)
    return Shape(train=constant(level), val=constant(level), rate=constant(1e-7), batch_noise=0.03, eval_noise=0.003)


# Every shape, with the rule that an expert would name for it; None where there is nothing to act on.
SHAPES: Mapping[str, tuple[Callable[[np.random.Generator], Shape], str | None]] = {
    "healthy_cosine": (healthy_cosine, None),
    "healthy_steps": (healthy_steps, None),
    "flat_start": (flat_start, "bad_init_plateau"),
    "bouncing_plateau": (bouncing_plateau, "decay_needed"),
    "early_cut": (early_cut, "decay_too_early"),
    "still_improving": (still_improving, "keep_training"),
    "overfit": (overfit, "overfitting"),
    "underfit": (underfit, "underfitting"),
    "wrong_start": (wrong_start, "wrong_initial_loss"),
    "explodes": (explodes, "exploding"),
    "flat": (flat, "not_decreasing"),
}


def run(name: str, seed: int, *, per_update: bool = True) -> tuple[Curves, Context]:
    """The run of a named shape and a seed."""
    shape, _ = SHAPES[name]
    return build(shape(np.random.default_rng([seed, 0])), seed, per_update=per_update)
