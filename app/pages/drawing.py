"""What a chart of runs is asked for, and the curves that it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import to_json

from app.curves.curve import Curve
from app.nouns import CurveSummary, Run
from app.reports.chart import Spec
from app.reports.points import Axis, axes, metrics
from app.reports.theme import Theme, config
from app.service import Service

HEIGHT = 384  # of a chart [pixels]
MOST_POINTS = 4000  # read of a curve, to be thinned to the columns of a screen: extremes of both survive

THEMES: Sequence[Theme] = ("light", "dark")
AXES: Mapping[Axis, str] = {"step": "steps", "epoch": "epochs", "time": "time"}

# A form sends a field that was left empty as an empty string.
Step = Annotated[
    float | None, BeforeValidator(lambda value: None if value == "" else value), Field(ge=0, allow_inf_nan=False)
]


class Options(BaseModel):
    """How a chart is drawn, in the words of its form; also what a link to it holds."""

    model_config = ConfigDict(frozen=True)

    metric: str = ""
    x: Axis = "step"
    log: bool = False
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    at_step: Step = None

    @property
    def fields(self) -> dict[str, object]:
        """What differs from the usual, as a query."""
        found = self.model_dump(exclude_defaults=True)
        return {name: int(value) if name == "log" else value for name, value in found.items()}


class Zoomed(Options):
    """The same for a stretch of the run, whose points are then read as they were logged [steps]."""

    first_step: Step = None
    last_step: Step = None


def curves_to_draw(service: Service, run: Run, options: Options) -> Mapping[str, Curve]:
    """By raw name: the metric, and whatever the findings and the axis are read from."""
    every = options.x == "time"  # which no role tells
    wanted = [c.name for c in run.curves if every or c.role or c.name == options.metric]
    if not wanted:
        return {}
    first = options.first_step if isinstance(options, Zoomed) else None
    last = options.last_step if isinstance(options, Zoomed) else None
    ends = [step for step in (options.at_step, last) if step is not None]
    return service.read_curves(
        run.project, run.run, names=wanted, max_points=MOST_POINTS, first_step=first, last_step=min(ends, default=None)
    )


@dataclass(frozen=True)
class Choice:
    """What charts of these runs can show: metrics, the first to be shown first, and axes that all of them have."""

    metrics: Sequence[str]
    axes: Sequence[tuple[Axis, str]]


def choice_of(runs: Sequence[Run], roles: Mapping[str, str]) -> Choice:
    """From what is known of the curves without reading them. roles: the project's overrides."""
    logged = [{curve.name: _ends(curve) for curve in run.curves} for run in runs]
    have = [axes(curves, roles) for curves in logged]
    return Choice(
        metrics=list(dict.fromkeys(metric for curves in logged for metric in metrics(curves, roles))),
        axes=[(axis, word) for axis, word in AXES.items() if all(axis in found for found in have)],
    )


def _ends(curve: CurveSummary) -> Curve:
    """A stand-in with the steps of the first and the last point."""
    steps = np.unique([curve.first_step, curve.last_step])
    return Curve(curve.name, steps, np.arange(float(len(steps))))


def drawn(spec: Spec, looks: Mapping[Theme, object] | None = None) -> Response:
    """A spec for the page's script, with the looks for day and night beside it."""
    looks = looks or {theme: config(theme) for theme in THEMES}
    content = to_json({"spec": {**spec, "config": None}, "looks": looks})
    return Response(content, 200, {"Cache-Control": "no-cache"}, "application/json")
