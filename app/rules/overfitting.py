"""Validation loss climbs away from its best while training loss keeps falling.

Detects
    A model that goes on learning its training data after it has stopped learning what carries over to held-out data.
Statistic
    rise = (val level now - best val level) / best val level [relative]; the best is the lowest of a running median,
        so a lucky evaluation is not the best
    rise_in_noise = the same difference in local scatter of val over the last half [noise units]
    rise_share = the same difference as a share of the whole fall of val since the start [share of the fall]
    gap = (val level now - train level now) / val level now [share of val]
Fires when
    rise >= `min_rise`, rise_share >= `min_rise_share` and gap >= `min_gap`, and the rise is either beyond the noise
    (`min_rise_in_noise`) or comes with a wide gap (`wide_gap`). A smaller rise (`sure_share`) counts beside a wide gap
    when it is far beyond the noise (`sure_in_noise`), with severity info.
Blind spots
    A wide gap alone, with val flat at its best, is not reported: whether more data would lower it cannot be seen.
    When val loss rises but val accuracy does not fall the model is getting overconfident rather than worse; that is
    said, with severity info. A single evaluation at the end decides nothing.
Recommends
    Keep the checkpoint of the best step; regularise; more data.
Source
    The lecture's gallery of learning curves: "overfitting: a big gap, val much worse or getting worse".
"""

import numpy as np
from pydantic import Field

from app.rules.confidence import from_margins
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Severity
from app.signals.noise import scatter
from app.signals.smoothing import running_median, tail_mean
from app.signals.start import chance_loss, first_level
from app.signals.view import View

MIN_PAIRS = 6
SAME_ACCURACY = 0.005  # half a point of accuracy makes no difference to anybody [fraction]


class OverfittingParams(Params):
    """Tunable numbers of overfitting."""

    min_rise: float = Field(0.08, gt=0, description="Climb of val loss above its best [relative to the best]")
    sure_share: float = Field(0.4, gt=0, le=1, description="Part of min_rise that counts when it is sure [ratio]")
    sure_in_noise: float = Field(20.0, gt=0, description="Climb above its best that is sure [noise units]")
    min_rise_in_noise: float = Field(2.0, gt=0, description="Climb of val loss above its best [noise units]")
    min_rise_share: float = Field(0.005, ge=0, description="Climb of val loss above its best [share of its fall]")
    min_gap: float = Field(0.2, gt=0, lt=1, description="Val level minus train level [share of the val level]")
    wide_gap: float = Field(0.4, gt=0, lt=1, description="Gap beside which noise is no doubt [share of val]")


def check(view: View, context: Context, params: OverfittingParams) -> Finding | Clear:
    """The climb of validation loss above its best, beside the gap to train loss."""
    pair = view.pair
    best_at = int(np.argmin(view.smooth_val))
    best, now = float(view.smooth_val[best_at]), tail_mean(pair.val)
    start = chance_loss(context.num_classes) or max(first_level(view.train), float(pair.val.max()))
    rise = (now - best) / max(abs(best), 1e-300)
    rise_in_noise = (now - best) / max(scatter(pair.val[len(pair) // 2 :]), 1e-9 * abs(best), 1e-300)
    rise_share = (now - best) / max(start - best, 1e-300)
    gap = pair.gap_now()
    evidence = (
        Evidence("val_rise", rise, params.min_rise, "relative to the best"),
        Evidence("val_rise_in_noise", rise_in_noise, params.min_rise_in_noise, "noise units"),
        Evidence("val_rise_share", rise_share, params.min_rise_share, "share of the fall"),
        Evidence("gap", gap, params.min_gap, "share of val"),
    )
    sure = (
        rise >= params.sure_share * params.min_rise and rise_in_noise >= params.sure_in_noise and gap >= params.wide_gap
    )
    risen = (rise >= params.min_rise or sure) and rise_share >= params.min_rise_share and gap >= params.min_gap
    if not risen or (rise_in_noise < params.min_rise_in_noise and gap < params.wide_gap):
        return Clear(evidence=evidence)
    return _finding(view, best_at, rise, gap, params, evidence)


def _finding(
    view: View, best_at: int, rise: float, gap: float, params: OverfittingParams, evidence: tuple[Evidence, ...]
) -> Finding:
    best_step, last = float(view.pair.steps[best_at]), float(view.pair.steps[-1])
    held = _accuracy_held(view)
    small = rise < params.min_rise or (held and rise < 3 * params.min_rise)
    severity: Severity = "info" if small else "warning"
    but = ", although val/accuracy is still at its best" if held else ""
    return Finding(
        severity=severity,
        confidence=from_margins(rise / params.min_rise * 1.2, gap / params.min_gap * 1.2),
        summary=f"val/loss has climbed {rise:.0%} above its best since step {best_step:g}{but}",
        onset_step=best_step,
        span=(best_step, last),
        evidence=evidence,
        recommendations=(
            Recommendation(f"Keep the checkpoint of step {best_step:g}.", "stop", {"best_step": best_step}),
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
)
