"""A task that needs no download: tell ten drawn digits apart, shifted, dimmed and under pixel noise."""

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray

NUM_CLASSES = 10
SIDE = 11  # pixels of an image's side; a glyph is 5 wide and 7 high
_ROWS = (
    "01110 00100 01110 11110 00010 11111 00110 11111 01110 01110",
    "10001 01100 10001 00001 00110 10000 01000 00001 10001 10001",
    "10011 00100 00001 00001 01010 11110 10000 00010 10001 10001",
    "10101 00100 00010 01110 10010 00001 11110 00100 01110 01111",
    "11001 00100 00100 00001 11111 00001 10001 01000 10001 00001",
    "10001 00100 01000 00001 00010 10001 10001 01000 10001 00010",
    "01110 01110 11111 11110 00010 01110 01110 01000 01110 01100",
)
_GLYPHS = np.array([[[int(bit) for bit in word] for word in row.split()] for row in _ROWS]).transpose(1, 0, 2)


def draw(samples: int, seed: int, noise: float = 0.35) -> tuple[FloatArray, NDArray[np.int64]]:
    """Images float64 [samples, SIDE * SIDE] and labels [samples]; `noise` is the pixel noise [full contrast = 1]."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(NUM_CLASSES, size=samples)
    images = np.zeros((samples, SIDE, SIDE))
    contrast = rng.uniform(0.7, 1.3, size=(samples, 1, 1))
    down, right = rng.integers(1, 4, size=samples), rng.integers(2, 5, size=samples)
    for image, label, y, x in zip(images, labels, down, right, strict=True):
        image[y : y + 7, x : x + 5] = _GLYPHS[label]
    images = images * contrast + rng.normal(scale=noise, size=images.shape)
    return images.reshape(samples, -1) - images.mean(), labels
