"""Eight learning problems that need no download, each with training, validation and test data that share nothing.

Validation data is what a run reports; whether a cure helped is read off test data, which nothing was chosen on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from app.curves.curve import FloatArray
from app.demo.glyphs import NUM_CLASSES, SIDE, draw
from prescribing.autograd import Array, Integers

HELD_OUT = 600  # examples of validation, and of test
Targets = Integers | Array
Drawn = tuple[FloatArray, FloatArray]  # x [rows, tokens, channels], y [rows]: classes or the regressed value
Generator = np.random.Generator


@dataclass(frozen=True)
class Split:
    """x: [rows, tokens, channels], y: [rows]."""

    x: Array
    y: Targets


@dataclass(frozen=True)
class Data:
    """One draw of a task. classes: None where it is a regression."""

    train: Split
    val: Split
    test: Split
    classes: int | None


@dataclass(frozen=True)
class Task:
    """draw: (generator of what the world is like, generator of examples, rows, noise) -> examples.

    noise: the range of label noise [share of labels drawn anew], of a regression [standard deviations of the target].
    """

    draw: Callable[[Generator, Generator, int], Drawn]
    classes: int | None
    architectures: tuple[str, ...]
    noise: tuple[float, float]


def _glyphs(_world: Generator, rng: Generator, rows: int) -> Drawn:
    images, labels = draw(rows, seed=int(rng.integers(2**31)), noise=0.35)
    windows = sliding_window_view(images.reshape(rows, SIDE, SIDE), (5, 5), axis=(1, 2))[:, ::3, ::3]
    return windows.reshape(rows, 9, 25), labels.astype(float)


def _teacher(world: Generator, rng: Generator, rows: int) -> Drawn:
    """Classes as a random network of two layers tells them apart."""
    first, second = world.normal(size=(16, 24)) / 2, world.normal(size=(24, 6)) / np.sqrt(24)
    x = rng.normal(size=(rows, 16))
    scores = np.tanh(x @ first) @ second
    return x[:, None], scores.argmax(axis=1).astype(float)


def _mixture(world: Generator, rng: Generator, rows: int) -> Drawn:
    """Eight classes of three Gaussian clusters each."""
    centres = world.normal(scale=1.1, size=(8, 3, 12))
    labels = rng.integers(8, size=rows)
    x = centres[labels, rng.integers(3, size=rows)] + rng.normal(scale=0.9, size=(rows, 12))
    return x[:, None], labels.astype(float)


def _spirals(_world: Generator, rng: Generator, rows: int) -> Drawn:
    """Three arms wound around each other."""
    labels = rng.integers(3, size=rows)
    along = np.sqrt(rng.uniform(0.05, 1, size=rows))
    angle = 2 * np.pi * (labels / 3 + 0.9 * along)
    x = 2.2 * along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (x + rng.normal(scale=0.08, size=x.shape))[:, None], labels.astype(float)


def _tones(_world: Generator, rng: Generator, rows: int) -> Drawn:
    """Which of six frequencies a noisy wave of any phase has; eight tokens of four samples."""
    labels = rng.integers(6, size=rows)
    time = np.arange(32) / 32
    phase = rng.uniform(0, 2 * np.pi, size=(rows, 1))
    waves = np.sin(2 * np.pi * (2 + 0.8 * labels[:, None]) * time + phase)
    return (waves + rng.normal(scale=0.6, size=waves.shape)).reshape(rows, 8, 4), labels.astype(float)


def _grammar(world: Generator, rng: Generator, rows: int) -> Drawn:
    """The next of twelve characters, from the eight before it, in a text of words out of a random lexicon."""
    lexicon = [world.integers(1, 12, size=world.integers(2, 6)) for _ in range(24)]
    follows = world.dirichlet(np.full(24, 0.3), size=24)
    text: list[int] = []
    word = 0
    while len(text) < rows * 3 + 9:
        word = int(rng.choice(24, p=follows[word]))
        text += [*lexicon[word].tolist(), 0]
    at = rng.permutation(len(text) - 9)[:rows]
    windows = sliding_window_view(np.array(text), 9)[at]
    return np.eye(12)[windows[:, :8]] * 2, windows[:, 8].astype(float)


def _pendulum(_world: Generator, rng: Generator, rows: int) -> Drawn:
    """How strongly a damped pendulum is damped, from twelve samples of its swing; four tokens of three."""
    damping, pace, phase = rng.uniform(0.05, 1, rows), rng.uniform(2, 5, rows), rng.uniform(0, 2 * np.pi, rows)
    time = np.linspace(0, 4, 12)
    swing = np.exp(-damping[:, None] * time) * np.sin(pace[:, None] * time + phase[:, None])
    return 2 * (swing + rng.normal(scale=0.03, size=swing.shape)).reshape(rows, 4, 3), (damping - 0.525) / 0.274


def _projectile(_world: Generator, rng: Generator, rows: int) -> Drawn:
    """How far a ball flies against the wind and the drag of the air, by speed, angle, wind, drag and height."""
    u = rng.uniform(-1, 1, size=(rows, 5))
    speed, angle, wind, drag, height = (u * [8, 0.6, 3, 0.4, 1] + [14, 0.8, 0, 0.5, 1]).T
    rise = speed * np.sin(angle)
    flight = (rise + np.sqrt(rise**2 + 19.6 * height)) / 9.8
    reach = (speed * np.cos(angle) / drag) * (1 - np.exp(-drag * flight)) + 0.5 * drag * wind * flight**2
    return (u * np.sqrt(3))[:, None], (reach - 13.6) / 6.7


TASKS = {
    "glyphs": Task(_glyphs, NUM_CLASSES, ("mlp", "tanh", "conv"), (0.0, 0.15)),
    "teacher": Task(_teacher, 6, ("mlp", "tanh"), (0.0, 0.2)),
    "mixture": Task(_mixture, 8, ("mlp", "tanh"), (0.0, 0.2)),
    "spirals": Task(_spirals, 3, ("mlp", "tanh"), (0.0, 0.15)),
    "tones": Task(_tones, 6, ("mlp", "conv", "rnn", "attention"), (0.0, 0.1)),
    "grammar": Task(_grammar, 12, ("mlp", "rnn", "attention"), (0.0, 0.0)),
    "pendulum": Task(_pendulum, None, ("mlp", "conv", "rnn"), (0.05, 0.4)),
    "projectile": Task(_projectile, None, ("mlp", "tanh"), (0.05, 0.4)),
}


@lru_cache(maxsize=4)
def make_data(task: str, noise: float, train_size: int, seed: int) -> Data:
    """The same data whenever it is asked for. seed: of the world and of the examples drawn from it."""
    spec, parts = TASKS[task], []
    for part, rows in enumerate((train_size, HELD_OUT, HELD_OUT)):
        rng = np.random.default_rng([seed, part])
        x, y = spec.draw(np.random.default_rng([seed, 9]), rng, rows)
        if spec.classes is None:
            parts.append(Split(x.astype(np.float32), (y + rng.normal(scale=noise, size=rows)).astype(np.float32)))
        else:
            wrong = rng.random(rows) < noise
            labels = np.where(wrong, rng.integers(spec.classes, size=rows), y).astype(np.int64)
            parts.append(Split(x.astype(np.float32), labels))
    train, val, test = parts
    return Data(train, val, test, spec.classes)
