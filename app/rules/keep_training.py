"""Train and validation loss are both still improving where the run stops.

Detects
    A run that ended, or is about to, before it had learned what it could at the rate it has.
Statistic
    Over the last third of the run, at matched steps:
    val_fall, train_fall = fall along the trend [relative]; certainty = how sure
        val falls, given its scatter and the number of points [normal deviate]
    shared = val_fall / train_fall [ratio]; rate = rate now / highest rate [ratio]
    expected_gain = what val would fall by if the run were twice as long and went on along the power law of its last
        third [relative], with an interval that holds about 80 % of what came true on real runs cut short
Fires when
    val_fall >= `min_fall` at `min_certainty` or more, val is at its best, shared >= `min_shared`,
    rate >= `min_rate` (or no rate was logged: lower confidence), and the loss is not bouncing (decay_needed). Once
    found it stays found until val_fall, its certainty or the shared part is below half of its limit.
Blind spots
    A schedule that has run out (rate near zero) says nothing about training longer with a longer schedule.
    Without a logged rate it cannot be seen whether the schedule has run out, so the finding is of severity info.
    A power law is a guess: phase changes and floors are not in it, so the interval reaches from next to half to one
    and a half times the gain and further where evaluations scatter.
Recommends
    Go on: for as many steps again, with the expected gain. On a running job it is advice not to stop.
Source
    The lecture's gallery of learning curves: "gap between train and val, both improving: keep training".
"""

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.decay_needed import bounces
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.rate import rate_at
from app.signals.trailing import held, trailing_level, trailing_trend
from app.signals.view import SMALLEST, View

MIN_PAIRS = 4
LATE_SHARE = 1 / 3
GAIN_ERROR = 0.6  # misses of the expected gain that four of five stayed within [share of it]
NORMAL_80, LEVEL_POINTS = 1.2816, 3  # deviations that hold 80 % of a normal distribution; evaluations of a level
AT_BEST = 0.05  # a level this far above the best is still at it, where the scatter is smaller [relative]


class KeepTrainingParams(Params):
    """Tunable numbers of keep_training."""

    min_fall: float = Field(0.04, gt=0, description="Fall of val loss over the last third [relative]")
    min_certainty: float = Field(1.645, gt=0, description="Fall of val loss over the last third [normal deviate]")
    min_shared: float = Field(0.3, gt=0, description="Fall of val over fall of train [ratio]")
    min_rate: float = Field(0.5, gt=0, le=1, description="Rate that can still teach [share of the highest rate]")
    min_progress: float = Field(0.5, ge=0, le=1, description="Part of the planned steps before which none is judged")


@dataclass(frozen=True)
class Late:
    """The last third of val: the step it begins at, its change and its scatter [relative],
    and the certainty of the change [normal deviate].
    """

    begin: float
    change: float
    certainty: float
    scatter: float


def check(view: View, context: Context, params: KeepTrainingParams) -> Finding | Clear | Skipped:
    """The trends of both losses over the last third, and whether val is still at its best."""
    pair = view.pair
    last = float(pair.steps[-1])
    earliest = context.judged_from(params.min_progress, last)
    if last < earliest:
        return Skipped(reason=f"at step {last:g} of {context.planned_steps:g} going on is what is planned anyway")
    val, train = (trailing_trend(pair.steps, values, LATE_SHARE, MIN_PAIRS) for values in (pair.val, pair.train))
    fall, certainty = -val.change, val.fall_certainty
    shared = np.where(train.change < 0, val.change / np.minimum(train.change, -SMALLEST), 0.0)
    rate = rate_at(view.rate, pair.steps)
    level = trailing_level(pair.val)
    above = level / np.maximum(np.minimum.accumulate(level), SMALLEST) - 1
    at_best = above <= np.maximum(val.scatter, AT_BEST)
    high = (rate >= params.min_rate) & at_best & (pair.steps >= earliest)
    found = high & (fall >= params.min_fall) & (certainty >= params.min_certainty) & (shared >= params.min_shared)
    over = (
        ~high | (fall < params.min_fall / 2) | (certainty < params.min_certainty / 2) | (shared < params.min_shared / 2)
    )
    evidence = (
        Evidence("val_fall", float(fall[-1]), params.min_fall, "relative"),
        Evidence("certainty", float(certainty[-1]), params.min_certainty, "normal deviate"),
        Evidence("shared", float(shared[-1]), params.min_shared, "ratio"),
        Evidence("above_best", float(above[-1]), max(float(val.scatter[-1]), AT_BEST), "relative to the best"),
        Evidence("rate", float(rate[-1]), params.min_rate, "share of the highest rate"),
    )
    if not held(found, over)[-1] or bounces(view, context):
        return Clear(evidence=evidence)
    late = Late(float(pair.steps[val.begin[-1]]), float(val.change[-1]), float(certainty[-1]), float(val.scatter[-1]))
    return _finding(view, context, params, late, evidence)


def expected_gain(change: float, begin: float, end: float) -> float:
    """Fall from `end` to twice as many steps if val goes on along the power law that made `change` since `begin`.

    change: of log val from step begin to step end, negative. Returns a relative fall, 0 to 1.
    """
    exponent = change / math.log(end / begin) if begin > 0 else change
    return 1 - math.exp(exponent * math.log(2))


def gain_interval(gain: float, scatter: float) -> tuple[float, float]:
    """What the gain comes to in four of five runs, from the expected one and the scatter of single evaluations.

    The misses of the power law grow with the gain it expects: on labelled and public runs cut at a third to two thirds
    they stayed within `GAIN_ERROR` of it four times of five, whatever the task; grids of power laws and exponentials
    with floors, averaged by likelihood, missed by more.
    """
    reach = math.hypot(GAIN_ERROR * gain, NORMAL_80 * scatter / math.sqrt(LEVEL_POINTS))
    return gain - reach, min(gain + reach, 1.0)


def _finding(
    view: View,
    context: Context,
    params: KeepTrainingParams,
    late: Late,
    evidence: tuple[Evidence, ...],
) -> Finding:
    end = float(view.pair.steps[-1])
    gain = expected_gain(late.change, late.begin, end)
    low, high = gain_interval(gain, late.scatter)
    over = context.state != "running"
    logged = len(view.rate) > 0
    margins = (-late.change / params.min_fall, late.certainty / params.min_certainty)
    return Finding(
        severity="warning" if over and logged else "info",
        confidence=confidence("CW004", *margins, indirect=not logged),
        summary=f"val/loss fell {-late.change:.0%} over the last third and was still falling at step {end:g}",
        onset_step=late.begin,
        span=(late.begin, end),
        evidence=evidence,
        recommendations=(
            Recommendation(
                (f"Train on for {end:g} more steps" if over else "Do not stop yet")
                + f": val loss at twice the length is expected {gain:.0%} ({low:.0%} to {high:.0%}) lower.",
                "continue",
                {
                    "steps": end,
                    "expected_gain": round(gain, 4),
                    "gain_low": round(low, 4),
                    "gain_high": round(high, 4),
                },
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
    reads_scatter=True,
)
