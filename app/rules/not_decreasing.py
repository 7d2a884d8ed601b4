"""Loss never goes down: at the end it stands where it began.

Detects
    A run that learned nothing, or lost again all that it had learned: a rate far too low or far too high, a dead
    initialisation, a detached graph, shuffled labels.
Statistic
    fall = (start - level at the end) / start [share of start], over the last tenth of the run, for train loss.
    The start is log C where the number of classes is known, else the first train loss, or validation at step 0 where
    that is higher: the first batches of a small batch size scatter.
Fires when
    fall <= `max_fall`, and validation loss, where it was logged, has not gone below the start either.
Blind spots
    A running job is not judged in the first tenth of its plan, nor with fewer than 20 evaluations or bins.
    Where a caveat says that train loss is averages (`interval-mean`, `smoothed`) and the number of classes is not
    known, a fall within a long first interval does not show. Where one says that NaN is replaced
    (`non-finite-hidden`), a loss that does not change any more may be none.
    A loss that was already at its floor when it
    began, such as a fine-tuned model on data it knows. A rate so low that the fall is there but tiny.
Recommends
    What held-out loss shows, for it is always of the same data and moves only as the weights do (train loss where none
    was logged, whose batches scatter by themselves):
    - noisy in any third of the run, or above its start: a tenth of the rate;
    - a fall that is tiny and in proportion to the rate spent: the gradients are right and the rate is too low, so the
      rate at which the run would have fallen by all of its start, were that proportion kept;
    - moved at first, and since then still at a blind guess: the weights were driven to nothing, so less regularisation;
    - else nothing moved: a sane initialisation, then a rate ten times higher. Overfit one batch first.
Source
    The lecture's second and third steps of choosing hyper-parameters: overfit a small sample, find the rate that
    makes the loss go down.
"""

import numpy as np
from pydantic import Field

from app.curves.curve import Curve
from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.hidden import level_may_be_gone
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.explosion import non_finite
from app.signals.rate import spent
from app.signals.smoothing import tail_mean
from app.signals.start import chance_loss, first_level, initial_loss, starting_level
from app.signals.trend import last_stretch, trend
from app.signals.view import View

MIN_POINTS = 4
MIN_POINTS_RUNNING = 20
SHORT = 1 / 50  # of the run: an interval in which a fall is one at the start, as for the first level
EARLY = 0.1  # share of the planned steps before which a running job is not judged
# Signs of a rate that is too high rather than too low: scatter between points and climb above the first [relative].
NOISY_SCATTER = 0.02
NOISY_RISE = 0.1
LEAST_OF_A_PART = 6  # points that show a scatter
# A fall in proportion to the rate spent is a straight line against it; one that settled is bent [noise units].
PROPORTIONAL = 8.0
LEAST_RAISE, MOST_RAISE = 10.0, 1e6
AT_CHANCE, LATE_SHARE, MOVED = (
    0.02,
    0.5,
    5.0,
)  # of log C [relative]; share of the run; first to late level [noise units]


class NotDecreasingParams(Params):
    """Tunable numbers of not_decreasing."""

    max_fall: float = Field(0.01, ge=0, lt=1, description="Fall that still counts as none [share of the start]")


def check(view: View, context: Context, params: NotDecreasingParams) -> Finding | Clear | Skipped:
    """The level at the end against the start."""
    if reason := _not_yet(view, context):
        return Skipped(reason=reason)
    loss, last = view.settled, float(view.settled.steps[-1])
    start = _start(view, context)
    if start <= 0:
        return Skipped(reason="train/loss does not start above zero, so a share of its start means nothing")
    end = tail_mean(loss.values)
    fall = (start - end) / start
    evidence = (Evidence("fall", fall, params.max_fall, "share of start"),)
    if fall > params.max_fall or (len(view.pair) >= MIN_POINTS and tail_mean(view.pair.val) < 0.95 * start):
        return Clear(evidence=evidence)
    first = float(loss.steps[0])
    if context.averaged and context.num_classes is None and view.train.steps[0] > SHORT * last:
        return Skipped(
            reason=f"train/loss is averages from step {view.train.steps[0]:g} on: where it began is not known"
        )
    return Finding(
        severity="error",
        confidence=confidence("CW009", 1 + 2 * (params.max_fall - fall) / max(params.max_fall, 1e-12)),
        summary=f"train/loss is at {end:.4g} after {last:g} steps, where it began ({start:.4g})",
        onset_step=first,
        span=(first, last),
        evidence=evidence,
        recommendations=_recommend(view, context, start, end),
    )


