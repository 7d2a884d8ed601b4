"""Projects; and on an empty server, what to do to see one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.access import access_in
from app.pages.render import page
from app.pages.service import ServiceHere
from app.pages.snippets import snippets
from app.pages.vega import begin_packing

_PROJECTS_A_PAGE = 200

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_projects(request: Request, service: ServiceHere, after: Annotated[str | None, Query()] = None) -> Response:
    """All projects that whoever asks may see, a page at a time."""
    begin_packing()  # by the time that somebody has found a run, its chart can be drawn
    found = service.list_projects(
        limit=_PROJECTS_A_PAGE + 1, after=after or None, names=access_in(request.scope).projects
    )
    shown = found[:_PROJECTS_A_PAGE]
    address = str(request.base_url).rstrip("/")
    return page(
        request,
        "projects.html",
        here="projects",
        projects=shown,
        after=after,
        next=shown[-1].project if len(found) > len(shown) else None,
        address=address,
        snippets=snippets(address),
    )
