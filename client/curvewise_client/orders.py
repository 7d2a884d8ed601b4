"""Which advice a program may carry out: what a server answers is not trusted with a job. Pure."""

from __future__ import annotations

from curvewise_client.advice import Advice, Diagnosis, advice_in
from curvewise_client.values import Unusable, number

OF_RATE = frozenset({"decay_lr", "lower_lr", "raise_lr"})
ALLOWABLE = OF_RATE | {"stop", "continue"}
MOST_FACTOR = 1e6  # a rate is changed by no more, either way


def order(advice: Advice, step: float) -> float | None:
    """The one number that the advice comes to at this step, None where it comes to nothing that can be done.

    A factor of the rate, which only lowers it where the action says so; the step of the checkpoint to keep, which is
    not ahead; for how many more steps to go on.
    """
    name = {"stop": "best_step", "continue": "steps"}.get(advice.action, "factor")
    try:
        found = number(advice.args.get(name))
    except Unusable:
        return None
    if advice.action in ("decay_lr", "lower_lr"):
        sane = 1 / MOST_FACTOR <= found < 1
    elif advice.action == "raise_lr":
        sane = 1 < found <= MOST_FACTOR
    elif advice.action == "stop":
        sane = 0 <= found <= step
    else:
        sane = advice.action == "continue" and 0 < found < float("inf")
    return found if sane else None


def best_step_in(diagnosis: Diagnosis, code: str, step: float) -> float:
    """The checkpoint that the finding of this code says to go back to; the beginning, where it names none."""
    said = [one for one in advice_in(diagnosis) if one.code == code and one.action == "stop"]
    steps = [found for one in said if (found := order(one, step)) is not None]
    return steps[0] if steps else 0.0


def earliest_in(advice: Advice, best_step: float) -> float:
    """The first checkpoint that noise cannot tell from the best, where the advice names one that is not after it."""
    try:
        found = number(advice.args.get("earliest_step"))
    except Unusable:
        return best_step
    return found if 0 <= found <= best_step else best_step
