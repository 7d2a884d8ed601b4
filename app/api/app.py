"""The application: every room wired together, nothing made at import."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import wait
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api import (
    actions,
    advice,
    attempts,
    badges,
    curves,
    deliveries,
    diagnoses,
    events,
    findings,
    health,
    metrics,
    points,
    predictions,
    problems,
    projects,
    request_log,
    rules,
    runs,
    schedules,
    searches,
    webhooks,
)
from app.api.auth import Door
from app.api.mlflow.app import PREFIX as MLFLOW
from app.api.mlflow.app import make_app as make_mlflow_app
from app.api.negotiation import CURVEWISE_VERSION
from app.api.openapi import complete
from app.api.rates import Streams
from app.api.request_log import RequestLog
from app.api.shortcut import Shortcut
from app.api.stopping import before_waiting
from app.live import Live
from app.meters import Meters, Standing
from app.pages.app import ROUTERS as PAGES
from app.pages.app import ROUTES as PAGE_ROUTES
from app.service import make_service
from app.settings import Settings, settings_from
from app.webhooks.courier import Courier, Manners

_NOUNS = (  # routes are tried in order: the busiest first
    points,
    runs,
    attempts,
    diagnoses,
    findings,
    curves,
    events,
    actions,
    predictions,
    projects,
    searches,
    webhooks,
    deliveries,
    badges,
    rules,
    schedules,
    advice,
    health,
    metrics,
)
_BODIES = (
    projects.ProjectIn,
    runs.RunIn,
    runs.FinishIn,
    points.PointsIn,
    diagnoses.DiagnoseIn,
    webhooks.WebhookIn,
    searches.SearchIn,
    actions.ActionIn,
)
_ROUTES = [route for noun in _NOUNS for route in noun.router.routes if isinstance(route, APIRoute)]
_LARGE_BODIES_AT_ONCE = 2

_DESCRIPTION = """\
Send a training job's metrics while it runs, and read back which documented pathologies its curves show, on what
evidence, and what to do about it. Errors are problem documents (RFC 9457). NaN and infinities are values like any
other: they are read as bare tokens or as strings, and always leave as the strings `NaN`, `Infinity`, `-Infinity`.
"""
_TAGS = [
    {"name": "projects", "description": "Named groups of runs, with their own settings."},
    {"name": "runs", "description": "Training jobs, and what they said about themselves."},
    {"name": "points", "description": "Metrics in."},
    {"name": "diagnoses", "description": "Findings out."},
    {"name": "curves", "description": "Metrics back out."},
    {"name": "searches", "description": "Choosing hyper-parameters in seven steps, over the runs that were made."},
    {"name": "after training", "description": "Checkpoints to keep and to average, and what averaging gains."},
    {"name": "webhooks", "description": "Being told what happens to runs."},
    {"name": "badges", "description": "How a project stands, as a picture."},
    {"name": "rules", "description": "What is looked for."},
    {"name": "schedules", "description": "Learning rates, step by step."},
    {"name": "advice", "description": "What to do that no curve shows."},
    {"name": "health", "description": "Probes, and what the server measures of itself."},
]


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi(), _ROUTES, _BODIES)
        return self.openapi_schema


def create_app(settings: Settings) -> FastAPI:
    """An application for these settings. Its lifespan opens the database and closes it, and raises SchemaMismatch."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.streams = Streams(settings.streams)
        app.state.decoders = CapacityLimiter(_LARGE_BODIES_AT_ONCE)
        app.state.meters = meters = Meters()
        app.state.service = service = make_service(settings, meters)
        app.state.standing = Standing(service.database, settings.metrics_projects)
        app.state.live = live = Live(service.database)
        app.state.courier = courier = Courier(service.database, _manners(settings))
        try:
            await service.start()
            courier.start()
            before_waiting(live.stop_soon)
            yield
        finally:
            await live.stop()
            await to_thread.run_sync(courier.stop)
            await service.close()

    app = _App(
        title="Curvewise",
        summary="Learning-curve diagnosis as a service.",
        description=_DESCRIPTION,
        version=CURVEWISE_VERSION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=_TAGS,
        docs_url=None,  # FastAPI's page loads its script from elsewhere: app/pages has one of our own
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.add_middleware(metrics.Timed)
    app.add_middleware(Shortcut)
    app.add_middleware(Door, settings=settings)  # what is added last is outermost
    if settings.log_requests:
        request_log.log.setLevel(logging.INFO)
        app.add_middleware(RequestLog)
    for noun in _NOUNS:
        app.include_router(noun.router)
    for pages in PAGES:
        app.include_router(pages)
    app.mount(MLFLOW, make_mlflow_app(app.state))
    problems.install(app, [*_ROUTES, *PAGE_ROUTES])
    return app


def create_app_from_environ() -> FastAPI:
    """The same from `CURVEWISE_*`: what each of several worker processes calls. Raises InvalidInput."""
    if (supervisor := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(supervisor.sentinel,), daemon=True).start()
    return create_app(settings_from())


def _end_with(sentinel: int) -> None:
    """A worker whose supervisor was killed stops as one that was told to: nobody would restart it, or stop it."""
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _manners(settings: Settings) -> Manners:
    return Manners(
        allow_private=settings.webhook_allow_private,
        timeout_s=settings.webhook_timeout_s,
        retry_scale=settings.webhook_retry_scale,
        public_url=settings.public_url,
    )


def _operation_id(route: APIRoute) -> str:
    return route.name
