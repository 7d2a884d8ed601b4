"""Projects: named groups of runs, each with its own role overrides and params."""

from datetime import datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field, JsonValue

from app import errors
from app.api.auth import AccessHere, ActorHere
from app.api.body import FACTS_LIMIT_BYTES, JSON, read_model
from app.api.openapi import deleted, documented, one_body
from app.api.problems import INVALID_INPUT, UNREADABLE_BODY
from app.api.service import ServiceHere
from app.api.wire import After, Limit, Out, Page, ProjectName, Strictly, reply
from app.limits import MOST_DAYS

router = APIRouter(tags=["projects"])


class ProjectIn(Strictly):
    """A project's settings. Null or absent leaves what is set as it is."""

    roles: Annotated[
        dict[str, str] | None,
        Field(
            description="What curves mean, by raw name: a role such as `val/loss`, or empty to leave it unmapped.",
            examples=[{"validation_objective": "val/loss", "box_loss": ""}],
        ),
    ] = None
    params: Annotated[
        dict[str, dict[str, JsonValue]] | None,
        Field(description="Params in place of defaults: rule name, field, value; units are in GET /api/v1/rules."),
    ] = None
    roll_up_after_days: Annotated[
        int | None,
        Field(
            ge=0,
            le=MOST_DAYS,
            description="Long curves of runs that have not changed for so many days keep their bins and lose the "
            "points behind them: means, extremes and the diagnosis stay [days]. 0 keeps every point.",
        ),
    ] = None
    public_status: Annotated[
        bool | None,
        Field(description="Whether the project's badge and metrics are shown to everybody, without a token."),
    ] = None


class ProjectOut(Out):
    """A project and its settings."""

    project: Annotated[str, Field(description="The project's name.")]
    roles: Annotated[dict[str, str], Field(description="Role overrides: raw curve name to role; empty is unmapped.")]
    params: Annotated[
        dict[str, dict[str, JsonValue]],
        Field(description="Params in place of defaults: rule name, field, value; units are in GET /api/v1/rules."),
    ]
    roll_up_after_days: Annotated[
        int, Field(ge=0, description="Runs that have not changed for so long are rolled up [days]; 0 for never.")
    ]
    public_status: Annotated[bool, Field(description="Whether its badge and metrics need no token.")]
    created_at: Annotated[datetime, Field(description="When the project was made [UTC].")]
    runs: Annotated[int, Field(ge=0, description="How many runs it has [runs].")]


class ProjectPage(Page[ProjectOut]):
    """One page of projects, in name order."""


_SETTINGS = {
    "roles": {"validation_objective": "val/loss", "box_loss": ""},
    "params": {},
    "roll_up_after_days": 90,
    "public_status": False,
}
_PROJECT = {"project": "mnist", **_SETTINGS, "created_at": "2026-01-31T09:00:00Z", "runs": 12}


@router.get(
    "/api/v1/projects",
    summary="List projects",
    response_model=ProjectPage,
    responses=documented(
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="One page of projects, in name order.",
        example={"items": [_PROJECT], "next": None},
    ),
)
def list_projects(service: ServiceHere, access: AccessHere, limit: Limit = 100, after: After = None) -> Response:
    """All projects that whoever asks may see, a page at a time."""
    found = service.list_projects(limit=limit + 1, after=after, names=access.projects)
    shown = [ProjectOut.model_validate(project) for project in found[:limit]]
    return reply(ProjectPage(items=shown, next=shown[-1].project if len(found) > limit else None))


@router.get(
    "/api/v1/projects/{project}",
    summary="Read a project",
    response_model=ProjectOut,
    responses=documented(
        errors.UnknownProject,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="The project and its settings.",
        example=_PROJECT,
    ),
)
def get_project(service: ServiceHere, project: ProjectName) -> Response:
    """A project's role overrides and params, and how many runs it has."""
    return reply(ProjectOut.model_validate(service.get_project(project)))


@router.put(
    "/api/v1/projects/{project}",
    summary="Make or configure a project",
    response_model=ProjectOut,
    responses=documented(
        UNREADABLE_BODY,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        INVALID_INPUT,
        errors.InvalidParams,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="The project was there and has been configured.",
        created=("The project was made.", ProjectOut),
        example=_PROJECT,
    ),
    openapi_extra=one_body(JSON, ProjectIn, {"settings": _SETTINGS}, required=False),
)
async def put_project(request: Request, service: ServiceHere, actor: ActorHere, project: ProjectName) -> Response:
    """Set what a project's curves mean and how its rules judge; its diagnoses follow at once.

    A project also comes into being with its first run. The body may be empty.
    """
    said = await read_model(request, ProjectIn, empty=True, limit=FACTS_LIMIT_BYTES)
    found, created = await to_thread.run_sync(
        lambda: service.configure_project(
            project,
            roles=said.roles,
            params=said.params,
            roll_up_after_days=said.roll_up_after_days,
            public_status=said.public_status,
            by=actor,
        )
    )
    return reply(ProjectOut.model_validate(found), 201 if created else 200)


@router.delete(
    "/api/v1/projects/{project}",
    summary="Delete a project",
    status_code=204,
    response_class=Response,
    responses=deleted(errors.UnknownProject, description="The project and all its runs are gone."),
)
def delete_project(service: ServiceHere, actor: ActorHere, project: ProjectName) -> None:
    """Delete a project with all its runs: nobody finds them any more, and their points are erased in the background.

    The name is free at once.
    """
    service.delete_project(project, by=actor)
