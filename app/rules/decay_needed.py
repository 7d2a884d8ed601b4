"""Loss hardly falls any more at a rate that is still high, and bounces.

Detects
    A run whose rate is too high to settle: the loss is flat and noisy well above its floor, and a smaller rate would
    average the noise out.
Statistic
    Over the last third of the run, on train and val loss at matched steps:
    bounce = scatter of val (of train where no val was logged) around its trend [relative to the level]
    fall = fall of train loss along its trend / scatter of train around it [noise units]
    left = train level now / start [share of the start]; rate = rate now / highest rate [ratio]
Fires when
    rate >= `min_rate` (or no rate was logged: lower confidence), bounce >= `min_bounce`, fall <= `max_fall`,
    left >= `min_left`, and the loss did fall earlier.
Blind spots
    A quiet plateau (small scatter) has converged to its floor or is underfit: a smaller rate would not help, and
    nothing is said. Without validation, the scatter of single batches can pass for bounce: lower confidence.
    A small validation set bounces on its own between evaluations of different weights. Planned steps are not looked
    at: a running job whose schedule is going to cut the rate later anyway is told so as well.
Recommends
    A tenth of the rate from here.
Source
    The lecture's gallery of learning curves: "loss plateaus: decay the learning rate here".
"""

from dataclasses import dataclass

from pydantic import Field

from app.rules.confidence import from_margins
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.rate import rate_now
from app.signals.smoothing import tail_mean
from app.signals.start import starting_level
from app.signals.trend import last_stretch, trend
from app.signals.view import View

MIN_POINTS = 12
LATE_SHARE = 1 / 3


class DecayNeededParams(Params):
    """Tunable numbers of decay_needed."""

    min_rate: float = Field(0.5, gt=0, le=1, description="Rate that is still high [share of the highest rate]")
    min_bounce: float = Field(0.014, gt=0, description="Scatter that a lower rate would average out [relative]")
    max_fall: float = Field(6.0, gt=0, description="Fall over the last third that is hardly any [noise units]")
    min_left: float = Field(0.045, ge=0, lt=1, description="Train loss that is not yet its floor [share of the start]")
    min_fallen: float = Field(0.1, ge=0, lt=1, description="Fall that shows that the run learned [share of the start]")


@dataclass(frozen=True)
class Plateau:
    """The late course of a run: see Statistic above for each number's meaning and unit."""

    bounce: float
    fall: float
    left: float
    rate: float
    begin: float
    end: float


def measure(view: View, context: Context) -> Plateau | None:
    """The late course of a run, None when it is too short to have one."""
    validated = len(view.val) > 0
    loss = view.settled if validated else view.progress
    if points_to_judge(view) < MIN_POINTS:
        return None
    late = last_stretch(loss.steps, LATE_SHARE)
    train = trend(loss.steps[late], loss.values[late])
    return Plateau(
        bounce=trend(loss.steps[late], view.pair.val[late]).scatter if validated else train.scatter,
        fall=train.fall_in_noise_units,
        left=tail_mean(loss.values) / starting_level(view.train, context.num_classes),
        rate=rate_now(view.rate),
        begin=float(loss.steps[late][0]),
        end=float(loss.steps[-1]),
    )


def points_to_judge(view: View) -> int:
    """Evaluations where there is validation, else train points."""
    return len(view.pair) if len(view.val) else len(view.progress)


def is_plateau(plateau: Plateau, params: DecayNeededParams) -> bool:
    """Whether every condition of the rule holds."""
    return (
        plateau.rate >= params.min_rate
        and plateau.bounce >= params.min_bounce
        and plateau.fall <= params.max_fall
        and params.min_left <= plateau.left <= 1 - params.min_fallen
    )


def bounces(view: View, context: Context) -> bool:
    """Whether the run bounces at a high rate by the default params, so that other rules leave its late course alone."""
    plateau = measure(view, context)
    return plateau is not None and is_plateau(plateau, DecayNeededParams())


def check(view: View, context: Context, params: DecayNeededParams) -> Finding | Clear | Skipped:
    """Flat, noisy, at a high rate, and above the floor."""
    plateau = measure(view, context)
    if plateau is None:
        have = points_to_judge(view)
        return Skipped(reason=f"a late course needs {MIN_POINTS} points or evaluations, there are {have}")
    evidence = (
        Evidence("bounce", plateau.bounce, params.min_bounce, "relative"),
        Evidence("fall", plateau.fall, params.max_fall, "noise units"),
        Evidence("train_left", plateau.left, params.min_left, "share of start"),
        Evidence("rate", plateau.rate, params.min_rate, "share of the highest rate"),
    )
    if not is_plateau(plateau, params):
        return Clear(evidence=evidence)
    logged = len(view.rate) > 0
    assumed = (0.7 if not logged else 1.0) * (0.7 if len(view.val) == 0 else 1.0)
    confidence = from_margins(plateau.bounce / params.min_bounce * 1.2, plateau.left / params.min_left)
    return Finding(
        severity="warning",
        confidence=confidence * assumed,
        summary=f"since step {plateau.begin:g} the loss hardly falls and bounces by {plateau.bounce:.1%} "
        + ("at a rate that is still high" if logged else "(no rate was logged)"),
        onset_step=plateau.begin,
        span=(plateau.begin, plateau.end),
        evidence=evidence,
        recommendations=(
            Recommendation(
                f"Decay the learning rate to a tenth from step {plateau.end:g}.",
                "decay_lr",
                {"at_step": plateau.end, "factor": 0.1},
            ),
        ),
    )


RULE = Rule(
    code="CW002",
    name="decay_needed",
    doc=__doc__,
    needs=(Need("train/loss", min_points=MIN_POINTS, positive=True),),
    params=DecayNeededParams,
    check=check,
)
