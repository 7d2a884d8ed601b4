"""Averaging the predictions of several checkpoints, measured on the examples that they all predicted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.curves.curve import FloatArray
from app.ensembles.gain import FEWEST_EXAMPLES, Gain, Metric, gains
from app.ensembles.predictions import Predictions

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Scores:
    """The metrics of each example: loss, log loss [nats] or squared error [examples]; correct, None for regression."""

    loss: FloatArray
    correct: NDArray[np.bool_] | None

    @property
    def mean_loss(self) -> float:
        """Over the examples."""
        return float(self.loss.mean())

    @property
    def accuracy(self) -> float | None:
        """Share of the examples that are right; None for regression."""
        return None if self.correct is None else float(self.correct.mean())


MeanLoss = Annotated[float, Field(description="Mean log loss [nats], or mean squared error [target unit squared].")]
Accuracy = Annotated[
    float | None, Field(description="Share of examples that it gets right [0 to 1]; null for regression.")
]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One checkpoint of a run, alone."""

    run: Annotated[str, Field(description="The run's name.")]
    step: Annotated[float, Field(ge=0, description="The checkpoint [steps].")]
    loss: MeanLoss
    accuracy: Accuracy


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A checkpoint that is not in the average."""

    run: Annotated[str, Field(description="The run's name.")]
    step: Annotated[float | None, Field(description="The checkpoint [steps]; null when none of the run was found.")]
    reason: Annotated[str, Field(description="Why it is left out.")]


@dataclass(frozen=True, kw_only=True)
class Average:
    """The average of the members' predictions."""

    loss: MeanLoss
    accuracy: Accuracy


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """What averaging predictions gains on the validation examples that all members predicted."""

    task: Annotated[Task | None, Field(description="What is predicted; null without predictions.")]
    examples: Annotated[int, Field(ge=0, description="How many examples every member predicted [examples].")]
    members: Annotated[tuple[Member, ...], Field(description="Each checkpoint alone, in the order of the request.")]
    left_out: Annotated[tuple[LeftOut, ...], Field(description="Those that could not be averaged with them, and why.")]
    average: Annotated[Average | None, Field(description="The average; null when fewer than two can be averaged.")]
    gains: Annotated[tuple[Gain, ...], Field(description="What averaging gains, each with its interval.")]
    missing: Annotated[str | None, Field(description="Why nothing was measured; null when it was.")]
    says: Annotated[str, Field(description="The answer in one sentence.")]


Named = tuple[str, float, Predictions]  # run, step


def scores(predictions: Predictions) -> Scores:
    """The metrics of each example for one checkpoint alone."""
    return _Sum(predictions).add(predictions)


def measure(members: Iterable[Named], left_out: Sequence[LeftOut] = ()) -> Ensemble:
    """What averaging gains. members: read one by one, so that no two are in memory at once.

    Those that predicted other targets than the first one did are left out. Probabilities and values are averaged with
    equal weights: weights, or members, that were chosen on these examples would look better on them than they are.
    """
    alone: list[Member] = []
    each: list[Scores] = []
    missed = list(left_out)
    total: _Sum | None = None
    for run, step, predictions in members:
        total = total or _Sum(predictions)
        if (reason := total.refuses(predictions)) is not None:
            missed.append(LeftOut(run=run, step=step, reason=reason))
            continue
        found = total.add(predictions)
        each.append(found)
        alone.append(Member(run=run, step=step, loss=found.mean_loss, accuracy=found.accuracy))
    if total is None or len(each) < 2 or total.examples < FEWEST_EXAMPLES:
        return _unmeasured(total, tuple(alone), tuple(missed))
    average = total.average()
    measured = list(gains(total.metric, np.stack([one.loss for one in each]), average.loss))
    if average.correct is not None:
        correct = np.stack([one.correct for one in each if one.correct is not None]).astype(np.float64)
        measured += gains("accuracy", correct, average.correct.astype(np.float64))
    return Ensemble(
        task=total.task,
        examples=total.examples,
        members=tuple(alone),
        left_out=tuple(missed),
        average=Average(loss=average.mean_loss, accuracy=average.accuracy),
        gains=tuple(measured),
        missing=None,
        says=_says(len(each), measured[0]),
    )


