"""The rate was cut while the loss was still falling fast, and the fall slowed.

Detects
    A step decay that came before the high rate had done its work.
Statistic
    at = step of the first sudden cut / length of the run [share of the run]
    pace = fall of val (train where no val was logged) before the cut, per doubling of the steps [relative]
    certainty = the fall before the cut in its standard errors, where at least four points have any
    slowed = fall per step after the cut / fall per step before it, over equally long stretches [ratio]
    gap = val minus train level at the end [share of val]
Fires when
    at <= `latest_cut`, pace >= `min_pace` at `min_certainty` or more, slowed <= `max_slowed` and gap <= `max_gap`.
Blind spots
    Needs the rate: a cut that was not logged is not guessed from kinks. A cut in the first two points leaves nothing
    to measure the pace on but the fall from the start. With a wide gap at the end a later cut would have
    fed overfitting, and nothing is said.
Recommends
    The same schedule with the cut later: not before the loss has flattened.
Source
    The lecture's gallery of learning curves: "you decayed too early".
"""

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from app.curves.curve import Curve, FloatArray
from app.rules.confidence import from_margins
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.rate import RateDrop, drops
from app.signals.start import starting_level
from app.signals.trend import trend
from app.signals.view import View

MIN_FITTED = 4


class DecayTooEarlyParams(Params):
    """Tunable numbers of decay_too_early."""

    latest_cut: float = Field(0.4, gt=0, lt=1, description="Latest cut that can be too early [share of the run]")
    min_pace: float = Field(0.03, gt=0, description="Fall before the cut per doubling of the steps [relative]")
    min_certainty: float = Field(3.0, ge=0, description="Fall before the cut [standard errors]")
    max_slowed: float = Field(0.6, gt=0, description="Pace after the cut over pace before it [ratio]")
    max_gap: float = Field(0.35, gt=0, lt=1, description="Gap at the end that leaves room to learn [share of val]")


@dataclass(frozen=True)
class Course:
    """The course of a loss around a cut.

    before, after: falls per step over equally long stretches [relative per step].
    certainty: the fall before the cut in its standard errors; infinite where too few points have an error.
    """

    before: float
    after: float
    certainty: float


def around(loss: Curve, start: float, cut: RateDrop) -> Course | None:
    """Pace before and after a cut, None when a side has no stretch. The start counts as a point at step 0."""
    steps = np.concatenate([[0.0], loss.steps])
    values = np.concatenate([[start], loss.values])
    last = int(np.searchsorted(steps, cut.step, side="left")) - 1
    settled = last + 1
    if last < 1 or settled + 1 >= steps.size:
        return None
    stretch = float(steps[last]) * 0.5
    first = int(np.searchsorted(steps, steps[last] - stretch, side="right")) - 1
    end = max(settled + 1, min(int(np.searchsorted(steps, steps[settled] + stretch)), steps.size - 1))
    before, certainty = _pace(steps[first : last + 1], values[first : last + 1])
    after, _ = _pace(steps[[settled, end]], values[[settled, end]])
    return Course(before, after, certainty)


def _pace(steps: FloatArray, values: FloatArray) -> tuple[float, float]:
    """Fall per step over a stretch and its certainty; from its two ends where there are fewer than four points."""
    span = float(steps[-1] - steps[0])
    if steps.size < MIN_FITTED:
        return math.log(float(values[0]) / float(values[-1])) / span, math.inf
    line = trend(steps, values)
    return -line.change / span, -line.change_in_errors


def check(view: View, context: Context, params: DecayTooEarlyParams) -> Finding | Clear | Skipped:
    """The first sudden cut of the rate, and the pace of the loss around it."""
    cuts = drops(view.rate)
    if not cuts:
        return Clear(evidence=(Evidence("cuts", 0.0, 1.0, "cuts of the rate"),))
    loss = (
        Curve("val/loss", view.pair.steps, view.pair.val)
        if len(view.pair) >= 4 and view.pair.val.min() > 0
        else view.progress
    )
    start = starting_level(view.train, context.num_classes)
    course = around(loss, start, cuts[0])
    if course is None:
        return Skipped(reason=f"no points on both sides of the cut at step {cuts[0].step:g}")
    length = max(float(loss.steps[-1]), context.planned_steps or 0.0)
    at = cuts[0].step / length
    pace = course.before * cuts[0].step * math.log(2)
    slowed = course.after / course.before if course.before > 0 else math.inf
    gap = view.pair.gap_now() if len(view.pair) >= 4 else 0.0
    evidence = (
        Evidence("cut_at", at, params.latest_cut, "share of the run"),
        Evidence("pace_before", pace, params.min_pace, "relative per doubling"),
        Evidence("certainty", course.certainty, params.min_certainty, "standard errors"),
        Evidence("slowed", slowed, params.max_slowed, "ratio"),
        Evidence("gap", gap, params.max_gap, "share of val"),
    )
    falling = pace >= params.min_pace and course.certainty >= params.min_certainty
    if at > params.latest_cut or not falling or slowed > params.max_slowed or gap > params.max_gap:
        return Clear(evidence=evidence)
    return _finding(cuts[0], float(loss.steps[-1]), pace, slowed, params, evidence)


def _finding(
    cut: RateDrop,
    last: float,
    pace: float,
    slowed: float,
    params: DecayTooEarlyParams,
    evidence: tuple[Evidence, ...],
) -> Finding:
    later = min(max(3 * cut.step, last / 2), max(last, 2 * cut.step))
    return Finding(
        severity="warning",
        confidence=from_margins(pace / params.min_pace, params.max_slowed / max(slowed, 1e-3)),
        summary=f"the rate was cut to {cut.factor:.2g} of itself at step {cut.step:g}, while the loss was falling fast",
        onset_step=cut.step,
        span=(cut.step, last),
        evidence=evidence,
        recommendations=(
            Recommendation(
                f"Delay the cut until the loss has flattened, to step {later:g} or later.",
                "delay_decay",
                {"until_step": later},
            ),
        ),
    )


RULE = Rule(
    code="CW003",
    name="decay_too_early",
    doc=__doc__,
    needs=(Need("train/loss", min_points=4, positive=True), Need("lr", min_points=2)),
    params=DecayTooEarlyParams,
    check=check,
)
