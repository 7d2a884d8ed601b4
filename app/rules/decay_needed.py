"""Loss hardly falls any more at a rate that is still high, and bounces.

Detects
    A run whose rate is too high to settle: the loss is flat and noisy well above its floor, and a smaller rate would
    average the noise out.
Statistic
    Over the last third of the run, on train and val loss at matched steps:
    bounce = scatter of val around its trend [relative to the level]; of train in bins, less what its batches scatter,
        where no val was logged. Where no rate was logged no more than the scatter of the last few points,
        for the trend may hold a cut
    fall = fall of train loss along its trend / scatter of train around it [noise units]
    left = train level now / start [share of the start]; rate = rate now / highest rate [ratio]
Fires when
    rate >= `min_rate` (or no rate was logged: lower confidence), bounce >= `min_bounce`, fall <= `max_fall` and
    left >= `min_left`. Once found it stays found until bounce is below two thirds of its limit, fall above one and a
    half times its limit, left below half of its limit, or the rate has come down.
    A lower rate gains about as much as the loss bounces. A bounce below `worth` is information; so is, once the run is
    over, one below what the old rate would gain in as many steps as the advice takes, were the late course to go on
    (`gain_at_this_rate`): of the trainings in docs/prescriptions.md a lower rate harmed such runs alone.
Blind spots
    A quiet plateau (small scatter) has converged to its floor or is underfit: a smaller rate would not help, and
    nothing is said. Without validation, the scatter of single batches can pass for bounce: lower confidence; and a
    moving average (the caveat `smoothed`) hides it, so that nothing is clear.
    A small validation set bounces on its own between evaluations of different weights. A running job whose schedule is
    seen to bring the rate down is left alone; one whose rate has been constant so far may still have a cut planned, so
    its finding is of severity info unless the job has told that its schedule is constant.
Recommends
    A tenth of the rate from here. Where the rate was logged and it is known how many steps there are for it, a schedule
    for them as well: a straight line from the rate as it is to zero. On a small network that bounced (its rate held for
    1,500 updates, four seeds), the val loss at the end was, with 300 and with 1,500 updates left: at the same rate 0.41
    and 0.36, at a tenth 0.24 and 0.17, along half a cosine 0.24 and 0.15, along a line 0.23 and 0.14. The steps are
    those that the plan has left; once the run is over, a fifth of its length on top, which is as long as a cool-down
    has to be to match a cosine over the whole run (Hägele et al., 2024). A tenth at once, for longer, sometimes left a
    run that was still in slow descent worse than its old rate did: docs/prescriptions.md. Where a running job has not
    told its plan, or is past it, a line has no end to fall to, and it is a tenth at once.
Source
    The lecture's gallery of learning curves: "loss plateaus: decay the learning rate here".
"""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from app.curves.curve import Curve, FloatArray
from app.rules.caveats import Lie
from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.schedules import recognise
from app.signals.rate import rate_at
from app.signals.smoothing import bin_means, bin_noise
from app.signals.start import MANY_POINTS, starting_level
from app.signals.trailing import BoolArray, held, trailing_level, trailing_noise, trailing_trend
from app.signals.view import SMALLEST, View

MIN_POINTS = 12
LATE_SHARE = 1 / 3
COARSE_BINS = 60
TENTH = 0.1
# What is left of a plan and shorter is no course to fall along [share of the plan].
SHORTEST_COURSE = 0.01
COOL_DOWN = 0.2  # steps on top of a run that is over, to bring its rate to zero [share of its length]


class DecayNeededParams(Params):
    """Tunable numbers of decay_needed."""

    min_rate: float = Field(0.5, gt=0, le=1, description="Rate that is still high [share of the highest rate]")
    min_bounce: float = Field(0.01, gt=0, description="Scatter that a lower rate would average out [relative]")
    worth: float = Field(
        0.02, gt=0, description="Scatter from which on a lower rate gains enough for a warning [relative]"
    )
    max_fall: float = Field(7.0, gt=0, description="Fall over the last third that is hardly any [noise units]")
    min_left: float = Field(0.035, ge=0, lt=1, description="Train loss that is not yet its floor [share of the start]")
    min_progress: float = Field(0.5, ge=0, le=1, description="Part of the planned steps before which none is judged")


