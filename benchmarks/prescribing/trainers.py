"""What trains a configuration: the NumPy form, which needs nothing, or the torch form, which an extra brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from prescribing import training
from prescribing.configurations import Configuration
from prescribing.training import Course, Rate

NEEDED = {"numpy": {}, "torch": {"torch": "torch", "sklearn": "scikit-learn", "PIL": "pillow"}}  # module -> project


class MissingExtra(Exception):
    """A form was asked for whose libraries are not installed."""


class Checkpoint(Protocol):
    """What a training goes on from: the replicas' weights and optimisers after `step` updates."""

    @property
    def step(self) -> int:
        """Updates so far."""
        ...

    def of(self, replicas: Sequence[int]) -> Checkpoint:
        """Those replicas, in that order; one may be taken several times."""
        ...


class Trainer(Protocol):
    """One configuration in training, a replica a seed."""

    def run(self, until: int, rate: Rate, evaluate_at: Sequence[int]) -> Course:
        """Train until that step, evaluating before the updates of the steps named."""
        ...

    def checkpoint(self) -> Checkpoint:
        """Everything as it is now."""
        ...


def make_trainer(c: Configuration, seeds: Sequence[int], start: Checkpoint | None = None) -> Trainer:
    """The trainer of the configuration's form; `start` is a checkpoint of the same. Raises MissingExtra."""
    made: Callable[[Configuration, Sequence[int], Any], Trainer] = training.Trainer
    if c.form == "torch":
        require("torch")
        from prescribing import torch_training  # noqa: PLC0415 - an extra, and seconds to import

        made = torch_training.Trainer
    return made(c, seeds, start)


def require(form: str) -> None:
    """MissingExtra where a library that the form needs is not installed."""
    if missing := [project for module, project in NEEDED[form].items() if find_spec(module) is None]:
        raise MissingExtra(f"the {form} form needs {', '.join(missing)}: pip install -e '.[bench]'")
