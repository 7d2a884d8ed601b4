"""Whether a run may have diverged behind a source that hides NaN and infinities."""

import numpy as np

from app.curves.curve import Curve
from app.rules.caveats import Lie
from app.rules.context import Context
from app.signals.view import View

LEAST_STUCK = 3  # points; what stands in place of a loss that is gone for good is one number again and again


def hidden_divergence(view: View, context: Context) -> str | None:
    """Why nobody can see whether train loss ever was NaN or infinite, None when that shows.

    Weights that are NaN stay so, and validation is logged as it is: a finite evaluation says that there are none.
    """
    if Lie.NON_FINITE_HIDDEN not in context.lies or _evaluated(view):
        return None
    if (stuck := stuck_from(view.train)) is not None:
        value = view.train.values[-1]
        return f"train/loss is {value:g} without change from step {stuck:g} on, as after NaN that its source replaces"
    return (
        "the source of train/loss replaces or drops NaN and infinities, and no validation shows whether there were any"
    )


def level_may_be_gone(view: View, context: Context) -> str | None:
    """Why the last values of train loss may stand for none at all, None when they are what they are."""
    return hidden_divergence(view, context) if stuck_from(view.train) is not None else None


def stuck_from(curve: Curve) -> float | None:
    """The step from which a finite curve does not change by a bit to its end; None for fewer than three such points."""
    changes = np.flatnonzero(np.diff(curve.values))
    first = int(changes[-1]) + 1 if changes.size else 0
    return float(curve.steps[first]) if len(curve) - first >= LEAST_STUCK else None


def _evaluated(view: View) -> bool:
    """Whether validation goes as far as train does, or would with its next evaluation."""
    if len(view.val) == 0:
        return False
    interval = np.diff(view.val.steps, prepend=0.0)[-1]
    return bool(view.train.steps[-1] - view.val.steps[-1] <= interval)