@dataclass(frozen=True, eq=False)
class Plateau:
    """The late course of a run as it stood at each point: see Statistic for meaning and unit. All arrays: [points]."""

    steps: FloatArray
    begin: FloatArray
    bounce: FloatArray
    drift: FloatArray  # change of what bounces over the late course, negative where it falls [relative]
    fall: FloatArray
    left: FloatArray
    rate: FloatArray

    def gain_at_this_rate(self, steps: float) -> float:
        """What so many more steps would lower the loss by, were the late course to go on [relative]."""
        late = max(float(self.steps[-1] - self.begin[-1]), SMALLEST)
        return max(-float(self.drift[-1]), 0.0) * steps / late


def measure(view: View, context: Context) -> Plateau | None:
    """The late course of a run at each of its points, None when it is too short to have one."""
    if points_to_judge(view) < MIN_POINTS:
        return None
    validated = len(view.val) > 0
    loss = view.settled if validated else bin_means(view.train, _bins(view.train))
    bouncing = view.pair.val if validated else loss.values
    train = trailing_trend(loss.steps, loss.values, LATE_SHARE)
    course = trailing_trend(loss.steps, bouncing, LATE_SHARE)
    scatter = course.scatter
    level = np.maximum(np.abs(trailing_level(bouncing)), SMALLEST)
    if not validated:
        batch = trailing_level(bin_noise(view.train, _bins(view.train))) / level
        scatter = np.sqrt(np.maximum(scatter**2 - batch**2, 0.0))
    if len(view.rate) == 0:
        scatter = np.minimum(scatter, trailing_noise(bouncing) / level)
    return Plateau(
        steps=loss.steps,
        begin=loss.steps[train.begin],
        bounce=scatter,
        drift=course.change,
        fall=train.fall_in_noise_units,
        left=trailing_level(loss.values) / starting_level(view.train, context.num_classes),
        rate=rate_at(view.rate, loss.steps),
    )


def points_to_judge(view: View) -> int:
    """Evaluations where there is validation, else train points in bins."""
    return len(view.pair) if len(view.val) else min(len(view.train), _bins(view.train))


def _bins(train: Curve) -> int:
    """In how many bins train loss shows a bounce: batches have to average out, means over epochs have done so."""
    return COARSE_BINS if len(train) >= MANY_POINTS else MANY_POINTS


def is_plateau(plateau: Plateau, params: DecayNeededParams, context: Context) -> BoolArray:
    """Whether the run stood on a bouncing plateau at each point."""
    earliest = context.judged_from(params.min_progress, float(plateau.steps[-1]))
    p = plateau
    found = (
        (p.rate >= params.min_rate)
        & (p.bounce >= params.min_bounce)
        & (p.fall <= params.max_fall)
        & (p.left >= params.min_left)
    )
    found &= p.steps >= earliest
    found[: MIN_POINTS - 1] = False
    over = (
        (p.rate < params.min_rate)
        | (p.bounce < params.min_bounce * 2 / 3)
        | (p.fall > params.max_fall * 1.5)
        | (p.left < params.min_left / 2)
    )
    return held(found, over)


def falls_anyway(view: View, context: Context) -> bool:
    """Whether the schedule of a running job is bringing the rate down, or is known to do so before the end."""
    schedule = recognise(view.rate, context.planned_steps) if context.state == "running" else None
    if schedule is None:
        return False
    last = float(view.train.steps[-1])
    return schedule.falling_now or bool(schedule.will_decay(context.planned_steps or last, last))


def bounces(view: View, context: Context) -> bool:
    """Whether the run bounces at a high rate by the default params, so that other rules leave its late course alone."""
    plateau = measure(view, context)
    return plateau is not None and bool(is_plateau(plateau, DecayNeededParams(), context)[-1])


