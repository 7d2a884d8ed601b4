"""What sets the rate and ends a training when nobody looks at its curves. Pure."""

import math
from dataclasses import dataclass
from typing import Protocol

PATIENCE = 10  # evaluations without a new best [evaluations]
SHORT_PATIENCE = 5  # before a cut where ten without a best would end the training first [evaluations]
FACTOR, THRESHOLD = 0.1, 1e-4  # of a cut; what a best has to be below the one before, relative: PyTorch's


class Policy(Protocol):
    """One training's."""

    @property
    def over(self) -> bool:
        """Whether it is to end."""

    def rate(self, step: int) -> float:
        """Of the update after so many."""

    def evaluated(self, step: int, val: float) -> None:
        """What validation said before that update; NaN is never a best."""


@dataclass
class Fixed:
    """The rate as it is, or along half a cosine to zero at the end. lr: at the start. updates: of the whole run."""

    lr: float
    updates: int
    cosine: bool = False
    over: bool = False

    def rate(self, step: int) -> float:
        """Of the update after so many."""
        return self.lr * (0.5 * (1 + math.cos(math.pi * step / self.updates)) if self.cosine else 1.0)

    def evaluated(self, step: int, val: float) -> None:
        """Nothing depends on it."""


@dataclass
class Patient:
    """A tenth of the rate after `cut_after` evaluations without a new best; the end after `stop_after`; None: never."""

    lr: float
    cut_after: int | None
    stop_after: int | None
    over: bool = False
    best: float = math.inf
    since_best: int = 0
    waited: int = 0  # for a cut

    def rate(self, step: int) -> float:  # noqa: ARG002 - as every policy
        """Of the update after so many."""
        return self.lr

    def evaluated(self, step: int, val: float) -> None:  # noqa: ARG002 - as every policy
        """Count, cut, end."""
        if val < self.best * (1 - THRESHOLD):
            self.best, self.since_best, self.waited = val, 0, 0
            return
        self.since_best += 1
        self.waited += 1
        if self.cut_after is not None and self.waited >= self.cut_after:
            self.lr, self.waited = self.lr * FACTOR, 0
        self.over = self.over or (self.stop_after is not None and self.since_best >= self.stop_after)


def policies(lr: float, updates: int) -> dict[str, Policy]:
    """The usual ones, by name."""
    return {
        "no schedule": Fixed(lr, updates),
        "cosine": Fixed(lr, updates, cosine=True),
        "reduce on plateau": Patient(lr, PATIENCE, None),
        "early stopping": Patient(lr, None, PATIENCE),
        "reduce on plateau and early stopping": Patient(lr, SHORT_PATIENCE, PATIENCE),
    }


OPPONENT = "reduce on plateau and early stopping"
AUTOPILOT = "autopilot"
