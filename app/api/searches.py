"""Searches for hyper-parameters: declare what may vary, and read back which step comes next and what to run."""

from datetime import datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, JsonValue

from app import errors
from app.api.auth import ActorHere
from app.api.body import FACTS_LIMIT_BYTES, JSON, read_model
from app.api.negotiation import etag_of, is_known
from app.api.openapi import Responses, deleted, documented, one_body
from app.api.problems import INVALID_INPUT, UNREADABLE_BODY
from app.api.service import ServiceHere
from app.api.wire import PATH_PART, PATH_PART_WORDS, After, Limit, Out, Page, ProjectName, Strictly, reply
from app.importance.importance import Importance
from app.limits import LONGEST_NAME
from app.rules.context import PRIOR, PRIORS, TARGET_VARIANCE, WHOLE
from app.search.answers import Next, Place, Ranked, StepReport
from app.search.search import Goal
from app.searches import (
    METRIC,
    MOST_PROPOSALS,
    MOST_RUNS,
    MOST_TRIALS,
    NUM_CLASSES,
    SEED,
    STEPS_PER_EPOCH,
    Found,
    SearchUpdate,
)

router = APIRouter(tags=["searches"])

SearchName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PATH_PART,
        description=f"The search's name within its project: {PATH_PART_WORDS}",
        examples=["rates"],
    ),
]
_GOAL_WORDS = "Which way the metric is better."
_SPACE_WORDS = (
    "The hyper-parameters that vary, by name; a dotted name is a path into a nested configuration. Kinds: "
    "`log_uniform` and `uniform` (`low`, `high`), `integer` (`low`, `high`, `log`), `choice` (`options`). `role` says "
    "which is the `learning_rate` or the `weight_decay`; usual names say so themselves."
)


class SearchIn(Strictly):
    """What a search is about. Null or absent leaves what is set as it is; a new search needs a space."""

    space: Annotated[dict[str, JsonValue] | None, Field(description=_SPACE_WORDS)] = None
    metric: Annotated[str | None, METRIC] = None
    goal: Annotated[Goal | None, Field(description=f"{_GOAL_WORDS} `min` when absent.")] = None
    seed: Annotated[int | None, SEED] = None
    steps_per_epoch: Annotated[float | None, STEPS_PER_EPOCH] = None
    most_runs: Annotated[int | None, MOST_RUNS] = None
    num_classes: Annotated[int | None, NUM_CLASSES] = None
    class_priors: Annotated[list[Annotated[float, PRIOR]] | None, PRIORS, WHOLE] = None
    target_variance: Annotated[float | None, TARGET_VARIANCE] = None


class SearchOut(Out):
    """A search, without what its runs say."""

    project: Annotated[str, Field(description="The project's name.")]
    search: Annotated[str, Field(description="The search's name.")]
    space: Annotated[dict[str, dict[str, JsonValue]], Field(description=_SPACE_WORDS)]
    metric: Annotated[str, Field(description="What configurations are compared by.")]
    goal: Annotated[Goal, Field(description=_GOAL_WORDS)]
    seed: Annotated[int, Field(ge=0, description="What proposals are drawn from [any whole number].")]
    steps_per_epoch: Annotated[
        float | None, Field(description="How many steps make an epoch [steps]; null if not known.")
    ]
    most_runs: Annotated[int | None, Field(description="How many runs it may make in all [runs]; null for no limit.")]
    num_classes: Annotated[int | None, Field(description="Number of classes [classes]; null when not known.")]
    class_priors: Annotated[list[float] | None, Field(description="Share of each class [0 to 1]; null when not known.")]
    target_variance: Annotated[
        float | None, Field(description="Variance of the targets [the loss's unit]; null if not known.")
    ]
    runs: Annotated[int, Field(ge=0, description="How many runs it has [runs].")]
    running: Annotated[int, Field(ge=0, description="How many of them still run [runs].")]
    created_at: Annotated[datetime, Field(description="When it was made [UTC].")]
    updated_at: Annotated[datetime, Field(description="When what it is about last changed [UTC].")]


class AssessedOut(SearchOut):
    """A search, and what its runs say: the seven steps, what comes next, and how the configurations stand."""

    steps: Annotated[list[StepReport], Field(description="The seven steps, in order.")]
    next: Annotated[Next, Field(description="Which step comes next, and what to run for it.")]
    configurations: Annotated[int, Field(ge=0, description="How many configurations are ranked [configurations].")]
    ranking: Annotated[list[Ranked], Field(description="The best first, at most `ranked` of them.")]
    places: Annotated[list[Place], Field(description="Which step each run belongs to, and how that is known.")]


class SearchPage(Page[SearchOut]):
    """One page of searches, in name order."""


