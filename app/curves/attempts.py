"""A run that was resumed: what a later attempt hides of the earlier ones. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.curves.curve import Curve, FloatArray, make_curve


@dataclass(frozen=True, eq=False)
class AttemptPoints:
    """One attempt's points of one curve in the order they were written; steps float64 [n], values float64 [n]."""

    attempt: int
    steps: FloatArray
    values: FloatArray


def resolve(name: str, parts: Sequence[AttemptPoints], first_steps: Mapping[int, float]) -> Curve:
    """The curve that a reader sees.

    first_steps: attempt -> the first step it trained. A later attempt hides earlier ones from there on; an attempt that
    is not listed trained nothing and hides nothing. At the same step the later attempt wins, and within an attempt the
    later write. Parts of one attempt are taken in the order given.
    """
    ordered = sorted(parts, key=lambda part: part.attempt)
    steps: list[FloatArray] = []
    values: list[FloatArray] = []
    for part in ordered:
        end = min((first for attempt, first in first_steps.items() if attempt > part.attempt), default=math.inf)
        seen = ... if end == math.inf else part.steps < end
        steps.append(part.steps[seen])
        values.append(part.values[seen])
    return make_curve(name, joined(steps), joined(values))


def joined(arrays: Sequence[FloatArray]) -> FloatArray:
    """End to end. One alone is not copied: it may have megabytes, and there may be many who read it."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.empty(0), *arrays])
