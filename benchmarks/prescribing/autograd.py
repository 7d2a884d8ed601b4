"""Reverse-mode differentiation of the few operations that the small models need, for several replicas at once.

Every array's first axis is the replica: one pass of Python trains all seeds of a configuration, whose updates cost
little more than one seed's. Values are float32, as in training jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Integers = NDArray[np.int64]
Backward = Callable[[Array], tuple[Array, ...]]


@dataclass(eq=False)
class Tensor:
    """A value, where it came from, and after `backward` the gradient of the loss with respect to it."""

    value: Array
    parents: Sequence[Tensor] = ()
    pull: Backward | None = None  # gradient of the value -> gradients of the parents
    grad: Array | None = field(default=None)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The product of a [..., m, k] and b [..., k, n], which have the same leading axes."""

    def pull(g: Array) -> tuple[Array, ...]:
        return g @ np.swapaxes(b.value, -1, -2), np.swapaxes(a.value, -1, -2) @ g

    return Tensor(a.value @ b.value, (a, b), pull)


def affine(x: Tensor | Array, weight: Tensor, bias: Tensor) -> Tensor:
    """A dense layer: x [replicas, rows, m], weight [replicas, m, n], bias [replicas, 1, n]. Data comes as an array."""
    data = x.value if isinstance(x, Tensor) else x
    out = data @ weight.value + bias.value

    def pull(g: Array) -> tuple[Array, ...]:
        own = (np.swapaxes(data, -1, -2) @ g, g.sum(axis=1, keepdims=True))
        return (*own, g @ np.swapaxes(weight.value, -1, -2)) if isinstance(x, Tensor) else own

    return Tensor(out, (weight, bias, x) if isinstance(x, Tensor) else (weight, bias), pull)


def add(a: Tensor, b: Tensor) -> Tensor:
    """The sum of two tensors of one shape."""
    return Tensor(a.value + b.value, (a, b), lambda g: (g, g))


def scale(a: Tensor, by: Array | np.float32) -> Tensor:
    """The product with a constant, such as a dropout mask."""
    return Tensor(a.value * by, (a,), lambda g: (g * by,))


def relu(a: Tensor) -> Tensor:
    """What is above zero."""
    return Tensor(np.maximum(a.value, 0), (a,), lambda g: (g * (a.value > 0),))


def tanh(a: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    out = np.tanh(a.value)
    return Tensor(out, (a,), lambda g: (g * (1 - out * out),))


def softmax(a: Tensor) -> Tensor:
    """Softmax over the last axis."""
    out = np.exp(a.value - a.value.max(axis=-1, keepdims=True))
    out /= out.sum(axis=-1, keepdims=True)
    return Tensor(out, (a,), lambda g: (out * (g - (g * out).sum(axis=-1, keepdims=True)),))


def reshape(a: Tensor, *shape: int) -> Tensor:
    """The same numbers in another shape."""
    return Tensor(a.value.reshape(shape), (a,), lambda g: (g.reshape(a.value.shape),))


def transpose(a: Tensor) -> Tensor:
    """The last two axes swapped."""
    return Tensor(np.swapaxes(a.value, -1, -2), (a,), lambda g: (np.swapaxes(g, -1, -2),))


def cross_entropy(logits: Tensor, labels: Integers) -> Tensor:
    """Mean cross-entropy [replicas, in nats] of logits [replicas, rows, classes] and labels [replicas, rows]."""
    shifted = logits.value - logits.value.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    at = labels[..., None]
    loss = -np.take_along_axis(log_p, at, axis=-1)[..., 0].mean(axis=-1)

    def pull(g: Array) -> tuple[Array, ...]:
        delta = np.exp(log_p)
        np.put_along_axis(delta, at, np.take_along_axis(delta, at, axis=-1) - 1, axis=-1)
        return (delta * (g / labels.shape[-1])[:, None, None],)

    return Tensor(loss, (logits,), pull)


def squared_error(out: Tensor, target: Array) -> Tensor:
    """Mean squared error [replicas] of out [replicas, rows, 1] and target [replicas, rows]."""
    miss = out.value[..., 0] - target
    size = np.float32(2 / target.shape[-1])
    return Tensor((miss * miss).mean(axis=-1), (out,), lambda g: ((miss * g[:, None] * size)[..., None],))


def backward(loss: Tensor) -> None:
    """Fill `grad` of everything that the losses [replicas] depend on; replicas share nothing, so their sum is taken."""
    order: list[Tensor] = []
    seen: set[int] = set()

    def visit(node: Tensor) -> None:
        if id(node) not in seen:
            seen.add(id(node))
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(loss)
    loss.grad = np.ones_like(loss.value)
    for node in reversed(order):
        if node.pull is None or node.grad is None:
            continue
        for parent, gradient in zip(node.parents, node.pull(node.grad), strict=True):
            parent.grad = gradient if parent.grad is None else parent.grad + gradient
