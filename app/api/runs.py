"""Runs: open one, say more about it, close it, find it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field, JsonValue

from app import errors
from app.api.auth import ActorHere
from app.api.body import FACTS_LIMIT_BYTES, JSON, read_model
from app.api.openapi import deleted, documented, one_body
from app.api.problems import INVALID_INPUT, UNREADABLE_BODY
from app.api.service import ServiceHere
from app.api.wire import (
    NO_CONTROL_CHARACTERS,
    Attempt,
    ContextIn,
    Limit,
    Out,
    Page,
    ProjectName,
    RunName,
    Strictly,
    reply,
)
from app.errors import InvalidInput
from app.limits import LONGEST_NAME
from app.listing import RunFilter, ShownState, SortBy, find_runs
from app.nouns import RunUpdate
from app.rules.context import RunState
from app.rules.verdict import Severity

router = APIRouter(tags=["runs"])


class RunIn(Strictly):
    """What a job says when it opens a run, or says more about it. Null or absent leaves what is known as it is."""

    context: Annotated[ContextIn | None, Field(description="Facts that the curves do not show.")] = None
    config: Annotated[
        dict[str, JsonValue] | None,
        Field(description="The job's own configuration, any JSON object; replaces the one before."),
    ] = None
    tags: Annotated[dict[str, str] | None, Field(description="Labels by name; replace those before.")] = None
    commit: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=LONGEST_NAME,
            pattern=NO_CONTROL_CHARACTERS,
            description="The commit of the code that trains.",
            examples=["9fceb02"],
        ),
    ] = None
    attempt: Annotated[
        Attempt | None,
        Field(description="A later attempt than the latest resumes the run, which then is running [attempts]."),
    ] = None
    search: Annotated[
        str | None,
        Field(
            max_length=LONGEST_NAME,
            pattern=NO_CONTROL_CHARACTERS,
            description="The search that it is a trial of, by name; PUT that first. Empty takes it out of its search.",
            examples=["rates"],
        ),
    ] = None
    search_step: Annotated[
        int | None,
        Field(
            ge=1,
            le=7,
            description="Which of the seven steps it was made for [1 to 7]; inferred when absent. A run that changes "
            "its search is of no step until it says so.",
        ),
    ] = None


class FinishIn(Strictly):
    """How a run ended."""

    state: Annotated[
        Literal["finished", "failed"], Field(description="`finished` as planned, or `failed` on the way.")
    ] = "finished"


class ContextOut(Out):
    """What is known about a run beside its curves."""

    num_classes: Annotated[int | None, Field(description="Number of classes [classes]; null when not known.")]
    planned_steps: Annotated[float | None, Field(description="How long the run is meant to be [steps]; null when not.")]
    state: Annotated[RunState, Field(description="Whether the job still runs, has finished, or has failed.")]
    schedule: Annotated[str | None, Field(description="The learning-rate schedule by name; null when not known.")]
    class_priors: Annotated[
        list[float] | None, Field(description="Share of each class in the training data [0 to 1]; null when not known.")
    ]
    target_variance: Annotated[
        float | None, Field(description="Variance of a regression's targets [the loss's unit]; null when not known.")
    ]
    dataset_size: Annotated[
        int | None, Field(description="How many examples the run trains on [examples]; null when not known.")
    ]
    pretrained: Annotated[
        str | None,
        Field(description="The pre-trained model it starts from, `none` for none; empty or null when not known."),
    ]
    caveats: Annotated[list[str], Field(description="Known lies of the source.")]


class CurveOut(Out):
    """What is stored of one curve."""

    name: Annotated[str, Field(description="Its name, as the job gave it.")]
    role: Annotated[str | None, Field(description="What it was mapped to; null when unmapped.")]
    points: Annotated[int, Field(ge=0, description="Stored points, before repeated steps are resolved [points].")]
    first_step: Annotated[float, Field(ge=0, description="The least step stored [steps].")]
    last_step: Annotated[float, Field(ge=0, description="The greatest step stored [steps].")]


class ChipOut(Out):
    """A finding that has fired, in short; the diagnosis has its evidence and what to do."""

    code: Annotated[str, Field(description="The rule's stable code.", examples=["CW005"])]
    rule: Annotated[str, Field(description="The rule's name.", examples=["overfitting"])]
    severity: Annotated[Severity, Field(description="How soon a person should look.")]
    confidence: Annotated[float, Field(ge=0, le=1, description="The probability that it is right [0 to 1].")]
    onset_step: Annotated[float, Field(ge=0, description="The step at which the pathology began [steps].")]
    summary: Annotated[str, Field(description="What is wrong, in one sentence with its numbers.")]
    fired_at: Annotated[datetime, Field(description="Since when it counts: it had held for a while [UTC].")]


class RunOut(Out):
    """A run, without its points."""

    project: Annotated[str, Field(description="The project's name.")]
    run: Annotated[str, Field(description="The run's name.")]
    context: Annotated[ContextOut, Field(description="Facts that the curves do not show.")]
    attempt: Annotated[int, Field(ge=1, description="The latest attempt, counted from 1 [attempts].")]
    config: Annotated[
        dict[str, JsonValue], Field(description="The job's own configuration; NaN and infinities as strings.")
    ]
    tags: Annotated[dict[str, str], Field(description="Labels by name.")]
    commit: Annotated[str | None, Field(description="The commit of the code that trains; null when not known.")]
    created_at: Annotated[datetime, Field(description="When the run was opened [UTC].")]
    updated_at: Annotated[datetime, Field(description="When it last changed: points, facts or state [UTC].")]
    rolled_up_at: Annotated[
        datetime | None,
        Field(description="When long curves were reduced to their bins [UTC]; null when every point is kept."),
    ]
    revision: Annotated[int, Field(ge=0, description="Grows with every change: points, facts or state [changes].")]
    search: Annotated[str | None, Field(description="The search that it is a trial of; null when of none.")]
    search_step: Annotated[
        int | None, Field(description="Which of the seven steps it was made for [1 to 7], as the job said; else null.")
    ]
    curves: Annotated[list[CurveOut], Field(description="What is stored of each curve.")]
    stalled_since: Annotated[
        datetime | None,
        Field(description="Since when a running job has sent nothing for unusually long [UTC]; null when it is not."),
    ]
    findings: Annotated[
        list[ChipOut],
        Field(description="Findings that have fired, the most severe first; judged in the background, seconds late."),
    ]


class RunPage(Page[RunOut]):
    """One page of runs."""


_CONTEXT = {"num_classes": 10, "planned_steps": 12000, "dataset_size": 50_000, "pretrained": "none"}
_OPEN = {"context": _CONTEXT, "config": {"lr": 0.1, "depth": 3}, "tags": {"team": "vision"}, "commit": "9fceb02"}
_RUN: dict[str, Any] = {
    "project": "mnist",
    "run": "r1",
    "context": {
        **_CONTEXT,
        "state": "running",
        "schedule": None,
        "class_priors": None,
        "target_variance": None,
        "dataset_size": 50_000,
        "pretrained": "none",
        "caveats": [],
    },
    "attempt": 1,
    "config": {"lr": 0.1, "depth": 3},
    "tags": {"team": "vision"},
    "commit": "9fceb02",
    "created_at": "2026-01-31T09:00:00Z",
    "updated_at": "2026-01-31T09:02:10Z",
    "rolled_up_at": None,
    "revision": 7,
    "search": "rates",
    "search_step": 4,
    "curves": [{"name": "train/loss", "role": "train/loss", "points": 600, "first_step": 0.0, "last_step": 599.0}],
    "stalled_since": None,
    "findings": [
        {
            "code": "CW005",
            "rule": "overfitting",
            "severity": "warning",
            "confidence": 0.93,
            "onset_step": 420.0,
            "summary": "val/loss has climbed 14 % above its best since step 420",
            "fired_at": "2026-01-31T09:02:00Z",
        }
    ],
}


@router.put(
    "/api/v1/projects/{project}/runs/{run}",
    summary="Open or update a run",
    response_model=RunOut,
    responses=documented(
        UNREADABLE_BODY,
        errors.UnknownSearch,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        INVALID_INPUT,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="The run was there and has been updated.",
        created=("The run was opened, and its project with it when it is the first.", RunOut),
        example=_RUN,
    ),
    openapi_extra=one_body(JSON, RunIn, {"run": _OPEN}, required=False),
)
async def put_run(request: Request, service: ServiceHere, project: ProjectName, run: RunName) -> Response:
    """Open a run before its points are sent, or say more about it at any time; sent again, it changes nothing.

    The body may be empty. What is absent from it stays as it is.
    """
    said = await read_model(request, RunIn, empty=True, limit=FACTS_LIMIT_BYTES)
    update = RunUpdate(
        **(said.context.given() if said.context else {}),
        attempt=said.attempt,
        config=said.config,
        tags=said.tags,
        commit=said.commit,
        search=said.search,
        search_step=said.search_step,
    )
    found, created = await to_thread.run_sync(service.open_run, project, run, update)
    return reply(RunOut.model_validate(found), 201 if created else 200)


@router.get(
    "/api/v1/projects/{project}/runs/{run}",
    summary="Read a run",
    response_model=RunOut,
    responses=documented(
        errors.UnknownProject,
        errors.UnknownRun,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="The run, without its points.",
        example=_RUN,
    ),
)
def get_run(service: ServiceHere, project: ProjectName, run: RunName) -> Response:
    """What is known about a run, and how much is stored of each of its curves."""
    return reply(RunOut.model_validate(service.get_run(project, run)))


@router.get(
    "/api/v1/projects/{project}/runs",
    summary="List a project's runs",
    response_model=RunPage,
    responses=documented(
        errors.UnknownProject,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="One page of runs, in the order that was asked for.",
        example={"items": [_RUN], "next": None},
    ),
)
def list_runs(
    service: ServiceHere,
    project: ProjectName,
    limit: Limit = 100,
    after: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=LONGEST_NAME + 50,
            pattern=NO_CONTROL_CHARACTERS,
            description="Only runs after this place: the `next` of the page before, with the same `sort` and "
            "`descending`. Sorted by name, that is a name.",
        ),
    ] = None,
    finding: Annotated[
        list[str] | None,
        Query(
            max_length=100,
            description="Only runs of which a finding of this rule has fired, by code or name; may be repeated for any "
            "of several.",
        ),
    ] = None,
    severity: Annotated[
        Severity | None,
        Query(description="Only runs with a finding at least so severe; with `finding`, one finding is both."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        Query(
            max_length=100, description="Only runs with this tag, written `key=value`; may be repeated for all of them."
        ),
    ] = None,
    text: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=LONGEST_NAME,
            pattern=NO_CONTROL_CHARACTERS,
            description="Only runs whose name holds this, in capitals or not.",
        ),
    ] = None,
    state: Annotated[
        ShownState | None,
        Query(
            description="Only runs in this state. `stalled` are running jobs that have gone silent, `running` the rest."
        ),
    ] = None,
    since: Annotated[
        datetime | None, Query(description="Only runs that last changed then or later [RFC 3339, with a time zone].")
    ] = None,
    until: Annotated[
        datetime | None, Query(description="Only runs that last changed before then [RFC 3339, with a time zone].")
    ] = None,
    sort: Annotated[SortBy, Query(description="What to sort by; equal ones by name.")] = "name",
    descending: Annotated[bool, Query(description="The largest, latest or worst first.")] = False,
) -> Response:
    """A project's runs, a page at a time, filtered and sorted by what is known of them; no point is read."""
    wanted = RunFilter(
        findings=finding or (),
        severity=severity,
        tags=[_tag(one) for one in tag or ()],
        text=text or "",
        state=state,
        since=since,
        until=until,
        sort=sort,
        descending=descending,
        limit=limit,
        after=after,
    )
    found = find_runs(service.database, project, wanted)
    shown = [RunOut.model_validate(run) for run in service.get_runs(project, [row.run for row in found.rows])]
    return reply(RunPage(items=shown, next=found.next))


