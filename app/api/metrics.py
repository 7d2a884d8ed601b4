"""What the server measures of itself, for Prometheus; and the stopwatch that routes are timed with."""

import time

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import access_in
from app.api.openapi import plain

router = APIRouter(tags=["health"])

_TEXT = "text/plain"
_BATCHES = ("/points", "/runs/log-batch", "/runs/log-metric")
_DIAGNOSES = {"/diagnosis": "run", "/diagnoses": "project", "/diagnose": "body"}


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses=plain(
        _TEXT,
        description="Prometheus' text, or OpenMetrics where Accept asks for it.",
        example='# TYPE curvewise_runs gauge\ncurvewise_runs{project="mnist",state="running"} 3.0\n',
    ),
)
def get_metrics(request: Request) -> Response:
    """Findings and runs by project, points taken and refused, how long ingest and diagnoses take.

    Any worker and any replica answers alike for what stands in the database; what a process counts as it happens is
    summed over the workers of one server, and is each replica's own.
    """
    accept = request.headers.get("Accept", "")
    seen = access_in(request.scope).projects
    content, media_type = request.app.state.meters.exposition(accept, request.app.state.standing, seen)
    return Response(content, media_type=media_type)


class Timed:
    """ASGI middleware: times batches of points and diagnoses, but for the batches that take the short way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        path: str = scope.get("path", "")
        of = _DIAGNOSES.get(path[path.rfind("/") :])
        if scope["type"] != "http" or not (of or path.endswith(_BATCHES)):
            await self._app(scope, receive, send)
            return
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        meters = scope["app"].state.meters  # a mounted application takes that place in the scope
        begun = time.perf_counter()
        try:
            await self._app(scope, receive, noted)
        finally:
            took_s = time.perf_counter() - begun
            if of and status == 200:
                meters.diagnosed(took_s, of)
            elif not of and status and scope["method"] == "POST":
                meters.ingested(took_s, status)
