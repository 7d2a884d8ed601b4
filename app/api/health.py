"""Probes: is the process up, and can it serve."""

from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from app import errors
from app.api.openapi import documented
from app.api.service import ServiceHere
from app.api.wire import Out, reply

router = APIRouter(tags=["health"])


class Health(Out):
    """A probe's answer."""

    status: Annotated[Literal["ok"], Field(description="Always `ok`; anything else is a problem document.")] = "ok"


@router.get(
    "/healthz",
    summary="Is the process up?",
    response_model=Health,
    responses=documented(description="It is.", example={"status": "ok"}),
)
async def is_up() -> Response:
    """Asks nothing of the database: a process that cannot reach it need not be restarted."""
    return reply(Health())


@router.get(
    "/readyz",
    summary="Can it serve?",
    response_model=Health,
    responses=documented(
        errors.StorageUnavailable,
        errors.SchemaMismatch,
        errors.StorageFull,
        description="The database answers, has the schema of this version, and its disk has room.",
        example={"status": "ok"},
    ),
)
def is_ready(service: ServiceHere) -> Response:
    """Asks the database, so that a balancer sends requests only where they can be served."""
    service.check()
    return reply(Health())