def _start(view: View, context: Context) -> float:
    """What it began with: a blind guess where that is known, else as it was seen."""
    level = starting_level(view.train, context.num_classes)
    if context.num_classes:
        return level
    initial = initial_loss(view.train, view.val, view.pair, averaged=context.averaged)
    return max(level, initial.value) if initial and initial.observed else level


def _not_yet(view: View, context: Context) -> str | None:
    """Why there is no level at the end, or not yet one that means something."""
    loss, burst = view.settled, non_finite(view.curves["train/loss"])
    if burst and burst.stays:
        return f"train/loss is not finite from step {burst.first_step:g} on: there is no level at the end"
    if gone := level_may_be_gone(view, context):
        return gone
    wanted = MIN_POINTS_RUNNING if context.state == "running" else MIN_POINTS
    if len(loss) < wanted:
        return f"train/loss has {len(loss)} of the {wanted} points that tell a slow start from none"
    last = float(loss.steps[-1])
    if context.state == "running" and last < EARLY * (context.planned_steps or 0.0):
        return f"at step {last:g} of {context.planned_steps:g} a slow start cannot be told from none"
    return None


def _recommend(view: View, context: Context, start: float, end: float) -> tuple[Recommendation, ...]:
    restart = Recommendation(
        "Check that one batch can be overfitted; if not, look at the initialisation, the labels and the gradients.",
        "reinitialise",
        {"scheme": "kaiming"},
    )
    loss = view.val if len(view.val) >= MIN_POINTS else view.settled
    by_itself = trend(view.settled.steps, view.settled.values).scatter
    began = first_level(view.train) if context.num_classes else start
    if _noise(loss) > NOISY_SCATTER or end > (1 + max(NOISY_RISE, 2 * by_itself)) * began:
        return (Recommendation("Lower the learning rate to a tenth.", "lower_lr", {"factor": 0.1}), restart)
    course = trend(spent(view.rate, loss.steps), loss.values)
    if course.fall_in_noise_units >= PROPORTIONAL and float(loss.values.min()) > 0:
        factor = float(f"{min(max(-1 / course.change, LEAST_RAISE), MOST_RAISE):.1g}")
        text = f"Raise the learning rate {factor:g} times: the loss falls in proportion to it, by {-course.change:.1g}."
        return (Recommendation(text, "raise_lr", {"factor": factor}), restart)
    if _collapsed(loss, chance_loss(context.num_classes)):
        args: dict[str, float | str] = {"weight_decay_factor": 0.01, "dropout_factor": 0.0}
        return (Recommendation("Regularise far less: the weights seem driven to nothing.", "regularise", args), restart)
    return (restart, Recommendation("Raise the learning rate tenfold.", "raise_lr", {"factor": LEAST_RAISE}))


def _noise(loss: Curve) -> float:
    """The scatter of the noisiest third, for a schedule quiets what a high rate did before [relative]."""
    parts = 3 if len(loss) >= 3 * LEAST_OF_A_PART else 1
    thirds = zip(np.array_split(loss.steps, parts), np.array_split(loss.values, parts), strict=True)
    return max(trend(steps, values).scatter for steps, values in thirds)


def _collapsed(loss: Curve, chance: float | None) -> bool:
    """Whether a loss moved from where it began to that of a blind guess and stayed there."""
    level = tail_mean(loss.values)
    if chance is None or abs(level / chance - 1) > AT_CHANCE:
        return False
    late = last_stretch(loss.steps, LATE_SHARE)
    return abs(float(loss.values[0]) / level - 1) > MOVED * trend(loss.steps[late], loss.values[late]).scatter


RULE = Rule(
    code="CW009",
    name="not_decreasing",
    doc=__doc__,
    needs=(Need("train/loss"),),
    params=NotDecreasingParams,
    check=check,
    judges_exploded=True,
)
