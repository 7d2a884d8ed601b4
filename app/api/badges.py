"""Badges: how a project stands, for a README."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import Field
from pydantic_core import to_json

from app import errors
from app.access import Access
from app.api.auth import AccessHere
from app.api.negotiation import etag_of, is_known
from app.api.openapi import Responses, documented, plain
from app.api.problems import INVALID_INPUT
from app.api.service import ServiceHere
from app.api.wire import NO_CONTROL_CHARACTERS, Out, ProjectName
from app.limits import LONGEST_NAME
from app.listing import chips, codes_of, stalled_since
from app.reports.badge import Badge, Stand, badge, shields, svg, unknown
from app.rules.catalogue import CATALOGUE
from app.storage import listing, runs, standings
from app.storage.database import Database
from app.storage.latest import latest_runs

router = APIRouter(tags=["badges"])

_SVG = "image/svg+xml"
_CACHED_S = 60
_ETAG = {"ETag": {"description": "Names this very badge, for If-None-Match.", "schema": {"type": "string"}}}

_Name = Annotated[
    str | None,
    Query(min_length=1, max_length=LONGEST_NAME, pattern=NO_CONTROL_CHARACTERS, description="Only this run."),
]
_Branch = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=NO_CONTROL_CHARACTERS,
        description="The latest runs of this branch: those whose tag `branch` is so; main or master when absent.",
    ),
]
_Rule = Annotated[
    str | None, Query(max_length=100, description="Only what this rule found, by code or name.", examples=["CW005"])
]
_Known = Annotated[str, Header(description="The ETag of a badge that the client has.", examples=['"0f3c"'])]


class ShieldsOut(Out):
    """What the endpoint badge of shields.io reads."""

    schemaVersion: Annotated[int, Field(description="Always 1 [version].")]  # noqa: N815 - the names are theirs
    label: Annotated[str, Field(description="The left side.")]
    message: Annotated[str, Field(min_length=1, description="The right side: the worst there is, or that nothing is.")]
    color: Annotated[str, Field(description="The right side's colour, by a name that shields knows.")]
    isError: Annotated[bool, Field(description="There is no such project or run.")]  # noqa: N815
    cacheSeconds: Annotated[int, Field(ge=300, description="How long it may be kept [s].")]  # noqa: N815


def _cached(found: Responses) -> Responses:
    found[200]["headers"] = _ETAG
    return {**found, 304: {"description": "The badge is the one that If-None-Match names.", "headers": _ETAG}}


# The more particular endings first: a project's name may hold a full stop.
@router.get(
    "/badge/{project}.svg",
    summary="A badge",
    response_class=Response,
    responses=_cached(
        plain(
            _SVG,
            INVALID_INPUT,
            errors.StorageUnavailable,
            description="A picture, with its text as its title.",
            example='<svg xmlns="http://www.w3.org/2000/svg" role="img"><title>mnist: overfitting</title></svg>',
        )
    ),
)
def get_badge(
    service: ServiceHere,
    access: AccessHere,
    project: ProjectName,
    run: _Name = None,
    branch: _Branch = None,
    rule: _Rule = None,
    if_none_match: _Known = "",
) -> Response:
    """The worst that stands in the project's latest runs: those of the newest commit on its main branch.

    Runs say their branch by the tag `branch`; where none does, all count. A project that is not there has a grey badge,
    not an error, for pages show no picture that comes with one.
    """
    drawn = _badge(service.database, project, run, branch, rule)
    # Opened by itself, a picture is a page: it may load and run nothing.
    guarded = {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}
    return _reply(svg(drawn).encode(), _SVG, if_none_match, {**guarded, **_kept(access)})


@router.get(
    "/badge/{project}.json",
    summary="A badge for shields.io",
    response_model=ShieldsOut,
    responses=_cached(
        documented(
            INVALID_INPUT,
            errors.StorageUnavailable,
            description="What the endpoint badge of shields.io reads.",
            example={
                "schemaVersion": 1,
                "label": "learning curves",
                "message": "overfitting",
                "color": "orange",
                "isError": False,
                "cacheSeconds": 300,
            },
        )
    ),
)
def get_shields_badge(
    service: ServiceHere,
    access: AccessHere,
    project: ProjectName,
    run: _Name = None,
    branch: _Branch = None,
    rule: _Rule = None,
    if_none_match: _Known = "",
) -> Response:
    """The same for `https://img.shields.io/endpoint?url=…`, which draws it in its own styles."""
    drawn = _badge(service.database, project, run, branch, rule)
    return _reply(to_json(shields(drawn)), "application/json", if_none_match, _kept(access))


def _badge(database: Database, project: str, run: str | None, branch: str | None, rule: str | None) -> Badge:
    wanted = next(one.name for one in CATALOGUE if one.code in codes_of([rule])) if rule else None
    with database.reading() as connection:
        home = runs.find_project(connection, project)
        if home is None:
            return unknown("no such project", project)
        if run is not None:
            found = runs.find_run(connection, home.id, run)
            if found is None:
                return unknown("no such run", f"{project}/{run}")
            ids = [found.id]
        else:
            ids = latest_runs(connection, home.id, None if branch is None else (branch,))
        shown = listing.load(connection, ids)
        stood = standings.find(connection, ids)
    stands = [
        Stand(
            state=one.state,
            stalled=one.state == "running" and stalled_since(stood.get(one.id), one.revision) is not None,
            judged=one.id in stood,
            findings=[(chip.rule, chip.severity) for chip in chips(stood.get(one.id))],
        )
        for one in shown
    ]
    return badge(project if run is None else f"{project}/{run}", stands, wanted)


def _kept(access: Access) -> dict[str, str]:
    """What was shown for a token is for its browser alone to keep."""
    return {"Cache-Control": f"max-age={_CACHED_S}" if access.token is None else f"private, max-age={_CACHED_S}"}


def _reply(content: bytes, media_type: str, if_none_match: str, headers: Mapping[str, str]) -> Response:
    etag = etag_of(content)
    headers = {**headers, "ETag": etag}
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=dict(headers))
    return Response(content, 200, dict(headers), media_type)
