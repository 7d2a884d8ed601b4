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
    (`min_fall_in_noise`): where it has only scattered so far, times to a part of the fall mean nothing.
Blind spots
    A long warm-up of the rate looks the same where the rate was not logged. A loss logged once an epoch hides
    plateaus that are shorter than a few epochs. Tasks with a phase change of their own (parity, regression onto a
    rough function, grokking) have plateaus from sane initialisations too.
Recommends
    A sane initialisation (Kaiming or Xavier by the activation), normalisation layers, or a short warm-up.
Source
    The lecture's gallery of learning curves: "bad initialization a prime suspect".
"""

from pydantic import Field

from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation
from app.signals.noise import scatter
from app.signals.rate import warmup_end
from app.signals.smoothing import running_median
from app.signals.start import FlatStart, chance_loss, first_level, flat_start
from app.signals.view import View


class BadInitPlateauParams(Params):
    """Tunable numbers of bad_init_plateau."""

    min_length: float = Field(0.05, gt=0, lt=1, description="Shortest plateau that counts [share of the run]")
    min_points: int = Field(3, ge=2, description="Shortest plateau that counts [points or bins]")
    min_suddenness: float = Field(0.25, gt=0, lt=1, description="Time to a twentieth over time to half [ratio]")
    min_fall: float = Field(0.05, gt=0, lt=1, description="Fall after the plateau [share of the start]")
    min_fall_in_noise: float = Field(10.0, gt=0, description="Fall after the plateau [noise units]")


def check(view: View, context: Context, params: BadInitPlateauParams) -> Finding | Clear:
    """The length and the edge of the flat stretch at the beginning."""
    loss = view.progress
    observed = first_level(view.train)
    expected = chance_loss(context.num_classes)
    start = expected if expected and 0.8 * expected < observed < 1.3 * expected else observed
    flat = flat_start(loss.steps, running_median(loss.values, 3), start)
    plateau_steps = max(0.0, flat.end_step - warmup_end(view.rate))
    length = plateau_steps / max(float(loss.steps[-1]), context.planned_steps or 0.0)
    fall_in_noise = flat.fall * start / max(scatter(loss.values), 1e-9 * start)
    evidence = (
        Evidence("plateau_length", length, params.min_length, "share of the run"),
        Evidence("suddenness", flat.suddenness, params.min_suddenness, "ratio"),
        Evidence("fall_after", flat.fall, params.min_fall, "share of start"),
        Evidence("fall_in_noise", fall_in_noise, params.min_fall_in_noise, "noise units"),
    )
    if (
        length < params.min_length
        or flat.length_points < params.min_points
        or flat.suddenness < params.min_suddenness
        or flat.fall < params.min_fall
        or fall_in_noise < params.min_fall_in_noise
    ):
        return Clear(evidence=evidence)
    return _finding(float(loss.steps[0]), start, flat, length, params, evidence)


def _finding(
    first: float,
    start: float,
    flat: FlatStart,
    length: float,
    params: BadInitPlateauParams,
    evidence: tuple[Evidence, ...],
) -> Finding:
    return Finding(
        severity="warning",
        confidence=confidence("CW001", length / params.min_length, flat.suddenness / params.min_suddenness),
        summary=f"train/loss stayed near {start:.3g} until step {flat.end_step:g}, then fell by {flat.fall:.0%}",
        onset_step=first,
        span=(first, flat.end_step),
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
)
