"""Train and validation loss are almost the same and both poor, even if they are still improving.

Detects
    A model that cannot fit its task: too small, too strongly regularised, or trained at too low a rate.
Statistic
    gap = (val level now - train level now) / val level now [share of val]
    left = val level now / start [share of the start]: how much of the loss it began with is still there. The start is
        log C where the number of classes is known, else the first train loss.
Fires when
    gap <= `max_gap` and left >= `min_left`, the loss has gone down at all, and it does not bounce at a high rate
    (decay_needed): where a bouncing loss would settle is not known before the rate is lower.
Blind spots
    The floor of a task is not known: data that nobody could fit better look the same, so with less than 85 % of the
    start left the finding is of severity info. Without the number of classes
    "poor" is measured against the run's own start, which says little: info as well.
    Early in a run everything looks underfit: a running job is judged only after `min_progress` of its planned steps.
Recommends
    A larger model, weaker regularisation, a higher rate.
    Where the job told which pre-trained model it starts from, or that it has few examples and starts from none: how
    much of such a model to train.
Source
    The lecture's gallery of learning curves: "underfitting: train and val almost the same, both poor".
"""

from pydantic import Field

from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.decay_needed import bounces
from app.rules.not_decreasing import NotDecreasingParams
from app.rules.rule import Need, Params, Rule
from app.rules.transferring import against_underfitting
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.smoothing import tail_mean
from app.signals.start import starting_level
from app.signals.view import View

MIN_PAIRS = 4
SURELY_POOR = 0.85  # share of the start: below it the loss may be at the floor of a hard task (a language model, say)

_CURES = (
    Recommendation("Train a larger model: twice the width or more layers.", "grow_model", {"factor": 2.0}),
    Recommendation("Regularise less.", "regularise", {"weight_decay_factor": 0.1, "dropout_factor": 0.0}),
    Recommendation("Try a rate three times higher.", "raise_lr", {"factor": 3.0}),
)


class UnderfittingParams(Params):
    """Tunable numbers of underfitting."""

    max_gap: float = Field(0.1, gt=0, lt=1, description="Val level minus train level that is still none [share of val]")
    min_left: float = Field(0.2, gt=0, lt=1, description="Loss left that counts as poor [share of the start]")
    min_progress: float = Field(0.5, ge=0, le=1, description="Part of the planned steps before which none is judged")


def check(view: View, context: Context, params: UnderfittingParams) -> Finding | Clear | Skipped:
    """The gap, and how much of the starting loss is left."""
    pair = view.pair
    last = float(pair.steps[-1])
    if context.state == "running":
        if context.planned_steps is None:
            return Skipped(reason="planned_steps of the running job is not known: being poor may only be being early")
        if last < params.min_progress * context.planned_steps:
            return Skipped(reason=f"at step {last:g} of {context.planned_steps:g} being poor may only be being early")
    start = starting_level(view.train, context.num_classes)
    gap, left = pair.gap_now(), tail_mean(pair.val) / start
    evidence = (
        Evidence("gap", gap, params.max_gap, "share of val"),
        Evidence("loss_left", left, params.min_left, "share of start"),
    )
    learned = tail_mean(pair.train) / start < 1 - NotDecreasingParams().max_fall
    if gap > params.max_gap or left < params.min_left or not learned or bounces(view, context):
        return Clear(evidence=evidence)
    return Finding(
        severity="warning" if context.num_classes and left >= SURELY_POOR else "info",
        confidence=confidence(
            "CW006", left / params.min_left, 2 - max(gap, 0.0) / params.max_gap, indirect=not context.num_classes
        ),
        summary=f"train and val loss are within {abs(gap):.0%} of each other and {left:.0%} of the start is left",
        onset_step=float(pair.steps[0]),
        span=(float(pair.steps[0]), last),
        evidence=evidence,
        recommendations=(*_CURES, *against_underfitting(context)),
    )


RULE = Rule(
    code="CW006",
    name="underfitting",
    doc=__doc__,
    needs=(Need("train/loss", positive=True), Need("val/loss", positive=True)),
    min_pairs=MIN_PAIRS,
    params=UnderfittingParams,
    check=check,
)
