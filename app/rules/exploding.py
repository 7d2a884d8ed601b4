"""Loss goes to NaN or infinity, or far above where it began."""

import numpy as np

from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation
from app.signals.view import View


class ExplodingParams(Params):
    """Tunable numbers of exploding."""


def check(view: View, context: Context, params: ExplodingParams) -> Finding | Clear:
    """First thread: a non-finite train loss."""
    loss = view.curves["train/loss"]
    bad = np.flatnonzero(~np.isfinite(loss.values))
    if not bad.size:
        return Clear()
    at = float(loss.steps[bad[0]])
    return Finding(
        severity="error",
        confidence=0.99,
        summary=f"train/loss is not finite from step {at:g}",
        onset_step=at,
        span=(at, float(loss.steps[-1])),
        evidence=(Evidence("non_finite_points", float(bad.size), 0.0, "points"),),
        recommendations=(Recommendation("Lower the learning rate by 10.", "lower_lr", {"factor": 0.1}),),
    )


RULE = Rule(
    code="CW008",
    name="exploding",
    doc=__doc__,
    needs=(Need("train/loss"),),
    params=ExplodingParams,
    check=check,
)
