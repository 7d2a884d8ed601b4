"""Replies in MLflow's own words: JSON objects, and errors as `{"error_code": ..., "message": ...}`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app import errors
from app.api.problems import headers_of
from app.api.wire import reply
from app.errors import CurvewiseError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Code:
    """An error code that MLflow's clients know, and the HTTP status that it comes with."""

    name: str
    status: int


INVALID = Code("INVALID_PARAMETER_VALUE", 400)
UNREADABLE = Code("MALFORMED_REQUEST", 400)
TOO_LARGE = Code("BAD_REQUEST", 413)
SLOW = Code("BAD_REQUEST", 408)  # which clients try again
UNKNOWN = Code("RESOURCE_DOES_NOT_EXIST", 404)
EXISTS = Code("RESOURCE_ALREADY_EXISTS", 400)
NO_ENDPOINT = Code("ENDPOINT_NOT_FOUND", 404)
NOT_DONE_HERE = Code("NOT_IMPLEMENTED", 501)  # a status that clients do not try again
# A full disk as well: 507 is no status that clients try again, and 503 is.
NO_TOKEN = Code("UNAUTHENTICATED", 401)
NOT_ALLOWED = Code("PERMISSION_DENIED", 403)
TOO_OFTEN = Code("REQUEST_LIMIT_EXCEEDED", 429)
LATER = Code("TEMPORARILY_UNAVAILABLE", 503)
INTERNAL = Code("INTERNAL_ERROR", 500)

_BY_ERROR: Mapping[type[Exception], Code] = {
    errors.InvalidInput: INVALID,
    errors.UnreadableBody: UNREADABLE,
    errors.NotFound: UNKNOWN,
    errors.TooLarge: TOO_LARGE,
    errors.SlowBody: SLOW,
    errors.UnsupportedEncoding: UNREADABLE,
    errors.NotLetIn: NO_TOKEN,
    errors.NotAllowed: NOT_ALLOWED,
    errors.ForeignRequest: NOT_ALLOWED,
    errors.TooManyRequests: TOO_OFTEN,
    errors.Unavailable: LATER,
    errors.SchemaMismatch: LATER,
    errors.MissingExtra: NOT_DONE_HERE,
}


class Refused(Exception):
    """A request that is answered with an error of MLflow's."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def refusal(code: Code, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """The reply that says why not."""
    return reply({"error_code": code.name, "message": message}, code.status, headers)


async def on_refused(_request: Request, error: Exception) -> Response:
    """What a handler refused by itself."""
    assert isinstance(error, Refused)  # noqa: S101 - it was registered for this class only
    return refusal(error.code, str(error))


async def on_curvewise_error(_request: Request, error: Exception) -> Response:
    """Everything that Curvewise raises on purpose."""
    assert isinstance(error, CurvewiseError)  # noqa: S101
    code = next((_BY_ERROR[cls] for cls in type(error).__mro__ if cls in _BY_ERROR), INTERNAL)
    return refusal(code, str(error), headers_of(error))


async def on_invalid_request(_request: Request, error: Exception) -> Response:
    """A field that is missing or wrong; the first of them is told."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return refusal(INVALID, f"{where}: {str(first['msg']).removeprefix('Value error, ')}")


async def on_http_exception(request: Request, error: Exception) -> Response:
    """The router's own 404 and 405: what is outside of the subset."""
    assert isinstance(error, HTTPException)  # noqa: S101
    return not_served(request)


async def on_disconnect(_request: Request, _error: Exception) -> Response:
    """Nobody reads this."""
    return refusal(UNREADABLE, "the connection was closed before the body was complete")


async def on_anything_else(_request: Request, error: Exception) -> Response:
    """Says nothing about the inside; the server's log does."""
    _log.error("a request of an MLflow client failed", exc_info=error)
    return refusal(INTERNAL, "an unexpected error; see the server's log", {"Connection": "close"})


def not_served(request: Request) -> Response:
    """What Curvewise does not do of MLflow."""
    what = f"{request.method} {request.url.path}"
    told = "Curvewise keeps experiments, runs, params, tags and metrics of MLflow's clients, and nothing else of MLflow"
    return refusal(NO_ENDPOINT, f"{what} is not served here: {told}")
