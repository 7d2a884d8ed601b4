"""What went wrong, as application/problem+json (RFC 9457): the one map from errors to HTTP."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match

from app import errors
from app.api.wire import RejectedOut
from app.pages.wrong import wants_page, wrong

MEDIA_TYPE = "application/problem+json"
URN = "urn:curvewise:problem:"

# A body with a million wrong fields is described by its first hundred: the reply must not outgrow the request.
LISTED_ERRORS = 100
_KEPT_HEADERS = {"allow", "connection", "retry-after"}


@dataclass(frozen=True)
class Kind:
    """One problem type: the last part of its URN, its HTTP status, its title, and a detail as an example."""

    name: str
    status: int
    title: str
    example: str

    @property
    def type(self) -> str:
        """The URN that stands in a problem document's `type`."""
        return URN + self.name


UNREADABLE_BODY = Kind(
    "unreadable-body", 400, "The body cannot be read", "the body is not JSON: expected value at line 1 column 9"
)
BAD_REQUEST = Kind("bad-request", 400, "The request cannot be read", "the request is not HTTP as it should be")
NO_SUCH_PATH = Kind("no-such-path", 404, "Nothing is at this path", "nothing is at /api/v2; see /openapi.json")
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, "The path does not take this method", "DELETE is not taken at /api/v1/rules; use GET"
)
INVALID_INPUT = Kind(
    "invalid-input", 422, "What was sent cannot be meant", "body.context.num_classes: Input should be a valid integer"
)
POINTS_REFUSED = Kind(
    "points-refused",
    422,
    "Points were refused, and nothing was stored",
    "all 2 points were refused, see `rejected`; point 0 of train/loss: a step is 0 or more",
)
INTERNAL = Kind(
    "internal", 500, "The server failed", "an unexpected error; nothing is known to be stored. See the server's log."
)

# The most particular class of an error decides, so that a new subclass is never less than its parent.
BY_ERROR: Mapping[type[errors.CurvewiseError], Kind] = {
    errors.InvalidInput: INVALID_INPUT,
    errors.UnreadableBody: UNREADABLE_BODY,
    errors.InvalidParams: Kind(
        "invalid-params", 422, "A rule does not take these params", "params name no such rule: overfiting"
    ),
    errors.LimitReached: Kind(
        "limit-reached", 422, "There may be no more of these", "project 'mnist' has 100000 runs, and no more are opened"
    ),
    errors.NotFound: Kind("not-found", 404, "No such thing", "there is no such thing"),
    errors.UnknownProject: Kind("unknown-project", 404, "No such project", "there is no project 'mnist'"),
    errors.UnknownRun: Kind("unknown-run", 404, "No such run", "project 'mnist' has no run 'r1'"),
    errors.UnknownCurve: Kind("unknown-curve", 404, "No such curve", "run 'r1' has no curve 'train/los'"),
    errors.UnknownSearch: Kind("unknown-search", 404, "No such search", "project 'mnist' has no search 'rates'"),
    errors.UnknownToken: Kind("unknown-token", 404, "No such token", "there is no token '0a1b2c3d4e'"),
    errors.NotLetIn: Kind(
        "not-let-in", 401, "A token is needed", "a token is needed: send `Authorization: Bearer TOKEN`"
    ),
    errors.NotAllowed: Kind(
        "not-allowed", 403, "The token does not allow this", "this token may read, and this takes one that may write"
    ),
    errors.ForeignRequest: Kind(
        "foreign-request", 403, "The request comes from elsewhere", "a page of 'https://example.com' may not write here"
    ),
    errors.TooManyRequests: Kind(
        "too-many-requests", 429, "The token was used too often", "this token may be used 300 times a second"
    ),
    errors.UnknownWebhook: Kind("unknown-webhook", 404, "No such webhook", "project 'mnist' has no webhook 7"),
    errors.UnknownDelivery: Kind("unknown-delivery", 404, "No such delivery", "webhook 7 has no delivery 12"),
    errors.UnknownPredictions: Kind(
        "unknown-predictions", 404, "No such predictions", "run 'r1' has no predictions of step 4200"
    ),
    errors.SlowBody: Kind(
        "slow-body", 408, "The body did not arrive in time", "the body did not arrive within 60 s; send it in parts"
    ),
    errors.TooLarge: Kind(
        "too-large", 413, "The body is over the limit", "the body is over 33554432 bytes; send it in smaller parts"
    ),
    errors.UnsupportedEncoding: Kind(
        "unsupported-encoding",
        415,
        "The body's encoding or media type is not read here",
        "Content-Encoding 'br' is not read here; send gzip, zstd or identity",
    ),
    errors.Unavailable: Kind("unavailable", 503, "Try again later", "nothing was stored; try again later"),
    errors.Overloaded: Kind(
        "overloaded", 503, "Too many points wait to be written", "2000000 points wait; send these again later"
    ),
    errors.StorageUnavailable: Kind(
        "storage-unavailable", 503, "The database does not answer", "the database is locked; try again"
    ),
    errors.StorageFull: Kind("storage-full", 507, "The database has no room left", "the disk is full"),
    errors.MissingExtra: Kind(
        "not-installed", 501, "This server lacks a part", "importance needs Optuna: pip install 'curvewise[search]'"
    ),
    errors.SchemaMismatch: Kind(
        "schema-mismatch", 503, "The database has another schema", "run `curvewise migrate` and start again"
    ),
}


