"""One run: its curves with the findings drawn on them, and beside them the audit."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.actions import Taken, of_run
from app.diagnosis import Diagnosis
from app.listing import standing_of
from app.nouns import Run
from app.pages.configs import as_text, flat
from app.pages.drawing import HEIGHT, Options, Zoomed, choice_of, curves_to_draw, drawn
from app.pages.render import page, part, query
from app.pages.service import ServiceHere
from app.pages.vega import VEGA, begin_packing
from app.reports import words
from app.reports.audit import Unjudged, audit
from app.reports.chart import chart
from app.reports.notes import Deed
from app.reports.points import metrics
from app.service import Service

_RUN = "/projects/{project}/runs/{run}"

router = APIRouter(include_in_schema=False)


@router.get(_RUN)
def show_run(
    request: Request, service: ServiceHere, project: str, run: str, options: Annotated[Options, Query()]
) -> Response:
    """The page, whole but for the chart, which a script draws; without scripts a picture stands in for it."""
    begin_packing()
    found = service.get_run(project, run)
    base = request.scope.get("root_path", "").rstrip("/")
    here = f"{base}/projects/{part(project)}/runs/{part(run)}"
    of_api = f"{base}/api/v1/projects/{part(project)}/runs/{part(run)}"
    choice = choice_of([found], service.get_project(project).roles)
    content = _judged(service, found, options)
    return page(
        request,
        "run.html",
        here="projects",
        vega=VEGA,
        chart_path=f"{here}/chart{query(options.fields)}",
        table_path=f"{here}/numbers{query({'at_step': options.at_step})}",
        audit_path=f"{here}/audit",
        standing_path=f"{here}/standing",
        picture_path=f"{of_api}/diagnosis?{urlencode({'format': 'svg'})}",
        events_path=f"{of_api}/events",
        choice=choice,
        metric=options.metric or next(iter(choice.metrics), ""),
        last_step=max((curve.last_step for curve in found.curves), default=None),
        config=sorted((key, as_text(value)) for key, value in flat(found.config).items()),
        **content,
    )


@router.get(_RUN + "/audit")
def show_audit(
    request: Request, service: ServiceHere, project: str, run: str, options: Annotated[Options, Query()]
) -> Response:
    """The audit alone, as the page's script puts it in place of what it shows."""
    return page(request, "audit.html", **_judged(service, service.get_run(project, run), options))


@router.get(_RUN + "/standing")
def show_standing(request: Request, service: ServiceHere, project: str, run: str) -> Response:
    """How far the run is, and in what state, alone."""
    found = service.get_run(project, run)
    last = max((curve.last_step for curve in found.curves), default=None)
    return page(request, "standing.html", run=found, last_step=last, **_standing(service, found))


@router.get(_RUN + "/chart")
def get_chart(service: ServiceHere, project: str, run: str, options: Annotated[Zoomed, Query()]) -> Response:
    """The chart's spec with its data; with first_step and last_step, the points of that stretch as they were logged."""
    found = service.get_run(project, run)
    roles = service.get_project(project).roles
    curves = curves_to_draw(service, found, options)
    spec = chart(
        service.diagnose(project, run, at_step=options.at_step),
        curves,
        roles=roles,
        metric=options.metric or next(iter(metrics(curves, roles)), "loss"),
        smoothing=options.smoothing,
        x=options.x,
        log_y=options.log,
        height=HEIGHT,
        deeds=_deeds(of_run(service.database, project, run), options.at_step),
    )
    return drawn(spec)


def _judged(service: Service, run: Run, options: Options) -> dict[str, Any]:
    diagnosis = service.diagnose(run.project, run.run, at_step=options.at_step)
    audited = audit(diagnosis)
    return {
        "run": run,
        "options": options,
        "audit": audited,
        "unjudged": _by_reason(audited.unjudged),
        "chart_says": _chart_says(diagnosis),
        "taken": of_run(service.database, run.project, run.run),
        **_standing(service, run),
    }


def _deeds(taken: Sequence[Taken], through_step: float | None) -> list[Deed]:
    """What a chart is marked with: each action, and where it was taken back."""
    done = [Deed(one.at_step, f"{one.by}: {one.action}") for one in taken]
    undone = [Deed(one.undone_at_step, f"undone: {one.action}") for one in taken if one.undone_at_step is not None]
    return [deed for deed in (*done, *undone) if through_step is None or deed.step <= through_step]


def _by_reason(unjudged: Sequence[Unjudged]) -> list[list[Unjudged]]:
    """What cannot be judged for one reason stands together: one thing to log helps all of it."""
    found: dict[tuple[str, str], list[Unjudged]] = {}
    for one in unjudged:
        found.setdefault((one.reason, one.log_this), []).append(one)
    return list(found.values())


def _standing(service: Service, run: Run) -> dict[str, Any]:
    """A run that ended is not stalled, whatever the monitor last saw of it."""
    known = standing_of(service.database, run.project, run.run)
    stalled = known.stalled_since if run.context.state == "running" else None
    return {"standing": "stalled" if stalled else run.context.state, "stalled_since": stalled}


def _chart_says(diagnosis: Diagnosis) -> str:
    """What a screen reader says in place of the picture."""
    if diagnosis.through_step is None:
        return "No points are logged yet."
    found = "; ".join(f"{f.rule.replace('_', ' ')} since step {words.step(f.onset_step)}" for f in diagnosis.findings)
    return words.plain(
        f"Curves through step {words.step(diagnosis.through_step)}, marked with {found or 'no finding'}."
    )
