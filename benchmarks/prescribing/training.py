"""Train a configuration from several seeds at once, from scratch or on from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray
from prescribing.autograd import Array, Tensor, backward, cross_entropy, scale, squared_error
from prescribing.configurations import Configuration
from prescribing.models import ARCHITECTURES, Parameters, Shape, make_parameters
from prescribing.tasks import Data, Split, make_data

Rate = Callable[[int], float]
MOMENTUM, SECOND = 0.9, 0.999


@dataclass(frozen=True)
class Checkpoint:
    """Weights and the optimiser's moments after `step` updates; the first axis of each array is the replica."""

    step: int
    weights: dict[str, Array]
    first: dict[str, Array]
    second: dict[str, Array]

    def of(self, replicas: Sequence[int]) -> Checkpoint:
        """Those replicas, in that order; one may be taken several times."""
        parts = ({k: v[list(replicas)] for k, v in p.items()} for p in (self.weights, self.first, self.second))
        return Checkpoint(self.step, *parts)


@dataclass
class Course:
    """What was measured. steps: of the evaluations; each value of them: [replicas]. train: the loss of every update."""

    steps: list[int] = field(default_factory=list)
    val: list[FloatArray] = field(default_factory=list)
    val_accuracy: list[FloatArray] = field(default_factory=list)
    test: list[FloatArray] = field(default_factory=list)
    train: list[FloatArray] = field(default_factory=list)


class Trainer:
    """One configuration, as many replicas as seeds. A replica's course does not depend on which others there are."""

    def __init__(self, c: Configuration, seeds: Sequence[int], start: Checkpoint | None = None) -> None:
        self.configuration = c
        self.data: Data = make_data(c.task, c.noise, c.train_size, c.data_seed)
        self.architecture = ARCHITECTURES[c.architecture]
        tokens, channels = self.data.train.x.shape[1:]
        outputs = self.data.classes or 1
        self.shape = Shape(tokens, channels, outputs, c.width, c.depth, c.init_scale, c.head_scale, c.head_bias)
        self.step = start.step if start else 0
        if start:
            self.parameters: Parameters = {k: Tensor(v.copy()) for k, v in start.weights.items()}
            self.first, self.second = ({k: v.copy() for k, v in p.items()} for p in (start.first, start.second))
        else:
            self.parameters = make_parameters(self.architecture, self.shape, [c.data_seed ^ (s << 32) for s in seeds])
            self.first = {k: np.zeros_like(t.value) for k, t in self.parameters.items()}
            self.second = {k: np.zeros_like(t.value) for k, t in self.parameters.items()}
        self.batches = [np.random.default_rng([c.data_seed, s, self.step]) for s in seeds]

    def checkpoint(self) -> Checkpoint:
        """The weights as they are now."""
        weights = {k: t.value.copy() for k, t in self.parameters.items()}
        moments = ({k: v.copy() for k, v in p.items()} for p in (self.first, self.second))
        return Checkpoint(self.step, weights, *moments)

    def run(self, until: int, rate: Rate, evaluate_at: Sequence[int]) -> Course:
        """Train until that step, evaluating before the updates of the steps named."""
        course, wanted = Course(), set(evaluate_at)
        with np.errstate(all="ignore"):  # what explodes overflows, and is measured as what it becomes
            while True:
                if self.step in wanted:
                    self._evaluate(course)
                if self.step >= until:
                    return course
                course.train.append(self._update(rate(self.step)))

    def _evaluate(self, course: Course) -> None:
        val, accuracy = self._measure(self.data.val)
        course.steps.append(self.step)
        course.val.append(val)
        course.val_accuracy.append(accuracy)
        course.test.append(self._measure(self.data.test)[0])

    def _measure(self, split: Split) -> tuple[FloatArray, FloatArray]:
        """Loss and accuracy of each replica; the accuracy of a regression is NaN."""
        replicas = len(self.batches)
        x = np.broadcast_to(split.x, (replicas, *split.x.shape))
        y = np.broadcast_to(split.y, (replicas, *split.y.shape))
        out = self.architecture.forward(self.parameters, x, self.shape, lambda h: h)
        loss = self._loss(out, y).value.astype(float)
        if self.data.classes is None:
            return loss, np.full(replicas, np.nan)
        return loss, (out.value.argmax(axis=-1) == y).mean(axis=-1)

    def _loss(self, out: Tensor, y: NDArray[np.generic]) -> Tensor:
        if self.data.classes is None:
            return squared_error(out, y.astype(np.float32))
        return cross_entropy(out, y.astype(np.int64))

    def _update(self, rate: float) -> FloatArray:
        """One step of the optimiser; the loss of its batch before it [replicas]."""
        c, size = self.configuration, self.data.train.y.size
        rows = np.stack([g.integers(size, size=min(c.batch, size)) for g in self.batches])
        for parameter in self.parameters.values():
            parameter.grad = None
        out = self.architecture.forward(self.parameters, self.data.train.x[rows], self.shape, self._dropout)
        loss = self._loss(out, self.data.train.y[rows])
        backward(loss)
        self.step += 1
        for name, parameter in self.parameters.items():
            assert parameter.grad is not None
            step = self._direction(name, parameter.grad) * np.float32(rate)
            if c.weight_decay and name.endswith("weight"):
                step += np.float32(rate * c.weight_decay) * parameter.value
            parameter.value -= step
        return loss.value.astype(float)

    def _direction(self, name: str, gradient: Array) -> Array:
        """Momentum's, or Adam's with its bias corrected."""
        first = self.first[name]
        if self.configuration.optimiser == "sgd":
            first *= MOMENTUM
            first += gradient
            return first
        second = self.second[name]
        first += np.float32(1 - MOMENTUM) * (gradient - first)
        second += np.float32(1 - SECOND) * (gradient * gradient - second)
        size = np.sqrt(second / np.float32(1 - SECOND**self.step)) + np.float32(1e-8)
        return np.asarray(first / np.float32(1 - MOMENTUM**self.step) / size, dtype=np.float32)

    def _dropout(self, h: Tensor) -> Tensor:
        share = self.configuration.dropout
        if not share:
            return h
        kept = np.stack([g.random(h.value.shape[1:], dtype=np.float32) >= share for g in self.batches])
        return scale(h, kept.astype(np.float32) / np.float32(1 - share))


def evaluation_steps(first: int, last: int, evaluations: int) -> list[int]:
    """Evenly spaced steps from first to last, both included."""
    return sorted({int(s) for s in np.rint(np.linspace(first, last, evaluations + 1))})