class FieldError(BaseModel):
    """One thing wrong with a request."""

    where: Annotated[
        str, Field(description="The place, as a path from body, query or path.", examples=["body.context.num_classes"])
    ]
    reason: Annotated[str, Field(description="What is wrong there.", examples=["Input should be a valid integer"])]


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: Annotated[
        str, Field(description="What kind of problem it is; compare this one.", examples=[f"{URN}unknown-run"])
    ]
    title: Annotated[str, Field(description="The kind of problem in words; the same for every problem of the type.")]
    status: Annotated[int, Field(ge=400, le=599, description="The HTTP status of the reply.")]
    detail: Annotated[str, Field(description="What was wrong, where, and what to do about it.")]
    errors: Annotated[
        list[FieldError] | None,
        Field(description=f"Every wrong field, the first {LISTED_ERRORS} at most; absent when there is only `detail`."),
    ] = None
    rejected: Annotated[
        list[RejectedOut] | None,
        Field(description="The refused points; only on `points-refused`."),
    ] = None


def kind_of(error: errors.CurvewiseError) -> Kind:
    """The problem type of an error, by its most particular class."""
    return next((BY_ERROR[cls] for cls in type(error).__mro__ if cls in BY_ERROR), INTERNAL)


def problem(
    kind: Kind,
    detail: str,
    *,
    errors: Sequence[FieldError] | None = None,
    rejected: Sequence[RejectedOut] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The reply that carries one problem document."""
    document = Problem(type=kind.type, title=kind.title, status=kind.status, detail=detail)
    if errors is not None:
        document.errors = list(errors)
    if rejected is not None:
        document.rejected = list(rejected)
    # Absent, not null, where there is nothing to list; but a null within the list says something.
    content = document.model_dump_json(exclude_unset=True)
    return Response(content, kind.status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every error of the app with a problem document; `routes` are all that it serves."""
    app.state.served_routes = tuple(routes)
    for error in HANDLED:
        app.add_exception_handler(error, answer)
    app.add_exception_handler(Exception, _on_anything_else)


async def answer(request: Request, error: Exception) -> Response:
    """The problem document for one of the errors that are HANDLED; a page that says the same, to a browser."""
    response = await next(_HANDLERS[cls] for cls in type(error).__mro__ if cls in _HANDLERS)(request, error)
    return _for_people(request, response)


def _for_people(request: Request, response: Response) -> Response:
    if not wants_page(request):
        return response
    document = json.loads(bytes(response.body))
    kept = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
    return wrong(request, response.status_code, document["title"], document["detail"], kept)


async def _on_curvewise_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.CurvewiseError)  # noqa: S101 - it was registered for this class only
    return problem(kind_of(error), str(error), headers=headers_of(error))


def headers_of(error: errors.CurvewiseError) -> dict[str, str] | None:
    """What an error says in the header of its reply, whatever its body looks like."""
    if isinstance(error, errors.Unavailable):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, errors.TooManyRequests) and error.per_s == 0:
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, errors.TooManyRequests):
        # As the IETF's draft on rate limits names them: what is allowed, and what is left of it until when.
        limit = f'"token";q={error.per_s};w=1'
        left = f'"token";r=0;t={error.retry_after_s}'
        return {"Retry-After": str(error.retry_after_s), "RateLimit-Policy": limit, "RateLimit": left}
    if isinstance(error, errors.SlowBody):
        return {"Connection": "close"}  # the rest of it is not waited for
    if isinstance(error, errors.NotLetIn):
        return {"WWW-Authenticate": 'Bearer realm="curvewise"'}
    return None


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [_field_error(item) for item in error.errors()[:LISTED_ERRORS]]
    first = found[0]
    more = f" (and {len(error.errors()) - 1} more, see errors)" if len(error.errors()) > 1 else ""
    return problem(INVALID_INPUT, f"{first.where}: {first.reason}{more}", errors=found)


def _field_error(item: Mapping[str, Any]) -> FieldError:
    reason = str(item["msg"])
    if item["type"] == "extra_forbidden":
        reason = "no such field"
    return FieldError(where=".".join(str(part) for part in item["loc"]), reason=reason)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """404 and 405 of the router, and whatever else the framework raises by status alone."""
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == METHOD_NOT_ALLOWED.status:
        allowed = ", ".join(_methods_at(request)) or (error.headers or {}).get("Allow", "")
        detail = f"{request.method} is not taken at {request.url.path}; use {allowed}"
        return problem(METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})
    if error.status_code == NO_SUCH_PATH.status:
        return nothing_at(request.url.path)
    kind = Kind(f"http-{error.status_code}", error.status_code, "The request failed", "")
    return problem(BAD_REQUEST if error.status_code == BAD_REQUEST.status else kind, str(error.detail))


def nothing_at(path: str) -> Response:
    """What is said of a path that nobody serves, and of one that does not exist for whoever asks."""
    return problem(NO_SUCH_PATH, f"nothing is at {path}; the paths are listed at /openapi.json")


def _methods_at(request: Request) -> list[str]:
    # The router stops at the first route whose path fits and names only that one's methods; each of ours has one.
    methods: set[str] = set()
    for route in request.app.state.served_routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods)


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    """Nobody reads this reply; it keeps an aborted upload from being logged as a failure of the server."""
    return problem(UNREADABLE_BODY, "the connection was closed before the body was complete")


async def _on_anything_else(request: Request, _error: Exception) -> Response:
    """Says nothing about the inside; Starlette raises the error again after this, and the server logs it."""
    # The server hangs up on an error that reaches it: said aloud, so that no client sends its next request into that.
    return _for_people(request, problem(INTERNAL, INTERNAL.example, headers={"Connection": "close"}))


_HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    errors.CurvewiseError: _on_curvewise_error,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_exception,
    ClientDisconnect: _on_disconnect,
}
HANDLED = tuple(_HANDLERS)
