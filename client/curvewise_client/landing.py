"""The last part of a plan, over which a rate that nobody else changes is brought to zero. Pure.

A constant rate with a cool-down over the last 10 to 20 % of the run ends where half a cosine over all of it does, and
may be decided on as late as that: Hägele et al. (2024), arXiv:2405.18392.
"""

from __future__ import annotations

from typing import Any

from curvewise_client.advice import Advice
from curvewise_client.values import Unusable, number

SHARE, SHORTEST = 0.2, 0.01  # of the plan; what is left of it and shorter is no course to fall along
STILL_FALLING = "CW004"  # train and val loss both: a lower rate costs more than it settles, and half of it is enough


def landing_share(value: Any) -> float:
    """Share of the plan; 0 of None, which is never to land. Raises Unusable."""
    if value is None:
        return 0.0
    if not 0 < (found := number(value)) <= 1:
        raise Unusable(f"landing is a share of the plan, above 0 and up to 1, or None, not {found:g}")
    return found


def is_time(step: float, planned_steps: float, share: float, *, still_falling: bool) -> bool:
    """Whether the rest of the plan is no longer than a landing takes, and there is a rest."""
    return SHORTEST * planned_steps < planned_steps - step <= planned_steps * (share / 2 if still_falling else share)


def as_advice(step: float, length: float, rate: float) -> Advice:
    """What landing comes to, in the words of a recommendation that no finding makes."""
    args = {"at_step": step, "factor": 1 / max(length, 1.0), "kind": "linear", "lr": rate, "steps": length}
    text = f"Bring the learning rate from {rate:.4g} to zero over the last {length:.10g} steps."
    return Advice("decay_lr", args, text, "", "", "", 1.0, text)