_SPACE: dict[str, Any] = {
    "lr": {"kind": "log_uniform", "low": 1e-5, "high": 1.0, "role": "learning_rate"},
    "weight_decay": {"kind": "choice", "options": [0, 1e-5, 1e-4], "role": "weight_decay"},
}
_SAID = {"space": _SPACE, "metric": "val/loss", "goal": "min", "seed": 0, "steps_per_epoch": 391, "num_classes": 10}
_SEARCH: dict[str, Any] = {
    "project": "mnist",
    "search": "rates",
    **_SAID,
    "most_runs": None,
    "class_priors": None,
    "target_variance": None,
    "runs": 12,
    "running": 1,
    "created_at": "2026-01-31T09:00:00Z",
    "updated_at": "2026-01-31T09:00:00Z",
}
_CONFIG = {"lr": 0.01, "weight_decay": 1e-5}
_NEXT: dict[str, Any] = {
    "search_step": 5,
    "name": "refine",
    "why": "the coarse grid has 12 configurations, and 3 of them are as good as the best within noise",
    "stop": False,
    "proposals": [
        {
            "run": "rates-5-1",
            "search_step": 5,
            "config": _CONFIG,
            "planned_epochs": 15.0,
            "planned_steps": 5865.0,
            "settings": {"seed": 1},
            "why": "near the best of the coarse grid",
        }
    ],
}
_ASSESSED: dict[str, Any] = {
    **_SEARCH,
    "steps": [
        {
            "number": 1,
            "name": "initial loss",
            "status": "done",
            "says": "the loss starts at 2.31, log(10) is 2.30",
            "evidence": [{"name": "initial_loss", "value": 2.31, "limit": 2.3, "unit": "nats"}],
            "runs": ["rates-1-1"],
            "inferred": [],
            "missing": None,
        }
    ],
    "next": _NEXT,
    "configurations": 1,
    "ranking": [
        {
            "config": _CONFIG,
            "runs": ["rates-4-3"],
            "search_step": 4,
            "seeds": 1,
            "level": 0.31,
            "interval": [0.29, 0.33],
            "equivalent_to_best": True,
            "says": "0.31 (0.29 to 0.33) over 1 seed",
        }
    ],
    "places": [{"run": "rates-4-3", "search_step": 4, "inferred": False, "why": "the job said so"}],
}
_IMPORTANCE: dict[str, Any] = {
    "judged": True,
    "says": "Over 48 configurations lr matters most, beyond what chance makes of them",
    "configurations": 48,
    "left_out": 0,
    "parameters": [
        {
            "name": "lr",
            "importance": 0.86,
            "interval": [0.7, 0.95],
            "says": "lr alone explains 86% (70% to 95%) of the variance over the space",
        }
    ],
    "together": 0.1,
}
_ONE_SEARCH = (errors.UnknownProject, errors.UnknownSearch, INVALID_INPUT, errors.StorageUnavailable)
_ETAG = {"ETag": {"description": "Names this very answer, for If-None-Match.", "schema": {"type": "string"}}}


def _cacheable(found: Responses) -> Responses:
    found[200]["headers"] = _ETAG
    return {**found, 304: {"description": "The answer is the one that If-None-Match names.", "headers": _ETAG}}


IfNoneMatch = Annotated[str, Header(description="The ETag of an answer that the client has.", examples=['"0f3c"'])]


@router.get(
    "/api/v1/projects/{project}/searches",
    summary="List searches",
    response_model=SearchPage,
    responses=documented(
        errors.UnknownProject,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="One page of searches, in name order.",
        example={"items": [_SEARCH], "next": None},
    ),
)
def list_searches(service: ServiceHere, project: ProjectName, limit: Limit = 100, after: After = None) -> Response:
    """A project's searches, a page at a time, with how many runs each has."""
    found = service.searches.listed(project, limit=limit + 1, after=after)
    shown = [SearchOut(**fields_of(one)) for one in found[:limit]]
    return reply(SearchPage(items=shown, next=shown[-1].search if len(found) > limit else None))


@router.put(
    "/api/v1/projects/{project}/searches/{search}",
    summary="Make or change a search",
    response_model=SearchOut,
    responses=documented(
        UNREADABLE_BODY,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        INVALID_INPUT,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="The search was there and is as it was said now.",
        created=("The search was made, and its project with it when there was none.", SearchOut),
        example=_SEARCH,
    ),
    openapi_extra=one_body(JSON, SearchIn, {"search": _SAID}, required=False),
)
async def put_search(request: Request, service: ServiceHere, project: ProjectName, search: SearchName) -> Response:
    """Say which hyper-parameters may vary between which values, and what is known of the task.

    Sent again, it changes nothing. Runs join with `search` (and `search_step`) when they are opened. The space may be
    changed while they go on: its runs are then read by the new one. A project has at most 1,000 searches, a search at
    most 2,000 runs.
    """
    said = await read_model(request, SearchIn, empty=True, limit=FACTS_LIMIT_BYTES)
    given = {name: getattr(said, name) for name in SearchIn.model_fields}
    priors = None if said.class_priors is None else tuple(said.class_priors)
    update = SearchUpdate(**{**given, "class_priors": priors})
    found, created = await to_thread.run_sync(service.searches.put, project, search, update)
    return reply(SearchOut(**fields_of(found)), 201 if created else 200)


