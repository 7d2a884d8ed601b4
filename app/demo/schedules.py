"""The learning-rate schedules of the recorded runs: fraction of the run done [0 to 1] -> rate."""

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(rate: float) -> Schedule:
    """The same rate throughout."""
    return lambda _done: rate


def cosine(rate: float) -> Schedule:
    """Half a cosine from `rate` to zero."""
    return lambda done: rate * 0.5 * (1 + math.cos(math.pi * done))


def warmup_linear(rate: float, warmup: float = 0.05) -> Schedule:
    """Linear up to `rate` over the first `warmup` of the run, then linear to zero."""
    return lambda done: rate * min((done + 1e-3) / warmup, (1 - done) / (1 - warmup))


def drops(rate: float, *at: float, factor: float = 0.1) -> Schedule:
    """`rate`, multiplied by `factor` at each of the fractions `at`."""
    return lambda done: rate * factor ** sum(done >= drop for drop in at)
