"""Attempts: a job asks for the next one, under a token of its own."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import Field

from app import errors
from app.api.openapi import documented
from app.api.problems import INVALID_INPUT
from app.api.service import ServiceHere
from app.api.wire import PATH_PART, PATH_PART_WORDS, Out, ProjectName, RunName, reply
from app.limits import LONGEST_NAME

router = APIRouter(tags=["runs"])

Token = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PATH_PART,
        description=f"What no other start of a job has, such as a random number: {PATH_PART_WORDS}",
        examples=["20260131T090000-host-4711-5e6f"],
    ),
]


class AttemptOut(Out):
    """Which attempt a job is."""

    token: Annotated[str, Field(description="The job's token.")]
    attempt: Annotated[int, Field(ge=1, description="The attempt that it is, counted from 1 [attempts].")]


_ATTEMPT = {"token": "20260131T090000-host-4711-5e6f", "attempt": 2}


@router.put(
    "/api/v1/projects/{project}/runs/{run}/attempts/{token}",
    summary="Take the next attempt",
    response_model=AttemptOut,
    responses=documented(
        INVALID_INPUT,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="The attempt that this token was given before.",
        created=("The attempt was opened for this token, and the run with it when there was none.", AttemptOut),
        example=_ATTEMPT,
    ),
)
def take_attempt(service: ServiceHere, project: ProjectName, run: RunName, token: Token) -> Response:
    """Begin the next attempt of a run, and open the run when there is none.

    Each token is given an attempt of its own, however many jobs ask at one moment; asked again, it is given the same.
    A run that was opened and has no points yet is at its first attempt, which is given to the first who asks.
    """
    attempt, given = service.take_attempt(project, run, token)
    return reply(AttemptOut(token=token, attempt=attempt), 201 if given else 200)
