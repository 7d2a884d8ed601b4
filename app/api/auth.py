"""Who is let in: the outermost door of the application.

Where the server listens on loopback only, nobody needs a token, and what a web page from elsewhere could do is kept out
by the names of hosts and the origin of requests. Everywhere else a token is needed: as a bearer token, or in the cookie
of a session that the page made of one.

What a token may not see does not exist for it: a project that is not among its own is answered for here, before
anything is looked up, in the words that are used for one that nobody has.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import UNLIMITED, Access, Role, access_in, let_in
from app.api.mlflow.answers import on_curvewise_error as in_mlflows_words
from app.api.needs import Need, need_of
from app.api.problems import answer, nothing_at
from app.api.rates import Rates
from app.errors import CurvewiseError, ForeignRequest, NotAllowed, NotFound, NotLetIn, TooManyRequests, UnknownProject
from app.pages.sessions import COOKIE, open_session
from app.settings import Settings, is_loopback
from app.storage.audit import ANYBODY
from app.tokens import Tokens

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_READ = frozenset({b"host", b"origin", b"authorization", b"cookie", b"accept"})
_SNIFFING = (b"x-content-type-options", b"nosniff")
_REFUSED_AFTER_S = 0.25
_MAY: Mapping[Role, str] = {"read": "read", "write": "read and write", "admin": "do everything"}
# Probes call a container or a pod by its address; what they are told is for everybody.
_PROBES = frozenset({"/healthz", "/readyz"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class UnknownPath(NotFound):
    """What is there is nothing to whoever asks."""


class Door:
    """ASGI middleware, to be the outermost."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._closed = settings.needs_token
        self._hosts = _hosts(settings)
        self._rates = Rates(settings.token_requests_per_s)
        self._notes: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        send = _unsniffed(send)
        headers = _headers(scope)
        try:
            self._check_where_from(scope["method"], scope["path"], headers)
            access = await self._access(scope, headers) if self._closed else UNLIMITED
        except CurvewiseError as error:
            if isinstance(error, TooManyRequests):
                # Whoever asks again at once, whatever the answer, asks no more often than this for each connection.
                await asyncio.sleep(_REFUSED_AFTER_S)
            return await (await _refusal(scope, headers, error))(scope, receive, send)
        let_in(scope, access)
        return await self._app(scope, receive, send)

    def _check_where_from(self, method: str, path: str, headers: Mapping[bytes, str]) -> None:
        host = headers.get(b"host", "")
        if self._hosts is not None and _name(host) not in self._hosts and path not in _PROBES:
            raise ForeignRequest(
                f"this server is not {_name(host)[:100]!a}; if it is, start it with --allowed-host {_name(host)[:100]}"
            )
        # A page of another site: browsers say so whenever one makes them write.
        origin = headers.get(b"origin")
        if method not in _READS and origin is not None and origin.partition("://")[2] != host:
            raise ForeignRequest(f"a page of {origin[:100]!a} may not write here")

    async def _access(self, scope: Scope, headers: Mapping[bytes, str]) -> Access | None:
        """What is allowed to whoever asks; None where nobody needs to be known. Raises what keeps them out."""
        need = need_of(scope["method"], scope["path"])
        access = await self._who(scope, headers, wanted=need.audience != "anybody")
        if access is not None:
            self._rates.take(access.token)
            self._note_use(scope, access)
        if need.audience == "anybody":
            return access
        if access is None:
            return await self._without_token(scope, need)
        _check(need, access, scope["path"])
        return access

    async def _who(self, scope: Scope, headers: Mapping[bytes, str], *, wanted: bool) -> Access | None:
        tokens: Tokens = scope["app"].state.service.tokens
        if (said := headers.get(b"authorization")) is not None:
            sent = _BEARER.fullmatch(said)
            access = await to_thread.run_sync(tokens.access, sent[1]) if sent else None
            if access is None and wanted:
                raise NotLetIn("this token lets nobody in: it is unknown, expired or revoked")
            return access
        if (cookie := Request(scope).cookies.get(COOKIE)) is not None:
            # A browser sends the cookie whoever makes it ask; of what writes it also says which page that was.
            if wanted and scope["method"] not in _READS and b"origin" not in headers:
                raise ForeignRequest(
                    "a session writes from a page of this server only; send a token to write otherwise"
                )
            return await to_thread.run_sync(open_session, tokens, cookie)
        return None

    async def _without_token(self, scope: Scope, need: Need) -> Access:
        """What projects have opened to everybody, where that is what is asked for."""
        if need.opened_by_project:
            public = await to_thread.run_sync(scope["app"].state.service.public_projects)
            shown = public if need.project is None else public & {need.project}
            if shown:
                return Access("read", shown)
        raise NotLetIn("a token is needed: send `Authorization: Bearer TOKEN`; `curvewise token create` makes one")

    def _note_use(self, scope: Scope, access: Access) -> None:
        tokens: Tokens = scope["app"].state.service.tokens
        if tokens.use_is_due(access):
            task = asyncio.create_task(to_thread.run_sync(tokens.note_use, access))
            self._notes.add(task)
            task.add_done_callback(self._notes.discard)


def access_of(request: Request) -> Access:
    """What whoever asks may see and do; nothing of any project where a path is open to everybody."""
    return access_in(request.scope)


def actor(request: Request) -> str:
    """What the audit trail calls whoever asks."""
    return access_of(request).token or ANYBODY


AccessHere = Annotated[Access, Depends(access_of)]
ActorHere = Annotated[str, Depends(actor)]


def _check(need: Need, access: Access, path: str) -> None:
    """Raise what is answered to whoever may not do this. What they may not see is not there."""
    if need.project is not None and not access.sees(need.project):
        raise UnknownProject(f"there is no project {need.project!r}")
    if need.everywhere and access.projects is not None:
        raise UnknownPath(path)
    if not access.may(need.role):
        raise NotAllowed(f"this token may {_MAY[access.role]}, and this takes one that may {_MAY[need.role]}")


async def _refusal(scope: Scope, headers: Mapping[bytes, str], error: CurvewiseError) -> Response:
    if isinstance(error, UnknownPath):
        return nothing_at(scope["path"])
    if need_of(scope["method"], scope["path"]).audience == "mlflow":
        return await in_mlflows_words(Request(scope), error)
    wants_page = scope["method"] == "GET" and "text/html" in headers.get(b"accept", "")
    if isinstance(error, NotLetIn) and wants_page and not scope["path"].startswith("/api/"):
        query = scope["query_string"].decode("latin-1")
        there = quote(scope["path"]) + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(there, safe='')}", 303)
    return await answer(Request(scope), error)


def _unsniffed(send: Send) -> Send:
    """No browser takes a reply for another type than it says, as the names in it could make it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            if _SNIFFING not in headers:
                message["headers"] = [*headers, _SNIFFING]
        await send(message)

    return sending


def _headers(scope: Scope) -> Mapping[bytes, str]:
    """The few that are looked at, by their names in lower case."""
    return {name: value.decode("latin-1") for name, value in scope["headers"] if name in _READ}


def _hosts(settings: Settings) -> frozenset[str] | None:
    """The names of this server in lower case; None for any. A loopback address has no other: what a stranger's name
    server says is no reason to let the stranger's page in.
    """
    named = frozenset(name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip())
    if is_loopback(settings.host):
        return named | _LOCAL | {settings.host.lower()}
    return named or None


def _name(host: str) -> str:
    """The host of a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
