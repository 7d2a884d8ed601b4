"""What MLflow's stores have in common: points with a time and a step, and how a run ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.curves.curve import Curve, make_curve
from app.curves.points import MAX_STEP
from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.rules.context import RunState

_STATES: Mapping[str, RunState] = {
    "1": "running", "RUNNING": "running", "2": "running", "SCHEDULED": "running",
    "3": "finished", "FINISHED": "finished",
    "4": "failed", "FAILED": "failed", "5": "failed", "KILLED": "failed",
}  # fmt: skip
_UNORDERED = "{} were logged without a step, which MLflow writes as step 0: the order of their times counts as the step"


@dataclass(frozen=True)
class Point:
    """One logged value. time: when [ms since 1970]. step: None when the store has none."""

    time: int
    value: float
    step: int | None


def state_of(status: object) -> RunState | None:
    """The state behind MLflow's number or word for it."""
    return _STATES.get(str(status))


def to_run(
    path: str,
    points: Mapping[str, Sequence[Point]],
    *,
    name: str,
    state: RunState | None,
    config: Mapping[str, object],
    tags: Mapping[str, str],
    notes: Sequence[str],
) -> ImportedRun:
    """Points by metric, in the order they were written -> a run. Raises UnreadableFile when there is none."""
    said = list(notes)
    curves: dict[str, Curve] = {}
    unordered, placeless = [], 0
    for metric, logged in points.items():
        in_time = sorted(logged, key=lambda point: point.time)
        if len(logged) > 1 and all(not point.step for point in logged):
            unordered.append(metric)
            steps = np.arange(len(logged), dtype=np.float64)
        else:
            steps = np.array([point.step or 0 for point in in_time], dtype=np.float64)
        values = np.array([point.value for point in in_time], dtype=np.float64)
        fine = (steps >= 0) & (steps <= MAX_STEP)
        placeless += int(np.count_nonzero(~fine))
        if fine.any():
            curves[metric] = make_curve(metric, steps[fine], values[fine])
    if not curves:
        raise UnreadableFile(path, "no metric was logged in this MLflow run")
    if unordered:
        said.append(_UNORDERED.format(", ".join(unordered)))
    if placeless:
        said.append(f"{placeless} points at steps below 0 or above 2**53 left out")
    return ImportedRun(
        curves=curves, state=state, notes=tuple(said), source="MLflow", name=name, config=config, tags=tags
    )
