"""A learning rate on its way to zero, as a diagnosis advises it where the plan leaves steps for that. Pure."""

from __future__ import annotations

from typing import NamedTuple

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


def length_of(advice: Advice, step: float) -> float | None:
    """Over how many steps from here the advice draws a line to zero; None where it draws none [steps]."""
    if advice.action != "decay_lr" or advice.args.get("kind") != "linear":
        return None
    try:
        # Of a diagnosis that is some steps old: the line ends where it was said to end.
        length = number(advice.args.get("at_step")) + number(advice.args.get("steps")) - step
    except Unusable:
        return None
    return length if 0 < length < float("inf") else None
