"""A run against a baseline: better, the same, doubtful or worse, within what two runs of one training differ by.

A curve's own scatter says too little of that. Trained again from another seed, small networks ended 1 to 10 % apart in
val loss, where the rate had been brought down five to fifty times what their curves jumped from point to point. So the
spread between runs is measured on the baseline's predecessors, beside what is assumed until there are some.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from app.checks.level import COMPARED, MIN_POINTS, Level

Relation = Literal["better", "same", "doubtful", "worse", "unknown"]

# Between seeds of one training val loss had a standard deviation of 4.5 % of itself in the median of ten trainings,
# and 1 - accuracy one of 6.0 % (benchmarks/baselines.py).
ASSUMED_SPREAD = 0.05  # [share of val loss, or of 1 - accuracy]
ASSUMED_STEPS = 3  # how many measured steps from run to run the assumption counts as much as
DOUBTFUL = 1.64  # [noise units] one of twenty runs that are not worse looks as bad
WORSE = 3.0  # [noise units] one of seven hundred


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a run is compared with.

    ref: how it was asked for. name: what was found, None when there is nothing yet. levels: by curve. history: curve ->
    the levels of this baseline and of those before it, as far as they are known [metric's unit].
    """

    ref: str
    name: str | None
    levels: Mapping[str, Level] = field(default_factory=dict)
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a run stands to one baseline."""

    ref: Annotated[str, Field(description="The baseline as it was asked for.", examples=["main"])]
    baseline: Annotated[str | None, Field(description="The run that it is; null when there is none yet.")]
    relation: Annotated[
        Relation,
        Field(description="`doubtful` is worse by no more than noise explains; `unknown` could not be compared."),
    ]
    reason: Annotated[str, Field(description="The same in one sentence with its numbers, or why it is unknown.")]
    curve: Annotated[str | None, Field(description="What was compared, by role.")] = None
    level: Annotated[float | None, Field(description="The run's best level [metric's unit].")] = None
    baseline_level: Annotated[float | None, Field(description="The baseline's [metric's unit].")] = None
    difference: Annotated[
        float | None, Field(description="How much worse the run is; below zero is better [noise units].")
    ] = None
    noise: Annotated[
        float | None,
        Field(description="One noise unit: what two runs of one training differ by, one sigma [metric's unit]."),
    ] = None
    runs_measured: Annotated[
        int, Field(description="How many runs the noise was measured on; below 3 it is assumed [runs].")
    ] = 0


def compare(levels: Mapping[str, Level], baseline: Baseline) -> Comparison:
    """Compare the first curve of `COMPARED` that both have. Pure."""
    if baseline.name is None:
        return _unknown(baseline, f"there is no run yet that {baseline.ref!a} names")
    curve = next((name for name in COMPARED if name in levels and name in baseline.levels), None)
    if curve is None:
        return _unknown(baseline, _missing(levels, baseline))
    run, other = levels[curve], baseline.levels[curve]
    history = baseline.history.get(curve, ())
    noise = math.hypot(run.error, other.error, math.sqrt(2) * _spread(other, history))
    worse_by = run.value - other.value if run.goal == "min" else other.value - run.value
    difference = worse_by / noise
    relation = _relation(difference)
    return Comparison(
        ref=baseline.ref,
        baseline=baseline.name,
        relation=relation,
        reason=_sentence(relation, run, other, difference, noise, len(history)),
        curve=curve,
        level=run.value,
        baseline_level=other.value,
        difference=difference,
        noise=noise,
        runs_measured=len(history),
    )


def _relation(difference: float) -> Relation:
    if difference > WORSE:
        return "worse"
    if difference > DOUBTFUL:
        return "doubtful"
    return "better" if difference < -WORSE else "same"


def _spread(baseline: Level, history: Sequence[float]) -> float:
    """Standard deviation of the level between runs of one training [metric's unit]."""
    size = max(abs(baseline.value) if baseline.goal == "min" else 1 - baseline.value, 1e-6)
    # From each run to the next, so that months of improvement are no noise, and without the largest such step: a leap
    # is none either, while an odd run makes two large steps, of which one stays. A step has twice a run's variance.
    steps = np.sort(np.abs(np.diff(np.asarray(history, dtype=np.float64))))[:-1]
    assumed = ASSUMED_STEPS * (ASSUMED_SPREAD * size) ** 2
    return math.sqrt((float(np.sum(steps**2)) / 2 + assumed) / (steps.size + ASSUMED_STEPS))


def _sentence(relation: Relation, run: Level, other: Level, difference: float, noise: float, measured: int) -> str:
    words = {
        "worse": "worse than the baseline beyond noise",
        "doubtful": "worse than the baseline, by no more than noise explains",
        "same": "as good as the baseline within noise",
        "better": "better than the baseline beyond noise",
    }
    known = f"measured on {measured} runs" if measured > 2 else "assumed: earlier runs are not known"
    return (
        f"{run.curve} {run.value:.4g} against {other.value:.4g} is {words[relation]}: {difference:+.1f} noise units "
        f"of {noise:.2g} ({known})"
    )


def _missing(levels: Mapping[str, Level], baseline: Baseline) -> str:
    wanted = " or ".join(COMPARED)
    if not levels:
        return f"the run has fewer than {MIN_POINTS} finite evaluations of {wanted}"
    if not baseline.levels:
        return f"the baseline {baseline.name} has fewer than {MIN_POINTS} finite evaluations of {wanted}"
    return f"the run has {', '.join(levels)} and the baseline {baseline.name} has {', '.join(baseline.levels)} alone"


def _unknown(baseline: Baseline, why: str) -> Comparison:
    return Comparison(ref=baseline.ref, baseline=baseline.name, relation="unknown", reason=why)
