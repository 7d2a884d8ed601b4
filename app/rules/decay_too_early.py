"""The rate was cut while the loss was still falling fast, and the fall slowed.

Detects
    A cut of the rate, or the end of a schedule, that came before the high rate had done its work.
Statistic
    at = step of the first sudden cut / length of the run [share of the run]. Without one, a rate that has faded to a
        tenth of its peak for good counts from where it passed the half. Where no rate was logged, the clearest cut
        that shows in the losses.
    pace = fall of val before the cut, per doubling of the steps [relative]; of train where val has no two evaluations
        before the cut
    certainty = the fall before the cut in its standard errors, where at least four points have any
    slowed = fall per step after the cut / fall per step before it, over equally long stretches [ratio]
    gap = val minus train level at the end [share of val]
Fires when
    at <= `latest_cut`, pace >= `min_pace` at `min_certainty` or more, slowed <= `max_slowed` in size
    (a loss that rises as fast as it fell has only scattered) and gap <= `max_gap`.
Blind spots
    Without the rate, a cut in the first sixth of the run does not show. A cut in the first two points leaves nothing
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
from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.kinks import infer_early_cut
from app.signals.rate import drops, fade_out
from app.signals.start import starting_level
from app.signals.trend import trend
from app.signals.view import View

MIN_FITTED = 4


class DecayTooEarlyParams(Params):
    """Tunable numbers of decay_too_early."""

    latest_cut: float = Field(0.4, gt=0, lt=1, description="Latest cut that can be too early [share of the run]")
    min_pace: float = Field(0.03, gt=0, description="Fall before the cut per doubling of the steps [relative]")
    min_certainty: float = Field(2.0, ge=0, description="Fall before the cut [standard errors]")
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


def around(loss: Curve, start: float, cut: float) -> Course | None:
    """Pace before and after a cut, None when a side has no stretch. The start counts as a point at step 0."""
    steps = np.concatenate([[0.0], loss.steps])
    values = np.concatenate([[start], loss.values])
    last = int(np.searchsorted(steps, cut, side="left")) - 1
    settled = last + 1
    if last < 1 or steps[last] == 0 or settled + 1 >= steps.size:  # a point at step 0 is the start once more
        return None
    stretch = float(steps[last]) * 0.5
    # Two points even where a step is so small that half of it is nothing.
    first = min(int(np.searchsorted(steps, steps[last] - stretch, side="right")), last) - 1
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


@dataclass(frozen=True)
class Cut:
    """Where the rate came down: the first step after it, to what share of itself (None: seen in the losses alone)."""

    step: float
    factor: float | None


def first_cut(view: View, start: float, latest: float) -> Cut | None:
    """The first sudden cut, else the middle of a fade-out that was over by step `latest`, else what the losses show."""
    if len(view.rate) < 2:
        inferred = infer_early_cut(view.pair, start, latest)
        return Cut(inferred.step, None) if inferred else None
    cuts = drops(view.rate)
    if cuts:
        return Cut(cuts[0].step, cuts[0].factor)
    faded = fade_out(view.rate)
    return Cut(faded.step, faded.factor) if faded and faded.end <= latest else None


def course_around(view: View, start: float, step: float) -> Course | None:
    """The course of val around a step; of train where val has no two evaluations before it."""
    pair = view.pair
    if len(pair) >= MIN_FITTED and pair.val.min() > 0 and pair.steps[1] < step:
        return around(Curve("val/loss", pair.steps, pair.val), start, step)
    return around(view.progress, start, step) or (
        around(Curve("val/loss", pair.steps, pair.val), start, step) if len(pair) and pair.val.min() > 0 else None
    )


def check(view: View, context: Context, params: DecayTooEarlyParams) -> Finding | Clear | Skipped:
    """The first cut of the rate, and the pace of the loss around it."""
    last = float(view.train.steps[-1])
    length = max(last, context.planned_steps or 0.0)
    start = starting_level(view.train, context.num_classes)
    cut = first_cut(view, start, params.latest_cut * length)
    if cut is None and len(view.rate) < 2:
        return Skipped(reason="lr was not logged, and no cut of it shows in the losses")
    if cut is None:
        return Clear(evidence=(Evidence("cuts", 0.0, 1.0, "cuts of the rate"),))
    course = course_around(view, start, cut.step)
    if course is None:
        return Skipped(reason=f"no points on both sides of the cut at step {cut.step:g}")
    at = cut.step / length
    pace = course.before * cut.step * math.log(2)
    slowed = course.after / course.before if course.before > 0 else math.inf
    gap = view.pair.gap_now() if len(view.pair) >= MIN_FITTED else 0.0
    evidence = (
        Evidence("cut_at", at, params.latest_cut, "share of the run"),
        Evidence("pace_before", pace, params.min_pace, "relative per doubling"),
        Evidence("certainty", course.certainty, params.min_certainty, "standard errors"),
        Evidence("slowed", slowed, params.max_slowed, "ratio"),
        Evidence("gap", gap, params.max_gap, "share of val"),
    )
    falling = pace >= params.min_pace and course.certainty >= params.min_certainty
    if at > params.latest_cut or not falling or abs(slowed) > params.max_slowed or gap > params.max_gap:
        return Clear(evidence=evidence)
    margins = (pace / params.min_pace, params.max_slowed / max(slowed, 1e-3))
    return _finding(cut, last, margins, evidence)


def _finding(cut: Cut, last: float, margins: tuple[float, float], evidence: tuple[Evidence, ...]) -> Finding:
    later = min(max(3 * cut.step, last / 2), max(last, 2 * cut.step))
    logged = cut.factor is not None
    how = f"the rate was cut to {cut.factor:.2g} of itself at" if logged else "the rate seems to have been cut at about"
    return Finding(
        severity="warning" if logged else "info",
        confidence=confidence("CW003", *margins, indirect=not logged),
        summary=f"{how} step {cut.step:g}, while the loss was falling fast",
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
    needs=(Need("train/loss", min_points=4, positive=True),),
    params=DecayTooEarlyParams,
    check=check,
    reads_scatter=True,
)
