"""Which checkpoints of one run to average: snapshots at the minima of a cyclic rate, else late ones that are as good.

Source: Huang et al. (2017), "Snapshot ensembles: train 1, get M for free": each cycle of the rate ends in a minimum of
its own. Checkpoints of one plateau are no such members: they are neighbours, and averaging them gains less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.curves.curve import Curve, Curves, FloatArray
from app.ensembles.checkpoint import Choice
from app.schedules import recognise
from app.signals.view import View

How = Literal["cycle_ends", "plateau"]
MOST_LATE = 5  # late checkpoints: more of one plateau add hardly anything
# What counts as the end of a cycle: a minimum below the peaks beside it, or a last point as low as those before.
DEPTH, AS_LOW = 0.05, 0.05  # [share of the peak]
NEAR = 0.1  # how far from a minimum a checkpoint still is its snapshot [share of the cycle]


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """Which checkpoints of a run to average."""

    how: Annotated[
        How | None,
        Field(
            description="`cycle_ends`: a snapshot ensemble, one checkpoint at each minimum of a cyclic rate. "
            "`plateau`: late checkpoints that are as good as the best, which is no snapshot ensemble. Null: nothing "
            "to average."
        ),
    ]
    steps: Annotated[tuple[float, ...], Field(description="The checkpoints [steps].")]
    left_out: Annotated[
        tuple[float, ...], Field(description="Minima of the rate that have no checkpoint near them [steps].")
    ]
    schedule: Annotated[
        str | None, Field(description="The recognised schedule of the rate; null when no rate was logged.")
    ]
    says: Annotated[str, Field(description="The answer and its reason, in a sentence or two.")]


def to_average(
    curves: Curves, choice: Choice, planned_steps: float | None = None, checkpoints: Sequence[float] | None = None
) -> Averaging:
    """Which checkpoints to average. curves: by role. choice: which to keep, among the same `checkpoints` [steps]."""
    rate = View(curves).rate
    kind = _kind(rate, planned_steps)
    if kind != "cyclic":
        return _plateau(choice, kind)
    ends = cycle_ends(rate)
    steps, left_out = (ends, ()) if checkpoints is None else _nearest(rate, ends, np.unique(checkpoints))
    if steps.size < 2:
        found = f"the rate is cyclic, and {steps.size} of its cycles has ended at a checkpoint; two are needed. "
        return _plateau(choice, kind, left_out, found[0].upper() + found[1:])
    says = (
        f"Average the predictions of the {steps.size} checkpoints at the ends of the rate's cycles: a snapshot "
        "ensemble. Their weights are not to be averaged: each cycle ends in a minimum of its own."
    )
    return Averaging(how="cycle_ends", steps=tuple(steps.tolist()), left_out=left_out, schedule=kind, says=says)


def cycle_ends(rate: Curve) -> FloatArray:
    """The last step of each minimum of a cyclic rate [steps]. rate: finite, its peak above zero."""
    values = rate.values / float(rate.values.max())
    at = _minima(values, DEPTH)
    if at.size and values[-1] <= float(values[at].max()) + AS_LOW and values[-1] < values[at[-1] :].max() - DEPTH:
        at = np.append(at, values.size - 1)  # the run ended with its last cycle
    return np.asarray(rate.steps[at])


def _minima(values: FloatArray, depth: float) -> NDArray[np.intp]:
    """The last index of each minimum, flat ones included, that lies at least so deep below what surrounds it.

    What `scipy.signal.find_peaks` finds by prominence on the values turned over; that package alone would cost an idle
    server 50 MB.
    """
    edges = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
    lasts, levels = np.append(edges[1:], values.size) - 1, values[edges]
    found = []
    for k in range(1, levels.size - 1):
        if levels[k - 1] > levels[k] < levels[k + 1]:
            lower_before, lower_after = (np.flatnonzero(part < levels[k]) for part in (levels[:k], levels[k:]))
            before = levels[lower_before[-1] + 1 if lower_before.size else 0 : k].max()
            after = levels[k : k + lower_after[0] if lower_after.size else None].max()
            if min(before, after) - levels[k] >= depth:
                found.append(lasts[k])
    return np.array(found, dtype=np.intp)


def _kind(rate: Curve, planned_steps: float | None) -> str | None:
    """The kind of schedule. A rate that is set once an epoch makes stairs, and a few to a cycle hide its shape."""
    schedule = recognise(rate, planned_steps)
    if schedule is None or schedule.kind != "unknown":
        return schedule.kind if schedule else None
    firsts = np.append(0, np.flatnonzero(np.diff(rate.values)) + 1)
    stairs = recognise(Curve(rate.name, rate.steps[firsts], rate.values[firsts]), planned_steps)
    return stairs.kind if stairs and stairs.kind == "cyclic" else schedule.kind


def _nearest(rate: Curve, ends: FloatArray, checkpoints: FloatArray) -> tuple[FloatArray, tuple[float, ...]]:
    """The checkpoint that is the snapshot of each minimum, and the minima that have none."""
    lengths = np.diff(ends, prepend=rate.steps[0])
    distance = np.abs(checkpoints[:, None] - ends)
    nearest = distance.argmin(axis=0)
    near = distance.min(axis=0) <= NEAR * lengths
    return np.unique(checkpoints[nearest[near]]), tuple(ends[~near].tolist())


def _plateau(choice: Choice, kind: str | None, left_out: tuple[float, ...] = (), found: str = "") -> Averaging:
    def nothing(why: str) -> Averaging:
        return Averaging(how=None, steps=(), left_out=left_out, schedule=kind, says=f"{found}Nothing to average: {why}")

    if choice.keep is None:
        return nothing(f"{choice.missing}.")
    if len(choice.keep.equivalents) < 2:
        return nothing(f"no other checkpoint is as good as that of step {choice.keep.step:g}, within noise.")
    late = choice.keep.equivalents[-MOST_LATE:]
    says = (
        f"{found}Average the last {len(late)} checkpoints that are as good as the best, within noise. That is no "
        "snapshot ensemble, whose members end cycles of the rate: these are neighbours, so expect less of them."
    )
    return Averaging(how="plateau", steps=late, left_out=left_out, schedule=kind, says=says)
