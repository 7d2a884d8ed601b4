"""Loads the real tasks. Needs scikit-learn, and Pillow for its photographs."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_sample_images

from app.curves.curve import FloatArray
from prescribing.real_tasks import LETTERS, REAL
from prescribing.tasks import Data, Split, Targets

HELD_OUT = 360  # examples of validation, and of test, at most
TRAIN, VAL = 0.6, 0.2  # shares; the rest is test
LICENCE = Path(__file__).parents[2] / "LICENSE"
BLOCK, WINDOW = 200, 12  # characters
TILE, PATCH = 32, 8  # pixels
# x [rows, tokens, channels], y [rows], group [rows]: rows of one group overlap, and stay in one part
Examples = tuple[FloatArray, FloatArray, NDArray[np.int64]]


def _digits() -> Examples:
    """Handwritten digits, eight rows of eight pixels."""
    x, y = load_digits(return_X_y=True)
    return x.reshape(-1, 8, 8), y.astype(float), np.arange(len(x))


def _cancer() -> Examples:
    """Whether a tumour is malignant, from thirty measures of its cells' nuclei."""
    x, y = load_breast_cancer(return_X_y=True)
    return x[:, None], y.astype(float), np.arange(len(x))


def _diabetes() -> Examples:
    """How far diabetes went on in a year, from ten measures of a patient."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    return x[:, None], y.astype(float), np.arange(len(x))


def _licence() -> Examples:
    """The next character of a text, from the twelve before it."""
    words = " ".join(LICENCE.read_text().lower().split())
    codes = np.array([LETTERS.find(character) for character in words]) % len(LETTERS)
    windows = sliding_window_view(codes, WINDOW + 1)
    begin = np.arange(len(windows))
    whole = begin // BLOCK == (begin + WINDOW) // BLOCK
    return np.eye(len(LETTERS))[windows[whole, :-1]], windows[whole, -1].astype(float), begin[whole] // BLOCK


def _photographs() -> Examples:
    """Which of two photographs a piece is from, its brightness and contrast taken off."""
    patches = []
    for image in load_sample_images().images:
        grey = image.mean(axis=2)
        rows, columns = (size // TILE * TILE for size in grey.shape)
        tiles = grey[:rows, :columns].reshape(rows // TILE, TILE, columns // TILE, TILE).swapaxes(1, 2)
        patches.append(sliding_window_view(tiles.reshape(-1, TILE, TILE), (PATCH, PATCH), axis=(1, 2))[:, ::4, ::4])
    cut = np.concatenate(patches)
    group = np.repeat(np.arange(len(cut)), cut.shape[1] * cut.shape[2])
    x = cut.reshape(-1, PATCH, PATCH)
    x = (x - x.mean(axis=(1, 2), keepdims=True)) / (x.std(axis=(1, 2), keepdims=True) + 1)
    return x, (group >= len(patches[0])).astype(float), group


LOAD: dict[str, Callable[[], Examples]] = {
    "digits": _digits,
    "cancer": _cancer,
    "diabetes": _diabetes,
    "licence": _licence,
    "photographs": _photographs,
}
COLUMNS_DIFFER = {"cancer", "diabetes"}  # in their units: each is standardised on its own
AS_THEY_ARE = {"licence"}


@lru_cache(maxsize=len(LOAD))
def examples(task: str) -> Examples:
    """All rows of a task, as they come."""
    return LOAD[task]()


def split(group: NDArray[np.int64], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The rows of train, val and test, shuffled; whole groups each."""
    groups = rng.permutation(group.max() + 1)
    cuts = [int(TRAIN * len(groups)), int((TRAIN + VAL) * len(groups))]
    return [rng.permutation(np.flatnonzero(np.isin(group, part))) for part in np.split(groups, cuts)]


@lru_cache(maxsize=4)
def make_real_data(task: str, noise: float, train_size: int, seed: int) -> Data:
    """The same data whenever it is asked for, standardised by what is trained on. seed: of the split and the noise."""
    if train_size > REAL[task].rows:
        raise ValueError(f"{task} has {REAL[task].rows} rows to train on, not {train_size}")
    x, y, group = examples(task)
    rng = np.random.default_rng(seed)
    sizes = (train_size, HELD_OUT, HELD_OUT)
    train, val, test = (part[:size] for part, size in zip(split(group, rng), sizes, strict=True))
    if task not in AS_THEY_ARE:
        axes = (0, 1) if task in COLUMNS_DIFFER else (0, 1, 2)
        x = (x - x[train].mean(axis=axes)) / x[train].std(axis=axes)
    classes = REAL[task].classes
    if classes is None:
        y = (y - y[train].mean()) / y[train].std() + rng.normal(scale=noise, size=len(y))
    else:
        y = np.where(rng.random(len(y)) < noise, rng.integers(classes, size=len(y)), y)
    targets: Targets = y.astype(np.float32) if classes is None else y.astype(np.int64)
    parts = [Split(x[part].astype(np.float32), targets[part]) for part in (train, val, test)]
    return Data(parts[0], parts[1], parts[2], classes)
