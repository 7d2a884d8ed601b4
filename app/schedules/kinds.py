"""The kinds of schedule that can be made: the parameters of each, its formula, and when to use it.

Sources of the formulas and defaults
    constant, step, cosine, linear, inverse_sqrt: the lecture's five; steps of a third or so as in He et al. 2016
    warm-up: linear, reaching the rate at t = warmup and never zero, so that no update is lost (as in Goyal et al. 2017)
    inverse_sqrt after a warm-up: falls on from its peak without a jump (Vaswani et al. 2017)
    one_cycle: Smith and Topin 2018; a 25th of the rate at first, a 250,000th at last
    warmup_stable_decay: Hu et al. 2024; a fifth of the steps to decay, Hägele et al. 2024
    cosine_restarts: Loshchilov and Hutter 2017; equal cycles for snapshots, Huang et al. 2017
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.curves.curve import FloatArray

KindName = Literal[
    "constant", "step", "cosine", "linear", "inverse_sqrt", "exponential", "one_cycle", "warmup_stable_decay",
    "cosine_restarts",
]  # fmt: skip
MOST_STEPS = 10_000_000
MOST_CUTS = 100


def _told(unit: str, default: str | None = None) -> dict[str, Any]:
    """What a parameter's JSON Schema says beside its bounds: the unit, and a default that depends on others."""
    return {"unit": unit} | ({"default_is": default} if default else {})


def _share(of_steps: float, least: int = 1) -> Callable[[dict[str, Any]], float]:
    """A default that is a share of the steps, in whole steps; a single step leaves no room for a warm-up."""
    return lambda given: float(max(round(of_steps * given["steps"]), least))


