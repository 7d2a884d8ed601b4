"""Validation loss climbs away from its best while training loss keeps falling.

Detects
    A model that goes on learning its training data after it has stopped learning what carries over to held-out data.
Statistic
    level = mean of val over the last tenth of the evaluations; best = the lowest level so far, so a lucky evaluation
        is not the best
    rise = (level - best) / best [relative]
    rise_in_noise = the same difference in standard errors of two such means, from the local scatter of val [errors]
    rise_share = the same difference as a share of the whole fall of val since the start [share of the fall]
    rise_ahead = rise at the end of the planned steps if val goes on rising as it has since its best [relative]
    gap = (val level - train level) / val level [share of val]
Fires when
    gap >= `min_gap`, rise_in_noise x gap >= `min_weight` (the wider the gap, the less a rise has to prove),
    rise_share >= `min_rise_share`, and either rise >= `min_rise`, or a sixth of it with three times `min_rise` ahead.
    Once found it stays found until rise falls below a sixth (at the end of the run: half) or gap below half of its
    limit.
Blind spots
    A wide gap alone, with val flat at its best, is not reported: whether more data would lower it cannot be seen.
    When val loss rises but val accuracy does not fall the model is getting overconfident rather than worse; that is
    said, with severity info. A single evaluation at the end decides nothing. Where a caveat says that losses are
    `rounded`, a loss so small that its digits are coarse is not judged; so in every rule that weighs changes in noise.
Recommends
    Keep the checkpoint of the best step; regularise; more data. The earliest step that noise cannot tell from the best
    is told as well, to train on from at a lower rate: on 28 trainings of docs/prescriptions.md where it was another
    one, its test loss was higher on 21.
    Where the job told how many examples it has, or which pre-trained model it starts from: how much of such a model
    to train.
Source
    The lecture's gallery of learning curves: "overfitting: a big gap, val much worse or getting worse".
"""

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from app.curves.curve import FloatArray
from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.transferring import against_overfitting
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Severity
from app.signals.best import best_of
from app.signals.noise import scatter
from app.signals.smoothing import running_median, tail_mean
from app.signals.start import chance_loss, first_level
from app.signals.trailing import held, trailing_level, trailing_noise
from app.signals.view import LARGEST, SMALLEST, View

MIN_PAIRS = 6
LEVEL_SHARE, LEVEL_POINTS = 0.1, 3
SAME_ACCURACY = 0.005  # half a point of accuracy makes no difference to anybody [fraction]
MILD = 5.0  # times min_rise: below it a climb that costs no accuracy is overconfidence
AHEAD, BEGUN = 3.0, 1 / 6  # times min_rise: a rise ahead that makes the beginning of one enough


class OverfittingParams(Params):
    """Tunable numbers of overfitting."""

    min_rise: float = Field(0.06, gt=0, description="Climb of val loss above its best [relative to the best]")
    min_weight: float = Field(1.0, gt=0, description="Climb of val loss above its best x gap [standard errors]")
    min_rise_share: float = Field(0.005, ge=0, description="Climb of val loss above its best [share of its fall]")
    min_gap: float = Field(0.2, gt=0, lt=1, description="Val level minus train level [share of the val level]")


@dataclass(frozen=True, eq=False)
class Climb:
    """The climb of val above its best as it stood at each evaluation: see Statistic. All arrays: [evaluations]."""

    rise: FloatArray
    in_noise: FloatArray
    share: FloatArray
    ahead: FloatArray
    gap: FloatArray


def climb(view: View, context: Context) -> Climb:
    """Measure the climb at every evaluation from the evaluations up to it."""
    pair = view.pair
    level = trailing_level(pair.val, LEVEL_SHARE, LEVEL_POINTS)
    level[: LEVEL_POINTS - 1] = np.maximum.accumulate(pair.val)[: LEVEL_POINTS - 1]
    best = np.minimum.accumulate(level)
    size = np.maximum(np.abs(best), SMALLEST)
    start = chance_loss(context.num_classes) or np.maximum(first_level(view.train), np.maximum.accumulate(pair.val))
    points = np.maximum(LEVEL_POINTS, np.rint(LEVEL_SHARE * np.arange(1, len(pair) + 1)))
    error = trailing_noise(pair.val) * np.sqrt(2 / points)
    rise = (level - best) / size
    best_step = np.maximum.accumulate(np.where(level <= best, pair.steps, 0.0))
    to_go = np.clip((context.planned_steps or 0.0) - pair.steps, 0.0, np.sqrt(LARGEST))
    train = trailing_level(pair.train, LEVEL_SHARE, LEVEL_POINTS)
    return Climb(
        rise=rise,
        in_noise=(level - best) / np.maximum(error, np.maximum(1e-9 * size, SMALLEST)),
        share=(level - best) / np.maximum(start - best, SMALLEST),
        ahead=rise * (1 + to_go / np.maximum(pair.steps - best_step, np.sqrt(SMALLEST))),
        gap=(level - train) / np.maximum(np.abs(level), SMALLEST),
    )