class _Sum:
    """Predictions added up, of members that predicted the same targets. like: the first of them, not added yet."""

    def __init__(self, like: Predictions) -> None:
        self.examples, self.classes = like.examples, like.classes
        self.metric: Metric = "squared_error" if like.kind == "values" else "log_loss"
        self.task: Task = "regression" if like.kind == "values" else "classification"
        self._targets = like.targets
        self._plain = like.plain_targets
        self._total = np.zeros(like.predictions.shape)
        self._own = np.zeros(like.examples)  # probability of the true class, with its floor
        self._members = 0

    def refuses(self, other: Predictions) -> str | None:
        """Why these cannot be averaged with the first; None when they can."""
        if (other.kind == "values") != (self.classes is None):
            return "it predicts values where the first member predicts classes, or the reverse"
        if other.classes != self.classes:
            return f"it predicts {other.classes} classes, and the first member {self.classes}"
        if other.examples != self.examples:
            return f"it predicts {other.examples} examples, and the first member {self.examples}"
        if not np.array_equal(other.plain_targets, self._plain):
            return "its targets are not those of the first member: predict the same examples in the same order"
        return None

    def add(self, predictions: Predictions) -> Scores:
        """One more member -> how it does alone."""
        self._members += 1
        own, hit = np.empty(self.examples), np.empty(self.examples, dtype=np.bool_)
        for part, block in predictions.blocks():
            self._total[part] += block
            own[part], hit[part] = self._seen(part, block, predictions.least)
        self._own += own
        return self._scores(own, hit)

    def average(self) -> Scores:
        """How the mean of what was added does."""
        if self.classes is not None:
            return self._scores(self._own / self._members, self._total.argmax(axis=1) == self._targets)
        error, hit = self._seen(slice(None), self._total / self._members, 0.0)
        return self._scores(error, hit)

    def _seen(self, part: slice, block: FloatArray, least: float) -> tuple[FloatArray, NDArray[np.bool_]]:
        targets = self._targets[part]
        if self.classes is None:
            error = (block - targets.astype(np.float64)) ** 2
            return (error if error.ndim == 1 else error.mean(axis=1)), np.zeros(targets.shape[0], dtype=np.bool_)
        own = np.maximum(block[np.arange(targets.size), targets], least)
        return own, block.argmax(axis=1) == targets

    def _scores(self, own: FloatArray, hit: NDArray[np.bool_]) -> Scores:
        return Scores(own, None) if self.classes is None else Scores(-np.log(own), hit)


def _unmeasured(total: _Sum | None, alone: tuple[Member, ...], missed: tuple[LeftOut, ...]) -> Ensemble:
    if len(alone) < 2:
        have = "no predictions are" if not alone else f"the predictions of one checkpoint, step {alone[0].step:g}, are"
        missing = f"{have} there to be averaged; two are needed: PUT …/runs/RUN/predictions/STEP takes them"
    else:
        have = f"{total.examples if total else 0} examples"
        missing = f"the members predicted {have}, and {FEWEST_EXAMPLES} are needed to tell a gain from noise"
    return Ensemble(
        task=total.task if total else None,
        examples=total.examples if total else 0,
        members=alone,
        left_out=missed,
        average=None,
        gains=(),
        missing=missing,
        says=missing[0].upper() + missing[1:] + ".",
    )


def _says(members: int, over_best: Gain) -> str:
    name = "log loss" if over_best.metric == "log_loss" else "squared error"
    low, high = over_best.interval
    if over_best.within_noise:
        change = f"changes {name} against the best of them by no more than noise"
        return f"Averaging {members} checkpoints {change}: a gain of {over_best.gain:.3g} ({low:.3g} to {high:.3g})."
    change = "lowers" if over_best.gain > 0 else "raises"
    size, ends = abs(over_best.gain), sorted((abs(low), abs(high)))
    return (
        f"Averaging {members} checkpoints {change} {name} by {size:.3g} ({ends[0]:.3g} to {ends[1]:.3g}) against the "
        "best of them."
    )
