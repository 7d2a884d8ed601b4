"""Five architectures over one interface: named parameters with the replica as first axis, and a forward pass.

Inputs are tokens [replicas, rows, tokens, channels]; an architecture that has no use for tokens flattens them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from prescribing.autograd import Array, Tensor, add, affine, matmul, relu, reshape, scale, softmax, tanh, transpose

Parameters = dict[str, Tensor]
Mask = Callable[[Tensor], Tensor]  # dropout while training, nothing otherwise


@dataclass(frozen=True)
class Shape:
    """What a model is built for. head_bias: the spread of the output biases at the start [nats]."""

    tokens: int
    channels: int
    outputs: int
    width: int
    depth: int
    init_scale: float = 1.0
    head_scale: float = 1.0
    head_bias: float = 0.0


@dataclass(frozen=True)
class Architecture:
    """layers: the (fan in, fan out) of each layer by name, in order; gain: of the sane initialisation [variance]."""

    layers: Callable[[Shape], dict[str, tuple[int, int]]]
    forward: Callable[[Parameters, Array, Shape, Mask], Tensor]
    gain: float


def make_parameters(architecture: Architecture, shape: Shape, seeds: list[int]) -> Parameters:
    """Weights of variance gain / fan in times the scales of the shape, one replica a seed."""
    parameters: Parameters = {}
    generators = [np.random.default_rng(seed) for seed in seeds]
    for name, (fan_in, fan_out) in architecture.layers(shape).items():
        head = name == "head"
        size = shape.head_scale if head else shape.init_scale
        deviation = size * np.sqrt((1.0 if head else architecture.gain) / fan_in)
        weights = np.stack([g.normal(scale=deviation, size=(fan_in, fan_out)) for g in generators])
        bias = np.zeros((len(seeds), 1, fan_out))
        if head and shape.head_bias:
            bias = np.stack([g.normal(scale=shape.head_bias, size=(1, fan_out)) for g in generators])
        parameters[f"{name}.weight"] = Tensor(weights.astype(np.float32))
        parameters[f"{name}.bias"] = Tensor(bias.astype(np.float32))
    return parameters


def _layer(parameters: Parameters, name: str, x: Tensor | Array) -> Tensor:
    return affine(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def _dense_layers(shape: Shape) -> dict[str, tuple[int, int]]:
    sizes = [shape.tokens * shape.channels, *[shape.width] * shape.depth]
    hidden = {f"hidden{i}": (sizes[i], sizes[i + 1]) for i in range(shape.depth)}
    return hidden | {"head": (sizes[-1], shape.outputs)}


def _dense(bend: Callable[[Tensor], Tensor]) -> Callable[[Parameters, Array, Shape, Mask], Tensor]:
    def forward(parameters: Parameters, x: Array, shape: Shape, mask: Mask) -> Tensor:
        h = mask(bend(_layer(parameters, "hidden0", x.reshape(*x.shape[:2], -1))))
        for i in range(1, shape.depth):
            h = mask(bend(_layer(parameters, f"hidden{i}", h)))
        return _layer(parameters, "head", h)

    return forward


def _conv_layers(shape: Shape) -> dict[str, tuple[int, int]]:
    """One filter bank shared over the patches that the task cut, then a dense layer."""
    filters = max(shape.width // 4, 1)
    return {
        "filters": (shape.channels, filters),
        "hidden": (shape.tokens * filters, shape.width),
        "head": (shape.width, shape.outputs),
    }


def _conv(parameters: Parameters, x: Array, shape: Shape, mask: Mask) -> Tensor:
    replicas, rows = x.shape[:2]
    maps = relu(_layer(parameters, "filters", x.reshape(replicas, -1, shape.channels)))
    h = mask(relu(_layer(parameters, "hidden", reshape(maps, replicas, rows, -1))))
    return _layer(parameters, "head", h)


def _rnn_layers(shape: Shape) -> dict[str, tuple[int, int]]:
    return {
        "read": (shape.channels, shape.width),
        "recur": (shape.width, shape.width),
        "head": (shape.width, shape.outputs),
    }


def _rnn(parameters: Parameters, x: Array, shape: Shape, mask: Mask) -> Tensor:
    h = tanh(_layer(parameters, "read", np.ascontiguousarray(x[:, :, 0])))
    for t in range(1, shape.tokens):
        h = tanh(add(_layer(parameters, "read", np.ascontiguousarray(x[:, :, t])), _layer(parameters, "recur", h)))
    return _layer(parameters, "head", mask(h))


def _attention_layers(shape: Shape) -> dict[str, tuple[int, int]]:
    """Embedding with a position of its own for each token, one head, and a dense layer over the flattened tokens."""
    w, flat = shape.width, shape.tokens
    return {
        "embed": (shape.channels + flat, w),
        "query": (w, w),
        "key": (w, w),
        "value": (w, w),
        "hidden": (flat * w, w),
        "head": (w, shape.outputs),
    }


def _attention(parameters: Parameters, x: Array, shape: Shape, mask: Mask) -> Tensor:
    replicas, rows = x.shape[:2]
    places = np.broadcast_to(np.eye(shape.tokens, dtype=np.float32), (replicas, rows, shape.tokens, shape.tokens))
    flat = np.concatenate([x, places], axis=-1).reshape(replicas, rows * shape.tokens, -1)
    embedded = _layer(parameters, "embed", flat)
    query, key, value = (
        reshape(_layer(parameters, name, embedded), replicas, rows, shape.tokens, -1)
        for name in ("query", "key", "value")
    )
    weights = softmax(scale(matmul(query, transpose(key)), np.float32(shape.width**-0.5)))
    mixed = add(reshape(embedded, replicas, rows, shape.tokens, -1), matmul(weights, value))
    h = mask(relu(_layer(parameters, "hidden", reshape(mixed, replicas, rows, -1))))
    return _layer(parameters, "head", h)


ARCHITECTURES = {
    "mlp": Architecture(_dense_layers, _dense(relu), 2.0),
    "tanh": Architecture(_dense_layers, _dense(tanh), 1.0),
    "conv": Architecture(_conv_layers, _conv, 2.0),
    "rnn": Architecture(_rnn_layers, _rnn, 1.0),
    "attention": Architecture(_attention_layers, _attention, 1.0),
}
