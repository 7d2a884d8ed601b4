"""A learning rate on its way to zero, as a diagnosis advises it where the plan leaves steps for that. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from curvewise_client.advice import Advice
from curvewise_client.values import Unusable, number


class Course(NamedTuple):
    """A straight line from the rate `begin` at a step, to zero `length` steps later."""

    step: float
    length: float
    begin: float

    def rate(self, step: float) -> float:
        """At a step; never quite zero, as a schedule of so many steps never is."""
        left = 1 - max(step - self.step, 0.0) / self.length
        return self.begin * max(left, min(1.0, 1 / self.length))


def course_of(advice: Advice, step: float, rate: float) -> Course | None:
    """The line that the advice draws from here on; None where it draws none."""
    if advice.action != "decay_lr" or advice.args.get("kind") != "linear":
        return None
    try:
        # Of a diagnosis that is some steps old: the line ends where it was said to end.
        end = number(advice.args.get("at_step")) + number(advice.args.get("steps"))
    except Unusable:
        return None
    length: Any = end - step
    return Course(step, length, rate) if 0 < length < float("inf") else None
