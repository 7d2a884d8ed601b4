"""A run's curves as a table of numbers: the chart for whoever does not see it."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.curves.curve import Curve, FloatArray
from app.pages.drawing import Step
from app.pages.render import page
from app.pages.service import ServiceHere

MOST_ROWS = 60
_READ_POINTS = 1000  # of a curve, to choose the rows from
_MOST_CURVES = 12

router = APIRouter(include_in_schema=False)

Row = tuple[float, Sequence[float | None]]


@router.get("/projects/{project}/runs/{run}/numbers")
def show_numbers(
    request: Request,
    service: ServiceHere,
    project: str,
    run: str,
    at_step: Annotated[Step, Query()] = None,
    part_only: bool = False,
) -> Response:
    """A page of its own, or with `part_only` the table for the page of the run."""
    found = service.get_run(project, run)
    names = [c.name for c in sorted(found.curves, key=lambda c: (c.role is None, c.name)) if c.role != "epoch"]
    curves = service.read_curves(project, run, names=names[:_MOST_CURVES], max_points=_READ_POINTS, last_step=at_step)
    rows = rows_of(curves, MOST_ROWS)
    every = {step for curve in curves.values() for step in curve.steps.tolist()}
    whole = len(rows) == len(every) and all(c.points == len(curves[c.name]) for c in found.curves if c.name in curves)
    template = "numbers.html" if part_only else "numbers_page.html"
    return page(request, template, here="projects", run=found, names=list(curves), rows=rows, thinned=not whole)


def rows_of(curves: Mapping[str, Curve], most: int) -> list[Row]:
    """Step by step, at most so many and evenly chosen, first and last among them: the value of each curve there.

    Steps at which the curve with the fewest points was logged come first: those are the evaluations.
    """
    logged = [curve for curve in curves.values() if len(curve)]
    if not logged:
        return []
    every = np.unique(np.concatenate([curve.steps for curve in logged]))
    chosen = _evenly(every, most)
    sparse = min(logged, key=len).steps
    if len(every) > most and 2 <= len(sparse) < len(every):
        chosen = np.union1d(_evenly(sparse, most - 2), every[[0, -1]])
    at = {name: dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True)) for name, curve in curves.items()}
    return [(step, [at[name].get(step) for name in curves]) for step in chosen.tolist()]


def _evenly(steps: FloatArray, most: int) -> FloatArray:
    if len(steps) <= most:
        return steps
    return np.asarray(steps[np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))])
