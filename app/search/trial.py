"""A run as a search sees it."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.curves.curve import Curve
from app.diagnosis import Diagnosis
from app.rules.context import Context, RunState

MOST_POINTS = 1024  # of a curve that a search looks at: there may be thousands of runs


@dataclass(frozen=True, eq=False)
class Trial:
    """One run of a search.

    run: its name, which no other trial of the search has. config: as the job posted it, nested as it was. declared: the
    step of the procedure that the job says it belongs to, 1 to 7; None where it does not say. curves: by role
    (`train/loss`, `val/loss`, `train/accuracy`, `val/accuracy`, `lr`), accuracies as fractions, thinned to about
    `MOST_POINTS`. diagnosis: None where there is none yet.
    """

    run: str
    config: Mapping[str, object]
    state: RunState
    declared: int | None
    curves: Mapping[str, Curve]
    context: Context
    diagnosis: Diagnosis | None
