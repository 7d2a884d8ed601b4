"""What the torch form learns: real data that need no download. What they are; `real_data.py` loads them.

Of scikit-learn's bundled sets those with enough rows to measure on: of wine (178 rows), iris (150) and linnerud (20) a
fifth would be too few. Two sets are made of what comes along: two photographs, and the text of this project's licence.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RealTask:
    """rows: how many there are to train on, at most. updates: of a sane run, the least and the most.

    noise: as of a made task, added to what noise the data have.
    """

    classes: int | None
    rows: int
    updates: tuple[int, int]
    architectures: tuple[str, ...]
    noise: tuple[float, float] = (0.0, 0.0)


LETTERS = " abcdefghijklmnopqrstuvwxyz."  # the last stands for every other character

REAL = {
    "digits": RealTask(10, 1078, (250, 500), ("mlp", "batchnorm", "conv", "gru", "transformer"), (0.0, 0.15)),
    "cancer": RealTask(2, 341, (100, 300), ("mlp", "batchnorm"), (0.0, 0.1)),
    "diabetes": RealTask(None, 265, (100, 300), ("mlp", "batchnorm")),
    "licence": RealTask(len(LETTERS), 5000, (250, 500), ("mlp", "gru", "transformer")),
    "photographs": RealTask(2, 5000, (250, 500), ("mlp", "batchnorm", "conv"), (0.0, 0.1)),
}
