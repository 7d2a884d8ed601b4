"""What a server has acknowledged, and whether it is there: points whose values follow from their steps."""

import io
from dataclasses import dataclass

import nanoarrow
import numpy as np

from app.curves.curve import FloatArray

CURVE = "train/loss"


@dataclass
class Written:
    """A run whose steps 0, 1, 2, ... were sent in order. sent, acknowledged: how many [points]; deleted: it was."""

    name: str
    seed: int
    sent: int = 0
    acknowledged: int = 0


def values(seed: int, steps: FloatArray) -> FloatArray:
    """The value of each step, with all the digits that a loss has: float64 [points] from 0 to 1."""
    mixed: FloatArray = (steps * 2654435761.0 + seed * 40503.0) % 4294967291.0 / 4294967291.0
    return mixed


def lost(run: Written, stream: bytes) -> int:
    """How many acknowledged points a full answer in Arrow's streaming format lacks or has otherwise.

    Raises ValueError when it has points that were never sent.
    """
    steps, found = read_arrow(stream)
    if steps.size and (steps[-1] >= run.sent or (steps != np.floor(steps)).any()):
        raise ValueError(f"run {run.name} has points that were never sent")
    right = found == values(run.seed, steps)
    return run.acknowledged - int((right & (steps < run.acknowledged)).sum())


def read_arrow(stream: bytes) -> tuple[FloatArray, FloatArray]:
    """Steps and values, float64 [points] each, of a table of one curve."""
    steps, found = [np.empty(0)], [np.empty(0)]
    with nanoarrow.ArrayStream.from_readable(io.BytesIO(stream)) as batches:
        for batch in batches:
            for part in batch.iter_chunks():
                steps.append(np.asarray(part.child(1).buffer(1)))
                found.append(np.asarray(part.child(2).buffer(1)))
    return np.concatenate(steps), np.concatenate(found)