@router.get(
    "/api/v1/projects/{project}/searches/{search}",
    summary="Assess a search",
    response_model=AssessedOut,
    responses=_cacheable(documented(*_ONE_SEARCH, description="The search, and what its runs say.", example=_ASSESSED)),
)
def get_search(
    service: ServiceHere,
    project: ProjectName,
    search: SearchName,
    ranked: Annotated[
        int, Query(ge=1, le=MOST_TRIALS, description="The most configurations to rank in the reply [configurations].")
    ] = 100,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """The seven steps with what the posted runs say about each, what comes next, and how the configurations stand.

    Configurations are compared over their seeds: one that is as good as the best within noise is marked so.
    """
    etag = etag_of(service.searches.version(project, search), "search", ranked)
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=_kept(etag))
    found, assessment = service.searches.assess(project, search)
    said = AssessedOut(
        **fields_of(found),
        steps=list(assessment.steps),
        next=assessment.next,
        configurations=len(assessment.ranking),
        ranking=list(assessment.ranking[:ranked]),
        places=list(assessment.places),
    )
    return reply(said, headers=_kept(etag))


@router.get(
    "/api/v1/projects/{project}/searches/{search}/next",
    summary="What to run next",
    response_model=Next,
    responses=_cacheable(
        documented(*_ONE_SEARCH, description="The step that comes next, and its runs.", example=_NEXT)
    ),
)
def next_of_search(
    service: ServiceHere,
    project: ProjectName,
    search: SearchName,
    count: Annotated[int, Query(ge=1, le=MOST_PROPOSALS, description="The most runs to propose [runs].")] = 8,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """Which of the seven steps comes next and why, and the configurations to run for it.

    Nothing is reserved: two who ask before either opens a run are told the same.
    """
    etag = etag_of(service.searches.version(project, search), "next", count)
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=_kept(etag))
    _, assessment = service.searches.assess(project, search, count)
    return reply(assessment.next, headers=_kept(etag))


@router.get(
    "/api/v1/projects/{project}/searches/{search}/importance",
    summary="Which hyper-parameters matter",
    response_model=Importance,
    responses=_cacheable(
        documented(
            *_ONE_SEARCH,
            errors.Unavailable,
            errors.MissingExtra,
            description="How much each hyper-parameter explains, with an interval.",
            example=_IMPORTANCE,
        )
    ),
)
def importance_of_search(
    service: ServiceHere, project: ProjectName, search: SearchName, if_none_match: IfNoneMatch = ""
) -> Response:
    """How much of the metric's variance over the space each hyper-parameter explains alone, by functional ANOVA.

    A forest is fitted to the configurations that are ranked, rates and the like as shares of their range, what diverged
    held at a fence. The interval comes from resampling configurations with all their seeds. Takes some seconds when the
    search has changed. The server needs the extra: `pip install 'curvewise[search]'`.
    """
    etag = etag_of(service.searches.version(project, search), "importance")
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=_kept(etag))
    return reply(service.searches.importance(project, search), headers=_kept(etag))


@router.delete(
    "/api/v1/projects/{project}/searches/{search}",
    summary="Delete a search",
    status_code=204,
    response_class=Response,
    responses=deleted(errors.UnknownProject, errors.UnknownSearch, description="The search is gone; its runs are not."),
)
def delete_search(service: ServiceHere, actor: ActorHere, project: ProjectName, search: SearchName) -> None:
    """Forget what a search is about. Its runs and their points stay as they are, and are of no search.

    The name is free at once. A job that opens a run for the deleted search is answered with 404.
    """
    service.searches.remove(project, search, by=actor)


def fields_of(found: Found) -> dict[str, Any]:
    """A search by the names of its reply."""
    said = vars(found.search)
    beside = {name: getattr(found, name) for name in ("project", "runs", "running", "created_at", "updated_at")}
    kept = {name: said[name] for name in SearchOut.model_fields if name in said}
    priors = None if found.search.class_priors is None else list(found.search.class_priors)
    space = found.search.space.as_json()
    return {**kept, **beside, "search": found.search.name, "space": space, "class_priors": priors}


def _kept(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": "no-cache"}
