"""A small multi-layer perceptron with a backward pass by hand, and momentum SGD: all that the recorded runs needed."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray

Labels = NDArray[np.int64]


@dataclass
class Network:
    """ReLU layers under a softmax head. weights: one [fan_in, fan_out] a layer; biases: one [fan_out] a layer."""

    weights: list[FloatArray]
    biases: list[FloatArray]

    def __post_init__(self) -> None:
        self._velocity = [np.zeros_like(p) for p in (*self.weights, *self.biases)]

    def loss_and_accuracy(self, images: FloatArray, labels: Labels) -> tuple[float, float]:
        """Mean cross-entropy [nats] and accuracy [0 to 1]."""
        log_probabilities = self._forward(images)[-1]
        loss = -log_probabilities[np.arange(labels.size), labels].mean()
        return float(loss), float((log_probabilities.argmax(axis=1) == labels).mean())

    def update(self, images: FloatArray, labels: Labels, rate: float, weight_decay: float) -> float:
        """One step of SGD with momentum 0.9; the batch's loss before the step [nats]."""
        *inputs, log_probabilities = self._forward(images)
        rows = np.arange(labels.size)
        loss = -log_probabilities[rows, labels].mean()
        delta = np.exp(log_probabilities)
        delta[rows, labels] -= 1
        delta /= labels.size
        weight_gradients, bias_gradients = [], []
        for weight, incoming in zip(reversed(self.weights), reversed(inputs), strict=True):
            weight_gradients.append(incoming.T @ delta + weight_decay * weight)
            bias_gradients.append(delta.sum(axis=0))
            delta = (delta @ weight.T) * (incoming > 0)
        gradients = (*reversed(weight_gradients), *reversed(bias_gradients))
        for value, velocity, gradient in zip((*self.weights, *self.biases), self._velocity, gradients, strict=True):
            np.subtract(0.9 * velocity, rate * gradient, out=velocity)
            np.add(value, velocity, out=value)
        return float(loss)

    def _forward(self, images: FloatArray) -> list[FloatArray]:
        """The input of every layer, and last the log-probabilities [samples, classes]."""
        activations = [images]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            activations.append(np.maximum(activations[-1] @ weight + bias, 0))
        logits = activations[-1] @ self.weights[-1] + self.biases[-1]
        logits = logits - logits.max(axis=1, keepdims=True)
        return [*activations, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))]


def make_network(sizes: tuple[int, ...], init_scale: float, head_scale: float, seed: int) -> Network:
    """He initialisation times `init_scale`; the head's weights are shrunk or blown up by `head_scale` on top."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=init_scale * np.sqrt(2 / m), size=(m, n)) for m, n in pairwise(sizes)]
    weights[-1] *= head_scale
    return Network(weights, [np.zeros(n) for n in sizes[1:]])
