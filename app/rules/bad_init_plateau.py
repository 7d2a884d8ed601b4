"""Loss hardly moves at first, then suddenly starts to fall.

Detects
    A start from an initialisation so small, so large or so dead that the first part of the run goes by without
    learning, until the network breaks symmetry and the loss drops as if over a cliff.
Statistic
    length = steps until a twentieth of the whole fall was made, those of a warm-up of the rate not counted
        / planned steps, or steps so far [share of the run]
    suddenness = time to the first twentieth / time to half of the fall [ratio]: 0.07 for an exponential decay,
    0.1 for a straight line, towards 1 for a plateau with a cliff.
    Train loss in at most 200 bins; the start is log C where the number of classes is known.
Fires when
    The plateau is at least `min_length` of the run and `min_points` points long, at least `min_suddenness` sudden,
    and the loss did fall afterwards, by at least `min_fall` of its start and well beyond its noise
    (`min_fall_in_noise`): where it has only scattered so far, times to a part of the fall mean nothing. Once found it
    stays found until length or suddenness sinks below eight tenths of its limit.
    A cliff, with suddenness >= `cliff`, is a warning. A slower start is information: many a sane initialisation
    begins like that, and there a new one changed little (docs/prescriptions.md).
Blind spots
    A long warm-up of the rate looks the same where the rate was not logged. A loss logged once an epoch hides
    plateaus that are shorter than a few epochs. Tasks with a phase change of their own (parity, regression onto a
    rough function, grokking) have plateaus from sane initialisations too.
Recommends
    A sane initialisation (Kaiming or Xavier by the activation), normalisation layers, or a short warm-up.
Source
    The lecture's gallery of learning curves: "bad initialization a prime suspect".
"""

import numpy as np
from pydantic import Field

from app.curves.curve import Curve
from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation
from app.signals.rate import warmup_end
from app.signals.smoothing import running_median, step_means
from app.signals.start import FlatStart, chance_loss, first_level, flat_start
from app.signals.trailing import held, trailing_noise
from app.signals.view import PROGRESS_BINS, SMALLEST, View

LEAST_BINS = 8
HELD = 0.8  # times its limit: what a length or a suddenness once found may sink to while the fall goes on


class BadInitPlateauParams(Params):
    """Tunable numbers of bad_init_plateau."""

    min_length: float = Field(0.05, gt=0, lt=1, description="Shortest plateau that counts [share of the run]")
    min_points: int = Field(3, ge=2, description="Shortest plateau that counts [points or bins]")
    min_suddenness: float = Field(0.25, gt=0, lt=1, description="Time to a twentieth over time to half [ratio]")
    cliff: float = Field(0.5, gt=0, lt=1, description="Suddenness from which on it is a warning [ratio]")
    min_fall: float = Field(0.05, gt=0, lt=1, description="Fall after the plateau [share of the start]")
    min_fall_in_noise: float = Field(10.0, gt=0, description="Fall after the plateau [noise units]")


def check(view: View, context: Context, params: BadInitPlateauParams) -> Finding | Clear:
    """The length and the edge of the flat stretch at the beginning."""
    loss = _course(view.train, context)
    observed = first_level(view.train)
    expected = chance_loss(context.num_classes)
    start = expected if expected and 0.8 * expected < observed < 1.3 * expected else observed
    flat = flat_start(loss.steps, running_median(loss.values, 3), start)
    so_far = np.maximum(loss.steps, context.planned_steps or SMALLEST)
    length = np.maximum(flat.end_step - warmup_end(view.rate), 0.0) / so_far
    noise = np.cumsum(trailing_noise(loss.values)) / np.arange(1, len(loss) + 1)
    fall_in_noise = flat.fall * start / np.maximum(noise, 1e-9 * start)
    found = (length >= params.min_length) & (flat.suddenness >= params.min_suddenness) & (flat.fall >= params.min_fall)
    found &= (flat.length_points >= params.min_points) & (fall_in_noise >= params.min_fall_in_noise)
    over = (length < params.min_length * HELD) | (flat.suddenness < params.min_suddenness * HELD)
    evidence = (
        Evidence("plateau_length", float(length[-1]), params.min_length, "share of the run"),
        Evidence("suddenness", float(flat.suddenness[-1]), params.min_suddenness, "ratio"),
        Evidence("fall_after", float(flat.fall[-1]), params.min_fall, "share of start"),
        Evidence("fall_in_noise", float(fall_in_noise[-1]), params.min_fall_in_noise, "noise units"),
    )
    if not held(found, over)[-1]:
        return Clear(evidence=evidence)
    return _finding(float(loss.steps[0]), start, flat, float(length[-1]), params, evidence)


def _course(train: Curve, context: Context) -> Curve:
    """Train loss in bins of steps that stay where they are while the run goes on; of a running job the full ones."""
    planned = max(float(train.steps[-1]), context.planned_steps or 0.0)
    if len(train) <= PROGRESS_BINS * train.steps[-1] / planned:
        return train
    course = step_means(train, planned / PROGRESS_BINS)
    unfinished = context.state == "running" and len(course) > LEAST_BINS
    return Curve(course.name, course.steps[:-1], course.values[:-1]) if unfinished else course


def _finding(
    first: float,
    start: float,
    flat: FlatStart,
    length: float,
    params: BadInitPlateauParams,
    evidence: tuple[Evidence, ...],
) -> Finding:
    end = float(flat.end_step[-1])
    return Finding(
        severity="warning" if flat.suddenness[-1] >= params.cliff else "info",
        confidence=confidence("CW001", length / params.min_length, float(flat.suddenness[-1]) / params.min_suddenness),
        summary=f"train/loss stayed near {start:.3g} until step {end:g}, then fell by {flat.fall[-1]:.0%}",
        onset_step=first,
        span=(first, end),
        evidence=evidence,
        recommendations=(
            Recommendation(
                "Initialise by the fan-in of each layer (Kaiming for ReLU, Xavier for tanh) or add normalisation.",
                "reinitialise",
                {"scheme": "kaiming"},
            ),
        ),
    )


RULE = Rule(
    code="CW001",
    name="bad_init_plateau",
    doc=__doc__,
    needs=(Need("train/loss", min_points=8, positive=True),),
    params=BadInitPlateauParams,
    check=check,
    reads_scatter=True,
)
