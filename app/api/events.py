"""A run followed while it changes: Server-Sent Events."""

import re
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from pydantic_core import to_json

from app import errors
from app.api.auth import AccessHere
from app.api.openapi import plain
from app.api.problems import INVALID_INPUT
from app.api.rates import Streams
from app.api.runs import ChipOut
from app.api.service import ServiceHere
from app.api.wire import Out, ProjectName, RunName
from app.errors import InvalidInput
from app.listing import ShownState, chips, run_id_of
from app.live import Live, Place, Update

router = APIRouter(tags=["runs"])

EVENT_STREAM = "text/event-stream"
_RETRY_MS = 2000  # when a browser comes back after its connection broke
_PLACE = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})", re.ASCII)
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold events back


class StateEvent(Out):
    """`state`: how the run is now; first in every stream, and when its state or another fact changed."""

    state: Annotated[ShownState, Field(description="As in the list of runs.")]
    stalled_since: Annotated[datetime | None, Field(description="Since when it is silent [UTC].")]
    attempt: Annotated[int, Field(description="The latest attempt, counted from 1 [attempts].")]
    revision: Annotated[int, Field(description="Of the run [changes].")]


class StretchOut(Out):
    """Where a curve is new."""

    name: Annotated[str, Field(description="The curve, as the job named it.")]
    first_step: Annotated[float | None, Field(description="Read it from here on; null: anew as a whole [steps].")]
    last_step: Annotated[float | None, Field(description="The last new step; null: anew as a whole [steps].")]


class PointsEvent(Out):
    """`points`: curves have new points."""

    revision: Annotated[int, Field(description="Of the run [changes].")]
    curves: Annotated[list[StretchOut], Field(description="The curves that have, and where.")]


class DiagnosisEvent(Out):
    """`diagnosis`: the run was judged again in the background."""

    judged_at: Annotated[datetime, Field(description="When [UTC].")]
    through_step: Annotated[float | None, Field(description="The last step that was looked at [steps].")]
    findings: Annotated[list[ChipOut], Field(description="Findings that have fired, the most severe first.")]


_EXAMPLE = """\
retry: 2000

id: 12.1.3
event: state
data: {"state":"running","stalled_since":null,"attempt":1,"revision":12}

id: 13.1.3
event: points
data: {"revision":13,"curves":[{"name":"train/loss","first_step":600.0,"last_step":610.0}]}

"""


@router.get(
    "/api/v1/projects/{project}/runs/{run}/events",
    summary="Follow a run",
    response_class=StreamingResponse,
    responses=plain(
        EVENT_STREAM,
        errors.UnknownProject,
        errors.UnknownRun,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="Events `state`, `points` and `diagnosis`, until the client goes.",
        example=_EXAMPLE,
    ),
)
async def get_events(
    request: Request,
    service: ServiceHere,
    access: AccessHere,
    project: ProjectName,
    run: RunName,
    since: Annotated[
        str | None,
        Query(max_length=60, description="The id of the last event that was read; `Last-Event-ID` goes before it."),
    ] = None,
    last_event_id: Annotated[str | None, Header(description="What browsers send when they come back.")] = None,
) -> StreamingResponse:
    """Server-Sent Events of a run, from any replica: it is looked at four times a second, and what came in meanwhile is
    one event of a kind.

    `state` comes first, also after a broken connection, then what is new since the last event that was read; without
    one, from now on. `points` says where curves are new, to be read with `first_step`. Lines that begin with a colon
    are signs of life.
    """
    place = _place(last_event_id or since)
    run_id = await to_thread.run_sync(run_id_of, service.database, project, run)
    live: Live = request.app.state.live
    streams: Streams = request.app.state.streams
    streams.check(access.token)
    return StreamingResponse(
        _stream(live.follow(run_id, place), streams, access.token), media_type=EVENT_STREAM, headers=_HEADERS
    )


def _place(written: str | None) -> Place | None:
    if not written:
        return None
    if (read := _PLACE.fullmatch(written)) is None:
        raise InvalidInput(f"{written[:60]!r} is no id of an event here, such as 12.1.3; leave it out to begin now")
    return Place(*map(int, read.groups()))


async def _stream(
    updates: AsyncGenerator[Update, None], streams: Streams, token: str | None
) -> AsyncGenerator[bytes, None]:
    with streams.one(token):
        yield f"retry: {_RETRY_MS}\n\n".encode()
        try:
            async for update in updates:
                yield _written(update)
        finally:
            await updates.aclose()


def _written(update: Update) -> bytes:
    *before, last = list(_events(update)) or [b":"]
    # Only the last has the id: a reader that is cut off among them gets all of them again.
    place = f"{update.place.revision}.{update.place.attempt}.{update.place.turn}"
    return b"".join(event + b"\n\n" for event in before) + f"id: {place}\n".encode() + last + b"\n\n"


def _events(update: Update) -> Iterator[bytes]:
    if (now := update.state) is not None:
        stalled = now.state == "running" and now.stalled_since is not None
        shown: ShownState = "stalled" if stalled else now.state
        yield _event(
            "state",
            StateEvent(state=shown, stalled_since=now.stalled_since, attempt=now.attempt, revision=now.revision),
        )
    if update.curves is not None:
        curves = [StretchOut.model_validate(one) for one in update.curves]
        yield _event("points", PointsEvent(revision=update.place.revision, curves=curves))
    if (judged := update.standing) is not None:
        found = [ChipOut.model_validate(one) for one in chips(judged)]
        yield _event(
            "diagnosis",
            DiagnosisEvent(judged_at=judged.judged_at, through_step=judged.through_step, findings=found),
        )


def _event(kind: str, content: Out) -> bytes:
    # JSON on one line: whatever a name holds, nothing in it ends the event.
    return f"event: {kind}\ndata: ".encode() + to_json(content, inf_nan_mode="strings")
