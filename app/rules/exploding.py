"""Loss goes to NaN or infinity, or far above where it began.

Detects
    A training run that diverged: the loss became NaN or infinite, or climbed far above its start and did not come back.
Statistic
    non_finite_points = count of NaN and infinite points [points]
    peak = highest smoothed train loss over the starting level; end = level at the end over the starting level [ratio].
    The starting level is the first train loss, or log C where that is known and higher.
Fires when
    The loss ends in NaN or infinity (error); or it was so for a while and recovered (warning); or the peak passed
    `min_peak` and the loss ended no lower than `min_end` of its start; or the peak passed
    `absurd_peak`, recovered or not; or the loss passed `min_peak`, began above a million and ended below 1e-14 of that,
    which single precision cannot fit.
Blind spots
    A tracker that drops or replaces NaN hides it. Where a caveat says so (`non-finite-hidden`), the rule is clear only
    as far as finite validation shows that the weights are sound; a burst that came and went stays unseen, as between
    two logged means.
    A short spike that recovers is not an explosion. The evidence counts such spikes, and says at what distance they
    come where it is always the same: `spikes_at_epoch_boundaries` where that is the distance of the evaluations, which
    points at the order of the data. Means over many updates hide them.
Recommends
    A lower rate, warm-up when the rate was rising, and the checkpoint from before. A loss grows at least in proportion
    to the rate, so a climb to so many times the start asks for the rate divided by as much, by 10 at least and by 100
    at most; a loss that was gone within the first tenth of the run, or before a climb could be seen, for a hundredth;
    one that was gone later for a tenth. A rate that is still too high costs everything, and one that is ten times too
    low costs little (docs/prescriptions.md). Where the loss before the first update was wrong as well, that is the
    cause (CW007), and its cure comes first.
Source
    The lecture's list of what a loss curve shows: a loss that goes to Inf or NaN has too high a rate or a bad start.
"""

import numpy as np
from pydantic import Field

from app.rules.caveats import Lie
from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.hidden import hidden_divergence
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.explosion import Blowup, NonFinite, blowup, cause_of_non_finite, non_finite
from app.signals.smoothing import tail_mean
from app.signals.spikes import TOLERANCE, spikes
from app.signals.start import chance_loss, first_level, initial_loss
from app.signals.view import View

EARLY = 0.1  # share of the run
LEAST_LOWERED, MOST_LOWERED = 0.1, 0.01  # of the rate
# A prediction is right to seven digits at best, so a squared error falls to the square of that and no further; and no
# sane cross-entropy, which can fall to nothing, begins in the millions.
SINGLE_PRECISION, HUGE = 1e-7, 1e6


class ExplodingParams(Params):
    """Tunable numbers of exploding."""

    min_peak: float = Field(3.0, gt=1, description="Peak over the starting level that counts when it stays [ratio]")
    min_end: float = Field(0.9, gt=0, description="Level at the end over the start that counts as not back [ratio]")
    absurd_peak: float = Field(100.0, gt=1, description="Peak over the start that counts even after recovery [ratio]")


def check(view: View, context: Context, params: ExplodingParams) -> Finding | Clear | Skipped:
    """Non-finite points first, in train and then in validation loss; then the climb of the finite ones."""
    for name in ("train/loss", "val/loss"):
        burst = non_finite(view.curves[name]) if name in view.curves else None
        if burst:
            return _not_finite(view, name, burst)
    start = _start(view, context)
    climb = blowup(view.settled.steps, view.settled.values, start, tail_mean(view.settled.values))
    if climb is None:
        return _clear(view, context, (_finite(context), *_spikes(view)))
    evidence = (
        Evidence("peak", climb.peak, params.min_peak, "x start"),
        Evidence("end", climb.end, params.min_end, "x start"),
        *_spikes(view),
    )
    stayed = climb.peak >= params.min_peak and climb.end >= params.min_end
    if not stayed and climb.peak < params.absurd_peak and not _impossible(view):
        return _clear(view, context, evidence)
    return _climbed(view, climb, evidence, confidence("CW008", climb.peak / params.min_peak), stayed)


def _finite(context: Context) -> Evidence:
    """What is known to be finite: every point, or validation alone where the source of train hides what is not."""
    if Lie.NON_FINITE_HIDDEN in context.lies:
        return Evidence("non_finite_evaluations", 0.0, 0.0, "evaluations")
    return Evidence("non_finite_points", 0.0, 0.0, "points")


