"""Train and validation loss are both still improving where the run stops.

Detects
    A run that ended, or is about to, before it had learned what it could at the rate it has.
Statistic
    Over the last third of the run, at matched steps:
    val_fall, train_fall = fall along the trend [relative]; certainty = val_fall in its standard errors
    shared = val_fall / train_fall [ratio]; rate = rate now / highest rate [ratio]
    expected_gain = what val would fall by if the run were twice as long and went on along a power law [relative]
Fires when
    val_fall >= `min_fall` at `min_certainty` or more, val is at its best, shared >= `min_shared`,
    rate >= `min_rate` (or no rate was logged: lower confidence), and the loss is not bouncing (decay_needed).
Blind spots
    A schedule that has run out (rate near zero) says nothing about training longer with a longer schedule.
    Without a logged rate it cannot be seen whether the schedule has run out, so the finding is of severity info.
    A power law is a guess: phase changes and floors are not in it.
Recommends
    Go on: for as many steps again, with the expected gain. On a running job it is advice not to stop.
Source
    The lecture's gallery of learning curves: "gap between train and val, both improving: keep training".
"""

import math

from pydantic import Field

from app.rules.confidence import from_margins
from app.rules.context import Context
from app.rules.decay_needed import bounces
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation
from app.signals.rate import rate_now
from app.signals.smoothing import tail_mean
from app.signals.trend import Trend, last_stretch, trend
from app.signals.view import View

MIN_PAIRS = 4
LATE_SHARE = 1 / 3


class KeepTrainingParams(Params):
    """Tunable numbers of keep_training."""

    min_fall: float = Field(0.02, gt=0, description="Fall of val loss over the last third [relative]")
    min_certainty: float = Field(3.0, gt=0, description="Fall of val loss over the last third [standard errors]")
    min_shared: float = Field(0.3, gt=0, description="Fall of val over fall of train [ratio]")
    min_rate: float = Field(0.5, gt=0, le=1, description="Rate that can still teach [share of the highest rate]")


def check(view: View, context: Context, params: KeepTrainingParams) -> Finding | Clear:
    """The trends of both losses over the last third."""
    pair = view.pair
    late = last_stretch(pair.steps, LATE_SHARE, MIN_PAIRS)
    val, train = trend(pair.steps[late], pair.val[late]), trend(pair.steps[late], pair.train[late])
    rate = rate_now(view.rate)
    shared = val.change / train.change if train.change < 0 else 0.0
    evidence = (
        Evidence("val_fall", -val.change, params.min_fall, "relative"),
        Evidence("certainty", -val.change_in_errors, params.min_certainty, "standard errors"),
        Evidence("shared", shared, params.min_shared, "ratio"),
        Evidence("rate", rate, params.min_rate, "share of the highest rate"),
    )
    falling = -val.change >= params.min_fall and -val.change_in_errors >= params.min_certainty
    at_best = tail_mean(pair.val) <= float(view.smooth_val.min()) * (1 + max(val.scatter, 0.05))
    if not falling or not at_best or shared < params.min_shared or rate < params.min_rate:
        return Clear(evidence=evidence)
    if bounces(view, context):
        return Clear(evidence=evidence)
    return _finding(view, context, params, val, float(pair.steps[late][0]), evidence)


def expected_gain(change: float, begin: float, end: float) -> float:
    """Fall from `end` to twice as many steps if val goes on along the power law that made `change` since `begin`.

    change: of log val from step begin to step end, negative. Returns a relative fall, 0 to 1.
    """
    exponent = change / math.log(end / begin) if begin > 0 else change
    return 1 - math.exp(exponent * math.log(2))


def _finding(
    view: View,
    context: Context,
    params: KeepTrainingParams,
    val: Trend,
    begin: float,
    evidence: tuple[Evidence, ...],
) -> Finding:
    end = float(view.pair.steps[-1])
    gain = expected_gain(val.change, begin, end)
    over = context.state != "running"
    logged = len(view.rate) > 0
    confidence = from_margins(-val.change / params.min_fall * 1.1, -val.change_in_errors / params.min_certainty * 1.1)
    return Finding(
        severity="warning" if over and logged else "info",
        confidence=confidence if logged else confidence * 0.8,
        summary=f"val/loss fell {-val.change:.0%} over the last third and was still falling at step {end:g}",
        onset_step=begin,
        span=(begin, end),
        evidence=evidence,
        recommendations=(
            Recommendation(
                (f"Train on for {end:g} more steps" if over else "Do not stop yet")
                + f": if the fall goes on as it does, val loss ends {gain:.0%} lower at twice the length.",
                "continue",
                {"steps": end, "expected_gain": round(gain, 4)},
            ),
        ),
    )


RULE = Rule(
    code="CW004",
    name="keep_training",
    doc=__doc__,
    needs=(Need("train/loss", positive=True), Need("val/loss", positive=True)),
    min_pairs=MIN_PAIRS,
    params=KeepTrainingParams,
    check=check,
)
