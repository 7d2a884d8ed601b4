"""Train against validation at the same steps, whatever their cadences."""

from dataclasses import dataclass

import numpy as np

from app.curves.curve import Curve, FloatArray


@dataclass(frozen=True, eq=False)
class Pair:
    """Train and validation loss side by side.

    steps: [evaluations]. val: [evaluations]. train: [evaluations], each the mean of the train points since the
    evaluation before: logged every update or once an epoch, a run gives the same pair.
    """

    steps: FloatArray
    train: FloatArray
    val: FloatArray

    def __len__(self) -> int:
        return int(self.steps.size)

    def gap_now(self, share: float = 0.1) -> float:
        """Val level minus train level over the last `share` of the run, as a share of the val level [ratio]."""
        tail = max(2, round(len(self) * share))
        train, val = float(self.train[-tail:].mean()), float(self.val[-tail:].mean())
        return (val - train) / abs(val) if val else 0.0


def match(train: Curve, val: Curve) -> Pair:
    """Pair two finite curves at the evaluations that have train points since the one before."""
    after = np.searchsorted(train.steps, val.steps, side="right")
    before = np.concatenate([[0], after[:-1]])
    has_train = after > before
    after, before = after[has_train], before[has_train]
    total = np.concatenate([[0.0], np.cumsum(train.values)])
    return Pair(val.steps[has_train], (total[after] - total[before]) / (after - before), val.values[has_train])
