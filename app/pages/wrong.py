"""Errors as pages, for whoever asks for a page."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import Response

from app.pages.render import page

_FOR_PROGRAMS = ("/api/", "/mlflow/", "/openapi.json")


def wants_page(request: Request) -> bool:
    """Whether a browser is going there: programs, and the scripts of the page itself, do not ask for HTML."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_FOR_PROGRAMS)


def wrong(request: Request, status: int, title: str, detail: str, headers: Mapping[str, str]) -> Response:
    """What went wrong, in the words that a program gets too. headers: more of the reply."""
    shown = page(request, "wrong.html", status=status, title=title, detail=detail)
    shown.headers.update(headers)
    return shown