def check(view: View, context: Context, params: OverfittingParams) -> Finding | Clear:
    """The climb of validation loss above its best, beside the gap to train loss."""
    c = climb(view, context)
    begun = c.rise >= BEGUN * params.min_rise
    far = (c.rise >= params.min_rise) | (begun & (c.ahead >= AHEAD * params.min_rise))
    sure = (c.in_noise * c.gap >= params.min_weight) & (c.share >= params.min_rise_share)
    over = ~begun | (c.gap < params.min_gap / 2)
    evidence = (
        Evidence("val_rise", float(c.rise[-1]), params.min_rise, "relative to the best"),
        Evidence("val_rise_in_noise", float(c.in_noise[-1]), None, "standard errors"),
        Evidence("weight", float(c.in_noise[-1] * c.gap[-1]), params.min_weight, "standard errors x gap"),
        Evidence("val_rise_share", float(c.share[-1]), params.min_rise_share, "share of the fall"),
        Evidence("val_rise_ahead", float(c.ahead[-1]), AHEAD * params.min_rise, "relative to the best"),
        Evidence("gap", float(c.gap[-1]), params.min_gap, "share of val"),
    )
    found = far & sure & (c.gap >= params.min_gap)
    found[: MIN_PAIRS - 1] = False
    enough = context.state == "running" or c.rise[-1] >= params.min_rise / 2
    if not (held(found, over)[-1] and enough):
        return Clear(evidence=evidence)
    finding = _finding(view, float(c.rise[-1]), float(c.gap[-1]), params, evidence)
    return replace(finding, recommendations=(*finding.recommendations, *against_overfitting(context)))


def _finding(view: View, rise: float, gap: float, params: OverfittingParams, evidence: tuple[Evidence, ...]) -> Finding:
    best = best_of(view.pair.val)
    best_step, last = float(view.pair.steps[best.at]), float(view.pair.steps[-1])
    keep: dict[str, float | str] = {"best_step": best_step, "earliest_step": float(view.pair.steps[best.earliest])}
    held = _accuracy_held(view)
    small = rise < params.min_rise or (held and rise < MILD * params.min_rise)
    severity: Severity = "info" if small else "warning"
    but = ", although val/accuracy is still at its best" if held else ""
    return Finding(
        severity=severity,
        confidence=confidence("CW005", rise / params.min_rise, gap / params.min_gap),
        summary=f"val/loss has climbed {rise:.0%} above its best since step {best_step:g}{but}",
        onset_step=best_step,
        span=(best_step, last),
        evidence=evidence,
        recommendations=(
            Recommendation(f"Keep the checkpoint of step {best_step:g}.", "stop", keep),
            Recommendation(
                "Regularise: more weight decay, dropout or augmentation.", "regularise", {"weight_decay_factor": 10.0}
            ),
            Recommendation("Train on more data, or on augmented data.", "add_data", {"factor": 2.0}),
        ),
    )


def _accuracy_held(view: View) -> bool:
    """Whether val accuracy, where it was logged, ends within noise of its best."""
    if "val/accuracy" not in view.curves:
        return False
    values = view.curves["val/accuracy"].finite().values
    if values.size < MIN_PAIRS:
        return False
    smooth = running_median(values, values.size // 15)
    return float(smooth.max()) - tail_mean(values) <= max(2 * scatter(values[values.size // 2 :]), SAME_ACCURACY)


RULE = Rule(
    code="CW005",
    name="overfitting",
    doc=__doc__,
    needs=(Need("train/loss"), Need("val/loss")),
    min_pairs=MIN_PAIRS,
    params=OverfittingParams,
    check=check,
    reads_scatter=True,
)
