"""Train a configuration of the torch form, one seed after the other; the interface is that of `training.Trainer`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from prescribing.configurations import Configuration
from prescribing.real_data import make_real_data
from prescribing.tasks import Data, Split
from prescribing.torch_models import Network, make_model
from prescribing.training import MOMENTUM, Course, Rate

Examples = tuple[Tensor, Tensor]
State = Mapping[str, Any]  # as state_dict() gives it


@dataclass(frozen=True)
class Checkpoint:
    """Of each replica the model, with what its normalisation has seen, and the optimiser, after `step` updates."""

    step: int
    models: Sequence[State]
    optimisers: Sequence[State]

    def of(self, replicas: Sequence[int]) -> Checkpoint:
        """Those replicas, in that order; one may be taken several times."""
        return Checkpoint(self.step, *([each[k] for k in replicas] for each in (self.models, self.optimisers)))


@dataclass
class _Measured:
    """Of one replica: (val loss, val accuracy, test loss) of each evaluation, the loss of each update."""

    evaluations: list[tuple[float, float, float]] = field(default_factory=list)
    train: list[float] = field(default_factory=list)


class Trainer:
    """One configuration, as many replicas as seeds, which share nothing but the data."""

    def __init__(self, c: Configuration, seeds: Sequence[int], start: Checkpoint | None = None) -> None:
        # The products are too small to share out, and sums in another order would be rounded otherwise.
        torch.set_num_threads(1)
        self.data: Data = make_real_data(c.task, c.noise, c.train_size, c.data_seed)
        self.step = start.step if start else 0
        self.replicas = [
            _Replica(c, self.data, seed, self.step, (start.models[i], start.optimisers[i]) if start else None)
            for i, seed in enumerate(seeds)
        ]

    def checkpoint(self) -> Checkpoint:
        """Everything as it is now."""
        models = [deepcopy(each.model.state_dict()) for each in self.replicas]
        return Checkpoint(self.step, models, [deepcopy(each.optimiser.state_dict()) for each in self.replicas])

    def run(self, until: int, rate: Rate, evaluate_at: Sequence[int]) -> Course:
        """Train until that step, evaluating before the updates of the steps named."""
        wanted = sorted({step for step in evaluate_at if self.step <= step <= until})
        measured = [each.run(self.step, until, rate, set(wanted)) for each in self.replicas]
        self.step = max(self.step, until)
        by_step = np.array([each.evaluations for each in measured]).reshape(len(measured), -1, 3).swapaxes(0, 1)
        val, accuracy, test = (list(by_step[:, :, k]) for k in range(3))
        return Course(wanted, val, accuracy, test, list(np.array([each.train for each in measured]).T))


class _Replica:
    """One network in training, and the state of the generator that its batches and dropout come from."""

    def __init__(
        self, c: Configuration, data: Data, seed: int, step: int, start: tuple[State, State] | None = None
    ) -> None:
        self.classes, self.batch = data.classes, min(c.batch, data.train.y.size)
        self.train, self.val, self.test = (_tensors(split) for split in (data.train, data.val, data.test))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_mixed(c.data_seed, seed))
            _, tokens, channels = data.train.x.shape
            self.model: Network = make_model(c, tokens, channels, data.classes or 1)
            torch.manual_seed(_mixed(c.data_seed, seed, step))
            self.random = torch.get_rng_state()
        self.optimiser = _optimiser(c, self.model)
        if start:
            self.model.load_state_dict(start[0])
            self.optimiser.load_state_dict(deepcopy(dict(start[1])))  # it keeps the tensors it is given
        self.batches = self._batches()

    def run(self, step: int, until: int, rate: Rate, wanted: Collection[int]) -> _Measured:
        measured = _Measured()
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            while True:
                if step in wanted:
                    measured.evaluations.append(self._evaluate())
                if step >= until:
                    break
                measured.train.append(self._update(rate(step)))
                step += 1
            self.random = torch.get_rng_state()
        return measured

    def _batches(self) -> Iterator[Tensor]:
        """Rows in a new order each epoch; what does not fill a batch at its end is left out."""
        size = len(self.train[0])
        while True:
            yield from torch.randperm(size)[: size - size % self.batch].reshape(-1, self.batch)

    def _update(self, rate: float) -> float:
        """One step of the optimiser; the loss of its batch before it, dropout included."""
        rows = next(self.batches)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss = self._loss(self.model(self.train[0][rows]), self.train[1][rows])
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.item()

    def _loss(self, out: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(out, y) if self.classes else nn.functional.mse_loss(out[:, 0], y)

    def _evaluate(self) -> tuple[float, float, float]:
        self.model.eval()
        with torch.no_grad():
            out = self.model(self.val[0])
            accuracy = (out.argmax(dim=1) == self.val[1]).double().mean().item() if self.classes else float("nan")
            val, test = self._loss(out, self.val[1]).item(), self._loss(self.model(self.test[0]), self.test[1]).item()
        self.model.train()
        return val, accuracy, test


def _tensors(split: Split) -> Examples:
    return torch.from_numpy(split.x), torch.from_numpy(split.y)


def _optimiser(c: Configuration, model: nn.Module) -> torch.optim.Optimizer:
    """Weight decay as PyTorch's own means it: SGD adds it to the gradient, so that momentum multiplies it too."""
    if c.optimiser == "sgd":
        return torch.optim.SGD(model.parameters(), c.lr, momentum=MOMENTUM, weight_decay=c.weight_decay)
    return torch.optim.AdamW(model.parameters(), c.lr, weight_decay=c.weight_decay)


def _mixed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
