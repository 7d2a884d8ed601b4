"""The learning rate under the autopilot's hand: cut, brought down along a line, given back. Knows of no finding."""

from __future__ import annotations

import math
from typing import Any

from curvewise_client.courses import Course
from curvewise_client.rates import Rate
from curvewise_client.values import Unusable

_SAME = 1e-6  # two rates, relative: Keras keeps them in single precision


class Steering:
    """Whoever else changes the rate takes it over: what is done here is then let go of.

    course: the line that the rate is brought down along, None where it stands. What it is when this is made is how it
    was left.
    """

    def __init__(self, rate: Rate) -> None:
        self.course: Course | None = None
        self._rate = rate
        self._left = rate.now()  # as it was left here

    @property
    def scheduled(self) -> bool:
        """Whether a scheduler was told of, which would undo a line."""
        return self._rate.scheduled

    @property
    def ours(self) -> bool:
        """Whether the rate is as it was left here, and no scheduler is known to change it."""
        return not self.scheduled and math.isclose(self._rate.now(), self._left, rel_tol=_SAME)

    def cut(self, factor: float) -> tuple[float, float]:
        """Multiply it -> what it was and what it is."""
        before = self._rate.now()
        self._rate.scale(factor)
        self.course, self._left = None, self._rate.now()
        return before, self._left

    def bring_down(self, step: float, length: float) -> float:
        """From now on, to zero `length` steps later -> where it begins."""
        self._left = self._rate.now()
        self.course = Course(step, length, self._left)
        return self._left

    def follow(self, step: float) -> None:
        """Bring the rate to where it is to be now. Raises Unusable, and lets go, where somebody else changed it."""
        if self.course is None or step < self.course.step:
            return
        try:
            self.check()
        except Unusable:
            self.course = None
            raise
        self._rate.scale(self.course.rate(step) / self._rate.now())
        self._left = self._rate.now()

    def give_back(self, before: float, factor: float) -> None:
        """Undo a change: to what it was, or under a scheduler to what it would be by now. Raises Unusable."""
        self.check()
        self._rate.scale(1 / factor if self.scheduled else before / self._rate.now())
        self.course, self._left = None, self._rate.now()

    def climb(self) -> bool:
        """Back to where the line began -> whether it was on one that is still followed."""
        if self.course is None or not self.ours:
            return False
        self.give_back(self.course.begin, 1.0)
        return True

    def check(self) -> None:
        """Raises Unusable where the rate is not as it was left."""
        if not self.scheduled and not self.ours:
            raise Unusable(f"the rate is no longer the {self._left:.4g} that the autopilot left, and stays as it is")

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps; the rate itself is in the optimiser's own state."""
        return {"course": None if self.course is None else list(self.course), "left": self._left}

    def load_state_dict(self, course: Any, left: Any) -> None:
        """Of a checkpoint."""
        self.course = Course(*course) if course else None
        self._left = left if left is not None else self._left
