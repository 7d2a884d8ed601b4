"""Searches: the seven steps at a glance, what comes next, how the configurations stand, and what matters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.errors import NotFound
from app.importance.importance import is_installed
from app.pages.configs import as_text
from app.pages.drawing import THEMES, drawn
from app.pages.render import page, part
from app.pages.service import ServiceHere
from app.pages.vega import VEGA, begin_packing
from app.reports import words
from app.reports.chart import Spec
from app.reports.parallel import parallel_chart
from app.reports.search_charts import Drawn, drawn_of, importance_chart, looks, slice_chart
from app.search.answers import Ranked
from app.search.parameters import Choice, Integer, LogUniform, Parameter, as_number
from app.search.search import Search
from app.search.space import ABSENT, value_at
from app.searches import step_compared
from app.service import Service

_SEARCHES_A_PAGE = 100
_MOST_RANKED = 20  # shown; the API has the rest
MARKS = {"done": "fine", "failed": "error", "open": "unjudged", "skipped": "unjudged"}
_LOOKS = {theme: looks(theme) for theme in THEMES}

router = APIRouter(include_in_schema=False)


@router.get("/projects/{project}/searches")
def show_searches(
    request: Request, service: ServiceHere, project: str, after: Annotated[str | None, Query()] = None
) -> Response:
    """A project's searches, a page at a time; where there is none, how to make one."""
    found = service.searches.listed(project, limit=_SEARCHES_A_PAGE + 1, after=after or None)
    shown = found[:_SEARCHES_A_PAGE]
    return page(
        request,
        "searches.html",
        here="projects",
        project=project,
        searches=shown,
        after=after,
        next=shown[-1].search.name if len(found) > len(shown) else None,
        snippet=_snippet(str(request.base_url).rstrip("/"), project),
    )


@router.get("/projects/{project}/searches/{search}")
def show_search(request: Request, service: ServiceHere, project: str, search: str) -> Response:
    """One search."""
    begin_packing()
    found, assessment = service.searches.assess(project, search)
    names = list(found.search.space.parameters)
    return page(
        request,
        "search.html",
        here="projects",
        vega=VEGA,
        project=project,
        found=found,
        search=found.search,
        parameters=[(name, _said(one)) for name, one in found.search.space.parameters.items()],
        assessment=assessment,
        marks=MARKS,
        proposals=_as_lines([asdict(one) for one in assessment.next.proposals]),
        ranking=[(one, _values(one, names)) for one in assessment.ranking[:_MOST_RANKED]],
        drawn_step=step_compared(assessment),
        installed=is_installed(),
        value_of=_value_of,
        settings_of=_settings_of,
    )


@router.get("/projects/{project}/searches/{search}/parallel")
def get_parallel(service: ServiceHere, project: str, search: str) -> Response:
    """The spec of the configurations as lines across all parameters."""
    about, configurations = _drawn(service, project, search)
    return _spec(parallel_chart(about, configurations))


@router.get("/projects/{project}/searches/{search}/slice")
def get_slice(service: ServiceHere, project: str, search: str, parameter: str) -> Response:
    """The spec of their levels over one parameter."""
    about, configurations = _drawn(service, project, search)
    if parameter not in about.space.parameters:
        raise NotFound(f"search {search!r} varies no {parameter!r}")
    return _spec(slice_chart(about, configurations, parameter))


@router.get("/projects/{project}/searches/{search}/importance")
def get_importance(service: ServiceHere, project: str, search: str) -> Response:
    """The spec of how much each parameter matters. Takes seconds when the search has changed."""
    return _spec(importance_chart(service.searches.importance(project, search)))


def _drawn(service: Service, project: str, search: str) -> tuple[Search, list[Drawn]]:
    found, assessment = service.searches.assess(project, search)
    return found.search, drawn_of(found.search, assessment.ranking, step_compared(assessment))


def _spec(spec: Spec) -> Response:
    return drawn(spec, _LOOKS)


def _values(one: Ranked, names: Sequence[str]) -> list[str]:
    return [_value_of(one.config, name) for name in names]


def _value_of(config: Mapping[str, object], name: str) -> str:
    found = value_at(config, name)
    if found is ABSENT:
        return ""
    number = as_number(found)
    return as_text(found) if number is None or isinstance(found, int) else f"{number:.4g}"


def _settings_of(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {as_text(value)}" for name, value in settings.items())


def _said(parameter: Parameter) -> str:
    """What a parameter may be, in words."""
    if isinstance(parameter, Choice):
        return "one of " + ", ".join(as_text(option) for option in parameter.options)
    span = f"{words.number(parameter.low)} to {words.number(parameter.high)}"
    if isinstance(parameter, Integer):
        return f"whole, {span}" + (", by ratio" if parameter.log else "")
    return f"{span}, by ratio" if isinstance(parameter, LogUniform) else span


def _as_lines(proposals: Sequence[Mapping[str, Any]]) -> str:
    """A JSON list with a proposal a line; its reasons are on the page."""
    kept = [{name: value for name, value in one.items() if name != "why" and value is not None} for one in proposals]
    return "[" + ",\n ".join(json.dumps(one, ensure_ascii=False) for one in kept) + "]"


def _snippet(address: str, project: str) -> str:
    space = {
        "lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0},
        "weight_decay": {"kind": "choice", "options": [0, 1e-5, 1e-4]},
    }
    body = json.dumps({"space": space, "metric": "val/loss", "num_classes": 10})
    url = f"{address}/api/v1/projects/{part(project)}/searches/rates"
    return f"curl -X PUT '{url}' -H 'Content-Type: application/json' -d '{body}'"
