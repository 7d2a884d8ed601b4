"""Several runs on one chart, and what differs between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from app.diagnosis import Diagnosis
from app.errors import InvalidInput
from app.listing import standing_of
from app.nouns import Run
from app.pages.configs import as_text, flat
from app.pages.drawing import HEIGHT, Options, choice_of, curves_to_draw, drawn
from app.pages.render import page, part, query
from app.pages.service import ServiceHere
from app.pages.vega import VEGA, begin_packing
from app.reports import words
from app.reports.chart import compare_chart
from app.reports.points import metrics
from app.rules.catalogue import CATALOGUE
from app.rules.verdict import Verdict
from app.service import Service

MOST_COMPARED = 8  # hues and dashes that can be told apart

router = APIRouter(include_in_schema=False)


class Compared(Options):
    """How the chart is drawn, and of which runs."""

    run: Annotated[list[str], Field(max_length=4 * MOST_COMPARED, default_factory=list)]

    @property
    def names(self) -> Sequence[str]:
        """Each once, in the order in which they were chosen."""
        return list(dict.fromkeys(name for name in self.run if name))


@dataclass(frozen=True)
class Side:
    """One of the runs."""

    run: str
    state: str
    diagnosis: Diagnosis
    verdicts: Mapping[str, Verdict]  # by code


@router.get("/projects/{project}/compare")
def show_compare(
    request: Request, service: ServiceHere, project: str, options: Annotated[Compared, Query()]
) -> Response:
    """The page. Raises UnknownRun for a name that is none, InvalidInput for more runs than can be told apart."""
    begin_packing()
    found = _runs(service, project, options)
    differing, alike = _configs(found)
    choice = choice_of(found, service.get_project(project).roles)
    base = request.scope.get("root_path", "").rstrip("/")
    asked = {**options.fields, "run": options.names}
    return page(
        request,
        "compare.html",
        here="projects",
        vega=VEGA,
        project=project,
        runs=[_side(service, run) for run in found],
        rules=CATALOGUE if found else (),
        differing=differing,
        alike=alike,
        options=options,
        choice=choice,
        metric=options.metric or next(iter(choice.metrics), ""),
        chart_path=f"{base}/projects/{part(project)}/compare/chart{query(asked)}",
        chart_says=f"Curves of {', '.join(options.names)}",
    )


@router.get("/projects/{project}/compare/chart")
def get_compare_chart(service: ServiceHere, project: str, options: Annotated[Compared, Query()]) -> Response:
    """The chart's spec with its data."""
    found = _runs(service, project, options)
    curves = {run.run: curves_to_draw(service, run, options) for run in found}
    roles = service.get_project(project).roles
    metric = options.metric or next((name for one in curves.values() for name in metrics(one, roles)), "loss")
    return drawn(
        compare_chart(
            curves,
            roles=roles,
            metric=metric,
            smoothing=options.smoothing,
            x=options.x,
            log_y=options.log,
            height=HEIGHT,
        )
    )


def _runs(service: Service, project: str, options: Compared) -> list[Run]:
    if len(options.names) > MOST_COMPARED:
        raise InvalidInput(f"{len(options.names)} runs are chosen, and {MOST_COMPARED} can be told apart on one chart")
    service.get_project(project)  # said first where the project is the mistake
    return [service.get_run(project, name) for name in options.names]


def _side(service: Service, run: Run) -> Side:
    diagnosis = service.diagnose(run.project, run.run)
    known = standing_of(service.database, run.project, run.run)
    stalled = run.context.state == "running" and known.stalled_since
    return Side(
        run.run, "stalled" if stalled else run.context.state, diagnosis, {v.code: v for v in diagnosis.verdicts}
    )


def _configs(runs: Sequence[Run]) -> tuple[list[tuple[str, list[str | None]]], list[tuple[str, str]]]:
    """What is not the same in all, each with the value in each run (None: not told); and what is."""
    told = [_told(run) for run in runs]
    differing, alike = [], []
    for key in sorted({key for one in told for key in one}):
        values = [one.get(key) for one in told]
        if len(set(values)) > 1:
            differing.append((key, values))
        else:
            alike.append((key, str(values[0])))
    return differing, alike


def _told(run: Run) -> dict[str, str]:
    """Config, tags and context of a run as lines of text; nested config by dotted keys."""
    planned = run.context.planned_steps
    facts = {
        "num_classes": run.context.num_classes,
        "planned_steps": None if planned is None else words.step(planned),
        "schedule": run.context.schedule,
        "dataset_size": run.context.dataset_size,
        "pretrained": run.context.pretrained or None,
        "target_variance": run.context.target_variance,
    }
    told = {key: as_text(value) for key, value in flat(run.config).items()}
    told |= {f"context: {key}": as_text(value) for key, value in facts.items() if value is not None}
    told |= {f"tag: {key}": value for key, value in run.tags.items()}
    return told | ({"commit": run.commit} if run.commit else {})
