"""The way in for people: a token is pasted once, and a session begins."""

from typing import Annotated
from urllib.parse import parse_qs

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.access import access_in
from app.errors import TooLarge
from app.pages.render import page
from app.pages.service import ServiceHere
from app.pages.sessions import end_session, start_session

router = APIRouter(include_in_schema=False)

_LARGEST_FORM = 8192  # [bytes]
_Next = Annotated[str, Query()]


@router.get("/login")
def show_login(request: Request, next: _Next = "/") -> Response:  # noqa: A002 - the name of the query parameter
    """Asks for a token."""
    return page(request, "login.html", next=_here(next), wrong="", signed_in=access_in(request.scope).token)


@router.post("/login")
async def log_in(request: Request, service: ServiceHere) -> Response:
    """Begins a session. The door has seen that the form was sent from a page of this server."""
    form = await _form(request)
    there = _here(form.get("next", "/"))
    access = await to_thread.run_sync(service.tokens.access, form.get("token", "").strip())
    if access is None:
        wrong = "This token lets nobody in: it is unknown, expired or revoked."
        return page(request, "login.html", status=401, next=there, wrong=wrong, signed_in=None)
    reply = RedirectResponse(_base(request) + there, 303)
    await to_thread.run_sync(lambda: start_session(reply, service.tokens, access, secure=request.url.scheme == "https"))
    return reply


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Ends the session in this browser; the token stays what it was."""
    reply = RedirectResponse(f"{_base(request)}/login", 303)
    end_session(reply)
    return reply


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise TooLarge(f"the form is over {_LARGEST_FORM} bytes")
    # What is no text in UTF-8 is no token either.
    fields = parse_qs(body.decode(errors="replace"), max_num_fields=10)
    return {name: values[-1] for name, values in fields.items()}


def _here(path: str) -> str:
    """A path of this server; anything that could lead elsewhere is its first page."""
    local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if local else "/"


def _base(request: Request) -> str:
    base: str = request.scope.get("root_path", "")
    return base.rstrip("/")