def _clear(view: View, context: Context, evidence: tuple[Evidence, ...]) -> Clear | Skipped:
    hidden = hidden_divergence(view, context)
    return Skipped(reason=hidden) if hidden else Clear(evidence=evidence)


def _start(view: View, context: Context) -> float:
    """The level before the first update where it was seen; else what a blind guess costs; else the first level.

    A first point that is a mean over an epoch may hold the explosion itself, so it is the last resort.
    """
    initial = initial_loss(view.train, view.val, view.pair, averaged=context.averaged)
    seen = initial.value if initial and initial.observed else 0.0
    return max(seen, chance_loss(context.num_classes) or 0.0) or first_level(view.train)


def _impossible(view: View) -> bool:
    """Whether the first level is no start but a blow-up: more fell away than single precision can hold."""
    first = float(view.settled.values[0])
    return first >= HUGE and tail_mean(view.settled.values) <= SINGLE_PRECISION**2 * first


def _spikes(view: View) -> tuple[Evidence, ...]:
    """How many short spikes train loss has, and how they recur; nothing where it has none."""
    seen = spikes(view.train)
    if seen is None:
        return ()
    if seen.every is None:
        return (Evidence("spikes", float(seen.count), None, "spikes"),)
    between = float(np.median(np.diff(view.val.steps))) if len(view.val) > 1 else 0.0
    at_evaluations = abs(seen.every - between) <= TOLERANCE * between
    name = "spikes_at_epoch_boundaries" if at_evaluations else "spikes"
    return (
        Evidence(name, float(seen.count), None, "spikes"),
        Evidence("spikes_every", seen.every, None, "steps"),
    )


def _not_finite(view: View, name: str, burst: NonFinite) -> Finding:
    curve = view.curves[name]
    last = float(curve.steps[-1])
    cause = cause_of_non_finite(curve, view.rate, burst.first_step)
    before = curve.finite().through(burst.first_step)
    early = cause == "at the start" or burst.first_step <= EARLY * last
    factor = MOST_LOWERED if early else LEAST_LOWERED
    recommendations = [_lower(factor, cause)]
    if len(before):
        step = float(before.steps[-1])
        recommendations.append(
            Recommendation(
                f"Go back to a checkpoint from before step {burst.first_step:g}.", "stop", {"best_step": step}
            )
        )
    else:
        recommendations.append(
            Recommendation("Check the initialisation and the inputs for NaN.", "reinitialise", {"scheme": "kaiming"})
        )
    ending = "and stays so" if burst.stays else "but recovers"
    return Finding(
        severity="error" if burst.stays else "warning",
        confidence=0.99 if burst.stays else 0.8,
        summary=f"{name} is NaN or infinite from step {burst.first_step:g} ({cause}) {ending}",
        onset_step=burst.first_step,
        span=(burst.first_step, last),
        evidence=(Evidence("non_finite_points", float(burst.count), 0.0, "points"),),
        recommendations=tuple(recommendations),
    )


def _climbed(view: View, climb: Blowup, evidence: tuple[Evidence, ...], sure: float, stayed: bool) -> Finding:
    ending = f"and ended at {climb.end:.2g} times it" if stayed else "before it came back"
    return Finding(
        severity="error" if stayed else "warning",
        confidence=sure,
        summary=f"train/loss climbed to {climb.peak:.3g} times its start {ending}",
        onset_step=climb.first_step,
        span=(climb.first_step, float(view.settled.steps[-1])),
        evidence=evidence,
        recommendations=(_lower(_in_proportion(climb.peak), "after a climb"),),
    )


def _in_proportion(peak: float) -> float:
    """What to multiply the rate with after a climb to `peak` times the start, to one digit."""
    return float(f"{min(max(1 / peak, MOST_LOWERED), LEAST_LOWERED):.1g}")


def _lower(factor: float, cause: str) -> Recommendation:
    text = f"Lower the learning rate to {factor:g} of what it is"
    text += ", and warm it up more slowly." if cause == "while the rate was rising" else "."
    return Recommendation(text, "lower_lr", {"factor": factor})


RULE = Rule(
    code="CW008",
    name="exploding",
    doc=__doc__,
    needs=(Need("train/loss", finite=False),),
    params=ExplodingParams,
    check=check,
    judges_exploded=True,
)
