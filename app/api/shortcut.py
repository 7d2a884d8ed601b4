"""The short way to the busiest path: batches of points go around the framework's routing and its reading of parameters.

These cost more than all that Curvewise does with a small batch, its share of the commit included. Only requests whose
names are plain and that have no query come this way; everything else, mistakes in names among it, takes the long one to
the very same function.
"""

import re
import time

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.points import send_points
from app.api.problems import HANDLED, answer

_PLAIN = re.compile(r"/api/v1/projects/(\w[\w.-]{0,99})/runs/(\w[\w.-]{0,99})/points", re.ASCII)


class Shortcut:
    """ASGI middleware, to be the outermost: answers batches of points itself and passes on the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        plain = scope["type"] == "http" and scope["method"] == "POST" and not scope["query_string"]
        if plain and (named := _PLAIN.fullmatch(scope["path"])):
            await _send_points(Request(scope, receive), send, *named.groups())
        else:
            await self._app(scope, receive, send)


async def _send_points(request: Request, send: Send, project: str, run: str) -> None:
    begun = time.perf_counter()
    try:
        response = await send_points(request, request.app.state.service, project, run, attempt=None)
    except HANDLED as error:
        response = await answer(request, error)
    request.app.state.meters.ingested(time.perf_counter() - begun, response.status_code)
    await response(request.scope, request.receive, send)