def _tag(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals:
        raise InvalidInput(f"query.tag: {written[:100]!r} is no tag; write key=value")
    return name, value


@router.post(
    "/api/v1/projects/{project}/runs/{run}/finish",
    summary="Close a run",
    response_model=RunOut,
    responses=documented(
        UNREADABLE_BODY,
        errors.UnknownProject,
        errors.UnknownRun,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        INVALID_INPUT,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="The run, closed.",
        example={**_RUN, "context": {**_RUN["context"], "state": "finished"}},
    ),
    openapi_extra=one_body(JSON, FinishIn, {"failed": {"state": "failed"}}, required=False),
)
async def finish_run(request: Request, service: ServiceHere, project: ProjectName, run: RunName) -> Response:
    """Say how a run ended; an empty body means that it finished. Late points may still be sent."""
    said = await read_model(request, FinishIn, empty=True, limit=FACTS_LIMIT_BYTES)
    found = await to_thread.run_sync(service.close_run, project, run, said.state)
    return reply(RunOut.model_validate(found))


@router.delete(
    "/api/v1/projects/{project}/runs/{run}",
    summary="Delete a run",
    status_code=204,
    response_class=Response,
    responses=deleted(errors.UnknownProject, errors.UnknownRun, description="The run is gone."),
)
def delete_run(service: ServiceHere, actor: ActorHere, project: ProjectName, run: RunName) -> None:
    """Delete a run: nobody finds it any more, and its points are erased in the background.

    The name is free at once. A job that still sends points to it is answered with 404 unless it opens the run again.
    """
    service.delete_run(project, run, by=actor)
