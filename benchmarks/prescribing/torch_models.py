"""Five architectures as their users write them in PyTorch. Inputs are [rows, tokens, channels].

Each is a body that ends in [rows, features] and a linear head. The sane initialisation is what its field uses: He's for
what bends by ReLU, orthogonal recurrent weights, Glorot's for attention, and PyTorch's own for the head.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from prescribing.configurations import Configuration

HEADS = 4  # of attention, at most
HEAD_SCALE = 1 / math.sqrt(3)  # of a head as nn.Linear makes it: deviation [1 / square root of its fan-in]


class Network(nn.Module):
    """A body and its head."""

    def __init__(self, body: nn.Module, features: int, outputs: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [rows, classes], or [rows, 1]."""
        out: Tensor = self.head(self.body(x))
        return out


class Recurrent(nn.Module):
    """The last state of a GRU."""

    def __init__(self, channels: int, c: Configuration) -> None:
        super().__init__()
        between = c.dropout if c.depth > 1 else 0.0  # PyTorch warns where there is nothing between
        self.gru = nn.GRU(channels, c.width, c.depth, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(c.dropout)
        for name, parameter in self.gru.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            elif "_hh_" in name:
                nn.init.orthogonal_(parameter)
            else:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """[rows, width]."""
        states, _ = self.gru(x)
        last: Tensor = self.dropout(states[:, -1])
        return last


class Attention(nn.Module):
    """The last token after blocks of attention, each normalised before."""

    def __init__(self, tokens: int, channels: int, c: Configuration) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, c.width)
        self.places = nn.Parameter(torch.empty(tokens, c.width))
        block = nn.TransformerEncoderLayer(
            c.width, math.gcd(c.width, HEADS), 2 * c.width, c.dropout, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, c.depth, nn.LayerNorm(c.width), enable_nested_tensor=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.places, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """[rows, width]."""
        out: Tensor = self.blocks(self.embed(x) + self.places)
        return out[:, -1]


def _dense(tokens: int, channels: int, c: Configuration) -> nn.Module:
    sizes = [tokens * channels, *[c.width] * c.depth]
    layers: list[nn.Module] = [nn.Flatten()]
    for i in range(c.depth):
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
        if c.architecture == "batchnorm":
            layers.append(nn.BatchNorm1d(sizes[i + 1]))
        layers += [nn.ReLU(), nn.Dropout(c.dropout)]
    return _he(nn.Sequential(*layers))


def _convolutional(tokens: int, _channels: int, c: Configuration) -> nn.Module:
    """Rows are images of tokens times channels; halved between two blocks."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, tokens))]
    for i in range(c.depth):
        layers += [nn.MaxPool2d(2)] if i else []
        layers += [nn.Conv2d(c.width if i else 1, c.width, 3, padding=1), nn.BatchNorm2d(c.width), nn.ReLU()]
    return _he(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(c.dropout)))


def _he(body: nn.Module) -> nn.Module:
    for layer in body.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return body


BODIES: dict[str, Callable[[int, int, Configuration], nn.Module]] = {
    "mlp": _dense,
    "batchnorm": _dense,
    "conv": _convolutional,
    "gru": lambda _tokens, channels, c: Recurrent(channels, c),
    "transformer": Attention,
}
FEATURES = {"conv": 4}  # of a body, per unit of width


def make_model(c: Configuration, tokens: int, channels: int, outputs: int) -> Network:
    """A network as the configuration wants it started, drawn from PyTorch's generator."""
    model = Network(BODIES[c.architecture](tokens, channels, c), FEATURES.get(c.architecture, 1) * c.width, outputs)
    with torch.no_grad():
        for parameter in model.body.parameters():
            if parameter.dim() > 1:  # weights; the gains of a normalisation are vectors, as biases are
                parameter.mul_(c.init_scale)
        model.head.weight.mul_(c.head_scale / HEAD_SCALE)
        if c.head_bias:
            nn.init.normal_(model.head.bias, std=c.head_bias)
    return model