def check(view: View, context: Context, params: DecayNeededParams) -> Finding | Clear | Skipped:
    """Flat, noisy, at a high rate, and above the floor."""
    plateau = measure(view, context)
    if plateau is None:
        have = points_to_judge(view)
        return Skipped(reason=f"a late course needs {MIN_POINTS} points or evaluations, there are {have}")
    bounce, left = float(plateau.bounce[-1]), float(plateau.left[-1])
    evidence: tuple[Evidence, ...] = (
        Evidence("bounce", bounce, params.min_bounce, "relative"),
        Evidence("fall", float(plateau.fall[-1]), params.max_fall, "noise units"),
        Evidence("train_left", left, params.min_left, "share of start"),
        Evidence("rate", float(plateau.rate[-1]), params.min_rate, "share of the highest rate"),
    )
    if not is_plateau(plateau, params, context)[-1] or falls_anyway(view, context):
        return _clear(view, context, evidence)
    begin, end = float(plateau.begin[-1]), float(plateau.steps[-1])
    logged = len(view.rate) > 0
    may_come = context.state == "running" and context.schedule != "constant"
    worth = params.worth
    if context.state != "running":
        otherwise = plateau.gain_at_this_rate(COOL_DOWN * end)
        evidence += (Evidence("gain_at_this_rate", otherwise, bounce, "relative"),)
        worth = max(worth, otherwise)
    margins = (bounce / params.min_bounce, left / params.min_left)
    return Finding(
        severity="warning" if logged and not may_come and bounce >= worth else "info",
        confidence=confidence("CW002", *margins, indirect=not logged or len(view.val) == 0),
        summary=f"since step {begin:g} the loss hardly falls and bounces by {bounce:.1%} "
        + ("at a rate that is still high" if logged else "(no rate was logged)"),
        onset_step=begin,
        span=(begin, end),
        evidence=evidence,
        recommendations=(_advice(view, context, end),),
    )


def _advice(view: View, context: Context, end: float) -> Recommendation:
    """What to do from the last point on; `kind`, `lr` and `steps` are arguments of `app.schedules.make.rates`.

    One recommendation, not two: a program that follows each would decay twice.
    """
    text = f"Decay the learning rate to a tenth from step {end:g}"
    args: dict[str, float | str] = {"at_step": end, "factor": TENTH}
    rate = float(view.rate.values[-1]) if len(view.rate) else 0.0
    if rate <= 0:
        return Recommendation(f"{text}.", "decay_lr", args)
    planned = context.planned_steps or 0.0
    left, more = planned - end, float(round(COOL_DOWN * end))
    course = {**args, "kind": "linear", "lr": rate}
    if left > 0 and left >= SHORTEST_COURSE * planned:
        text += f", or in a straight line from {rate:.4g} to zero over the {left:.6g} steps that the plan has left."
        return Recommendation(text, "decay_lr", {**course, "steps": left})
    if context.state != "running" and more >= 1:
        text = f"Train on for {more:.6g} steps, bringing the learning rate from {rate:.4g} to zero in a straight line."
        return Recommendation(text, "decay_lr", {**course, "steps": more})
    return Recommendation(f"{text}.", "decay_lr", {**args, "kind": "constant", "lr": TENTH * rate})


def _clear(view: View, context: Context, evidence: tuple[Evidence, ...]) -> Clear | Skipped:
    if Lie.SMOOTHED in context.lies and len(view.val) == 0:
        return Skipped(reason="train/loss is a moving average, which hides a bounce, and no val/loss was logged")
    return Clear(evidence=evidence)


RULE = Rule(
    code="CW002",
    name="decay_needed",
    doc=__doc__,
    needs=(Need("train/loss", min_points=MIN_POINTS, positive=True),),
    params=DecayNeededParams,
    check=check,
    reads_scatter=True,
)