class Parameters(BaseModel):
    """What every kind takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    lr: float = Field(gt=0, description="The highest learning rate, a0.", json_schema_extra=_told("rate"))
    steps: int = Field(
        ge=1, le=MOST_STEPS, description="How many updates or epochs, T; values are for t = 0 to T - 1.",
        json_schema_extra=_told("steps"),
    )  # fmt: skip
    warmup: float = Field(
        0.0, ge=0, description="Steps over which the rate rises first, to `lr` at t = warmup.",
        json_schema_extra=_told("steps"),
    )  # fmt: skip

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.warmup and self.warmup >= self.steps:
            raise ValueError(f"a warmup of {self.warmup:g} steps leaves none of {self.steps}; make it shorter")
        return self


class Falling(Parameters):
    """A rate that ends at a floor."""

    min_lr: float = Field(
        0.0, ge=0, description="The rate that is reached at t = T.", json_schema_extra=_told("rate")
    )  # fmt: skip

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr {self.min_lr:g} is above lr {self.lr:g}; it is the lowest rate")
        return self


class Stepped(Parameters):
    """A factor every so often, or at given steps."""

    factor: float = Field(
        0.1, gt=0, le=1, description="What the rate is multiplied with, again and again.",
        json_schema_extra=_told("ratio"),
    )  # fmt: skip
    every: float = Field(
        default_factory=_share(0.3), ge=1, description="After how many steps, counted from the end of the warm-up.",
        json_schema_extra=_told("steps", "0.3 * steps"),
    )  # fmt: skip


class Step(Stepped):
    """The same, or at steps that are given."""

    at: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), max_length=MOST_CUTS, description="At these steps instead, counted from 0; in order.",
        json_schema_extra=_told("steps"),
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if any(later <= sooner for sooner, later in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("at: each step has to be later than the one before")
        if self.at and self.at[0] <= self.warmup:
            raise ValueError(f"at: {self.at[0]:g} is not after the warm-up, which ends at {self.warmup:g}")
        if self.at and "every" in self.model_fields_set:
            raise ValueError("give `every` or `at`, not both")
        return self


class OneCycle(Falling):
    """Up and down once, along half a cosine each."""

    warmup: float = Field(
        default_factory=_share(0.3, 0), ge=0, description="Steps over which the rate rises, to `lr` at t = warmup.",
        json_schema_extra=_told("steps", "0.3 * steps"),
    )  # fmt: skip
    start_lr: float = Field(
        default_factory=lambda given: given["lr"] / 25, ge=0, description="The rate at t = 0.",
        json_schema_extra=_told("rate", "lr / 25"),
    )  # fmt: skip
    min_lr: float = Field(
        default_factory=lambda given: given["lr"] / 250_000, ge=0, description="The rate that is reached at t = T.",
        json_schema_extra=_told("rate", "lr / 250000"),
    )  # fmt: skip

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.start_lr > self.lr:
            raise ValueError(f"start_lr {self.start_lr:g} is above lr {self.lr:g}, which is the highest rate")
        return self


class WarmupStableDecay(Falling):
    """Up, level, down."""

    warmup: float = Field(
        default_factory=_share(0.05, 0), ge=0, description="Steps over which the rate rises, to `lr` at t = warmup.",
        json_schema_extra=_told("steps", "0.05 * steps"),
    )  # fmt: skip
    decay: float = Field(
        default_factory=_share(0.2), gt=0, description="Steps over which the rate falls at the end.",
        json_schema_extra=_told("steps", "0.2 * steps"),
    )  # fmt: skip
    shape: Literal["linear", "cosine", "sqrt"] = Field(
        "linear", description="How it falls; `sqrt` is 1 - sqrt of the share done.", json_schema_extra=_told("")
    )

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.warmup + self.decay > self.steps:
            raise ValueError(
                f"a warmup of {self.warmup:g} and a decay of {self.decay:g} steps do not fit into {self.steps}"
            )
        return self


class CosineRestarts(Falling):
    """Half a cosine, again and again."""

    cycle: float = Field(
        default_factory=_share(0.2), ge=1, description="Length of the first cycle.",
        json_schema_extra=_told("steps", "0.2 * steps"),
    )  # fmt: skip
    growth: int = Field(
        1, ge=1, le=10, description="How many times as long each cycle is as the one before.",
        json_schema_extra=_told("ratio"),
    )  # fmt: skip
    min_lr: float = Field(
        0.0, ge=0, description="The rate that each cycle comes down to.", json_schema_extra=_told("rate")
    )


@dataclass(frozen=True)
class ScheduleKind:
    """One kind: its course after the warm-up (t and parameters -> rate), its formula, and when to use it."""

    name: KindName
    parameters: type[Parameters]
    after_warmup: Callable[[FloatArray, Any], FloatArray]
    formula: str
    use: str
    linear_warmup: bool = True


def constant(t: FloatArray, p: Parameters) -> FloatArray:
    """a0."""
    return np.full_like(t, p.lr)


def step(t: FloatArray, p: Step) -> FloatArray:
    """a0 factor^k after the k-th cut."""
    cuts = np.searchsorted(p.at, t, side="right") if p.at else np.floor((t - p.warmup) / p.every)
    return np.asarray(p.lr * p.factor**cuts, dtype=np.float64)


def exponential(t: FloatArray, p: Stepped) -> FloatArray:
    """A step that is taken smoothly."""
    return np.asarray(p.lr * p.factor ** ((t - p.warmup) / p.every), dtype=np.float64)


def cosine(t: FloatArray, p: Falling) -> FloatArray:
    """Half a cosine to `min_lr` at T."""
    return _cosine(_done(t, p.warmup, p.steps), p.lr, p.min_lr)


def linear(t: FloatArray, p: Falling) -> FloatArray:
    """A straight line to `min_lr` at T."""
    return p.min_lr + (p.lr - p.min_lr) * (1 - _done(t, p.warmup, p.steps))


def inverse_sqrt(t: FloatArray, p: Parameters) -> FloatArray:
    """a0 / sqrt(t), level where that would be above a0."""
    begin = max(p.warmup, 1.0)
    return p.lr / np.sqrt(np.maximum(t, begin) / begin)


def one_cycle(t: FloatArray, p: OneCycle) -> FloatArray:
    """Up along half a cosine, down along half a cosine."""
    rise = _cosine(_done(t, 0.0, p.warmup or 1.0), p.start_lr, p.lr)
    return np.where(t < p.warmup, rise, _cosine(_done(t, p.warmup, p.steps), p.lr, p.min_lr))


def warmup_stable_decay(t: FloatArray, p: WarmupStableDecay) -> FloatArray:
    """Level, then down."""
    done = _done(t, p.steps - p.decay, p.steps)
    if p.shape == "cosine":
        return _cosine(done, p.lr, p.min_lr)
    return p.min_lr + (p.lr - p.min_lr) * (1 - (np.sqrt(done) if p.shape == "sqrt" else done))


def cosine_restarts(t: FloatArray, p: CosineRestarts) -> FloatArray:
    """Half a cosine, from the top again after each cycle."""
    since = t - p.warmup
    if p.growth == 1:
        return _cosine(since % p.cycle / p.cycle, p.lr, p.min_lr)
    ends = [p.cycle]
    while ends[-1] <= since.max(initial=0.0):
        ends.append(ends[-1] * p.growth + p.cycle)
    which = np.searchsorted(ends, since, side="right")
    lengths, begins = p.cycle * float(p.growth) ** np.arange(len(ends)), np.array([0.0, *ends[:-1]])
    return _cosine((since - begins[which]) / lengths[which], p.lr, p.min_lr)


def _done(t: FloatArray, begin: float, end: float) -> FloatArray:
    """The share of a stretch that is behind [0 to 1]."""
    return np.minimum(np.maximum((t - begin) / (end - begin), 0.0), 1.0)


def _cosine(done: FloatArray, top: float, bottom: float) -> FloatArray:
    return bottom + (top - bottom) / 2 * (1 + np.cos(np.pi * done))


KINDS: Mapping[str, ScheduleKind] = {
    kind.name: kind
    for kind in (
        ScheduleKind(
            "constant", Parameters, constant, "a0",
            "First of all, and for searching: nothing to choose, and the curves show when a decay would pay.",
        ),
        ScheduleKind(
            "step", Step, step, "a0 * factor ** floor((t - warmup) / every)",
            "When the loss lies flat at each level for a while: cut where it has flattened.",
        ),
        ScheduleKind(
            "cosine", Falling, cosine, "a0 / 2 * (1 + cos(pi * t / T))",
            "When the number of steps is known: few choices, and a good default for vision.",
        ),
        ScheduleKind(
            "linear", Falling, linear, "a0 * (1 - t / T)",
            "When the number of steps is known: usual for fine-tuning language models.",
        ),
        ScheduleKind(
            "inverse_sqrt", Parameters, inverse_sqrt, "a0 / sqrt(t), a0 at t = 0",
            "When the number of steps is not known: it never ends. With a warm-up, for transformers.",
        ),
        ScheduleKind(
            "exponential", Stepped, exponential, "a0 * factor ** ((t - warmup) / every)",
            "When the number of steps is not known and the rate has to come down steadily.",
        ),
        ScheduleKind(
            "one_cycle", OneCycle, one_cycle,
            "start_lr up to a0 until warmup, then down to min_lr at T, along half a cosine each",
            "For few epochs at a high rate: the rise lets a rate work that would diverge at the start.",
            linear_warmup=False,
        ),
        ScheduleKind(
            "warmup_stable_decay", WarmupStableDecay, warmup_stable_decay,
            "a0 * (t + 1) / (warmup + 1), then a0, then a0 * (T - t) / decay",
            "When the end is decided late: the level part can go on, and a decay can begin from any checkpoint.",
        ),
        ScheduleKind(
            "cosine_restarts", CosineRestarts, cosine_restarts, "a0 / 2 * (1 + cos(pi * (t mod cycle) / cycle))",
            "For an ensemble of snapshots: one at the end of each cycle, where the rate is lowest.",
        ),
    )
}  # fmt: skip
