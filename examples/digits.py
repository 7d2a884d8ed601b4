"""A training job like anybody's: a small network on scikit-learn's digits, with a start and a rate that are wrong.

1,797 images of 8 x 8 pixels, split once and for all into 1,000 to train on, 397 to validate on and 400 to test on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from app.demo.network import Network, make_network

CLASSES, TRAIN, VAL = 10, 1000, 397
BATCH = 32
PER_EPOCH = TRAIN // BATCH  # updates an epoch
SPACE = {
    "lr": {"kind": "log_uniform", "low": 1e-5, "high": 10.0},
    "weight_decay": {"kind": "choice", "options": [0.0, 1e-5, 1e-4, 1e-3, 1e-2]},
    "width": {"kind": "integer", "low": 16, "high": 256, "log": True},
}
# What somebody who has not thought about it might begin with.
WRONG = {"lr": 3.0, "weight_decay": 0.0, "width": 64}
WRONG_INIT_SCALE, WRONG_HEAD_SCALE = 6.0, 10.0  # of a sane layer's weights: deviations of 1 rather than 0.18 and less
SMALL_HEAD, FAN_IN = "small_output_layer", "kaiming"

Log = Callable[[int, Mapping[str, float]], None]
Images = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Images [examples, 64] and their labels [examples]."""

    images: Images
    labels: Labels


@dataclass(frozen=True)
class Digits:
    """The data, split."""

    train: Split
    val: Split
    test: Split


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to: at its best validation loss, which is the checkpoint that one would keep.

    val_loss, test_loss: [nats], infinite when nothing finite was validated; test_accuracy: [0 to 1]. updates: made.
    """

    val_loss: float
    test_loss: float
    test_accuracy: float
    updates: int


def load() -> Digits:
    """The images come with scikit-learn, so nothing is downloaded; the split is the same for everybody."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    images = (found.data / 16.0 - 0.3)[order].astype(np.float64)
    labels = found.target[order].astype(np.int64)
    first, second = TRAIN, TRAIN + VAL
    return Digits(
        Split(images[:first], labels[:first]),
        Split(images[first:second], labels[first:second]),
        Split(images[second:], labels[second:]),
    )


def initial_network(width: int, initialisation: str, seed: int) -> Network:
    """The job's own start is too wide in both layers; an initialisation names those that are made right."""
    ways = initialisation.split("+")
    init_scale = 1.0 if FAN_IN in ways else WRONG_INIT_SCALE
    # The head's weights are scaled on top of all layers'; a small head is small whatever the others are.
    head_scale = 0.1 / init_scale if SMALL_HEAD in ways else 1.0 if FAN_IN in ways else WRONG_HEAD_SCALE
    return make_network((64, width, CLASSES), init_scale, head_scale, seed)


def train(
    data: Digits, config: Mapping[str, Any], settings: Mapping[str, Any], updates: int, log: Log | None = None
) -> Outcome:
    """Train with momentum SGD as the configuration and the settings of a proposal say, and log what it sees.

    settings: `weight_decay` instead of the config's, `sample_size` [examples], `stop_at_accuracy` [0 to 1],
    `ramp_from` and `ramp_to`, `schedule` (constant, linear, cosine), `initialisation`, `seed`.
    """
    log = log or _nowhere
    seed = int(settings.get("seed", 0))
    net = initial_network(int(config["width"]), str(settings.get("initialisation", "")), seed)
    rng = np.random.default_rng([seed, 1])
    sampled = "sample_size" in settings
    size = int(settings.get("sample_size", TRAIN))
    images, labels = data.train.images[:size], data.train.labels[:size]
    decay = float(settings.get("weight_decay", config["weight_decay"]))
    rates = _rates(float(config["lr"]), settings, updates)
    best = Outcome(val_loss=np.inf, test_loss=np.inf, test_accuracy=0.0, updates=0)
    # A run that blows up is what some proposals are made to find out.
    # On matrices as small as these, threads of BLAS wait for each other longer than they work.
    with np.errstate(all="ignore"), threadpool_limits(1):
        order: list[int] = []
        for step in range(1, updates + 1):
            order = order or [int(one) for one in rng.permutation(size)]
            picked, order = order[:BATCH], order[BATCH:]
            rate = float(rates[step - 1])
            log(step, {"train/loss": net.update(images[picked], labels[picked], rate, decay), "lr": rate})
            if sampled:
                accuracy = net.loss_and_accuracy(images, labels)[1]
                log(step, {"train/accuracy": accuracy})
                if accuracy >= float(settings.get("stop_at_accuracy", np.inf)):
                    return _made(best, step)
            elif step % PER_EPOCH == 0:
                best = _validated(net, data, step, best, log)
    return _made(best, updates)


def _rates(rate: float, settings: Mapping[str, Any], updates: int) -> NDArray[np.float64]:
    if "ramp_from" in settings:
        return np.geomspace(float(settings["ramp_from"]), float(settings["ramp_to"]), updates)
    share = np.arange(updates) / updates
    match settings.get("schedule", "constant"):
        case "linear":
            return rate * (1 - share)
        case "cosine":
            return rate / 2 * (1 + np.cos(np.pi * share))
        case _:
            return np.full(updates, rate)


def _validated(net: Network, data: Digits, step: int, best: Outcome, log: Log) -> Outcome:
    loss, accuracy = net.loss_and_accuracy(data.val.images, data.val.labels)
    log(step, {"val/loss": loss, "val/accuracy": accuracy})
    if not loss < best.val_loss:
        return best
    test_loss, test_accuracy = net.loss_and_accuracy(data.test.images, data.test.labels)
    return Outcome(val_loss=loss, test_loss=test_loss, test_accuracy=test_accuracy, updates=step)


def _made(best: Outcome, updates: int) -> Outcome:
    return Outcome(val_loss=best.val_loss, test_loss=best.test_loss, test_accuracy=best.test_accuracy, updates=updates)


def _nowhere(_step: int, _metrics: Mapping[str, float]) -> None:
    pass
