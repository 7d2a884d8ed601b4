"""The learning rate of an optimiser, whichever framework it is of: read, and multiplied. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from curvewise_client.values import Unusable, number

# What PyTorch's schedulers keep in a group beside the rate, and compute it from.
_OF_GROUP = ("initial_lr", "max_lr", "min_lr")
_OF_SCHEDULER = ("base_lrs", "max_lrs")


class Rate(Protocol):
    """A learning rate that can be changed. scheduled: whether something else changes it as well."""

    scheduled: bool

    def now(self) -> float:
        """The highest of the groups."""

    def scale(self, factor: float) -> None:
        """Multiply the rate of every group, and what a schedule would compute it from."""


class TorchRate:
    """Of a `torch.optim.Optimizer`, and of the scheduler that would otherwise put the rate back."""

    def __init__(self, optimizer: Any, scheduler: Any = None) -> None:
        self._optimizer = optimizer
        self._scheduler = scheduler
        self.scheduled = scheduler is not None

    def now(self) -> float:
        """The highest of the groups."""
        return max(number(group["lr"]) for group in self._optimizer.param_groups)

    def scale(self, factor: float) -> None:
        """Multiply the rate of every group, and what a schedule would compute it from."""
        for group in self._optimizer.param_groups:
            if hasattr(group["lr"], "mul_"):  # a tensor, which a captured graph reads where it is
                group["lr"].mul_(factor)
            else:
                group["lr"] *= factor
            for name in _OF_GROUP:
                if name in group:
                    group[name] *= factor
        for each in _with_inner(self._scheduler):
            for name in _OF_SCHEDULER:
                if hasattr(each, name):
                    setattr(each, name, [rate * factor for rate in getattr(each, name)])


class KerasRate:
    """Of a Keras optimiser with a plain rate."""

    scheduled = False

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer

    def now(self) -> float:
        """Its rate."""
        return number(self._optimizer.learning_rate)

    def scale(self, factor: float) -> None:
        """Raises TypeError where the rate follows a schedule of Keras'."""
        self._optimizer.learning_rate = self.now() * factor


class AttributeRate:
    """Of anything with an attribute `lr`, such as an optimiser written by hand."""

    scheduled = False

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer

    def now(self) -> float:
        """Its rate."""
        return number(self._optimizer.lr)

    def scale(self, factor: float) -> None:
        """Multiply it."""
        self._optimizer.lr *= factor


def rate_of(optimizer: Any, scheduler: Any = None) -> Rate | None:
    """How to change the rate of this optimiser; None of none. Raises Unusable where it has no rate to change."""
    if optimizer is None:
        return None
    if hasattr(optimizer, "param_groups"):
        return TorchRate(optimizer, scheduler)
    if hasattr(optimizer, "learning_rate"):
        # Keras keeps a schedule apart, and shows its present value under the same name.
        if callable(getattr(optimizer, "_learning_rate", None)):
            raise Unusable("its rate follows a schedule of Keras'; compile the model with a number for a rate")
        return KerasRate(optimizer)
    if hasattr(optimizer, "lr"):
        return AttributeRate(optimizer)
    raise Unusable(f"a {type(optimizer).__name__} has neither param_groups nor learning_rate nor lr")


def _with_inner(scheduler: Any) -> Iterator[Any]:
    """A scheduler, and those that it is made of."""
    yield scheduler
    for inner in getattr(scheduler, "_schedulers", ()):
        yield from _with_inner(inner)
