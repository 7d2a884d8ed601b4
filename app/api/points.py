"""Points in: columns, rows or lines; the reply names every point that was refused."""

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field, WithJsonSchema

from app import errors
from app.api.body import JSON, NDJSON, media_type, off_loop, read_body, wrong
from app.api.columns import Batch, HasColumns, Most, read_columns, read_lines, read_points
from app.api.openapi import documented, one_of_bodies
from app.api.problems import INVALID_INPUT, POINTS_REFUSED, UNREADABLE_BODY, problem
from app.api.service import ServiceHere
from app.api.wire import STEP_SCHEMA, VALUE_SCHEMA, Attempt, Column, Out, ProjectName, RejectedOut, RunName, reply
from app.curves.points import Rejected

router = APIRouter(tags=["points"])

TOO_MANY = "too_many_curves"

_ROW_SCHEMA = {
    "type": "object",
    "description": "What was measured at one step: every key but `step` is a curve.",
    "required": ["step"],
    "properties": {
        "step": STEP_SCHEMA,
        "epoch": {
            **VALUE_SCHEMA,
            "description": "An optional second coordinate, stored as the curve `epoch` [epochs].",
        },
    },
    "additionalProperties": VALUE_SCHEMA,
}


class PointsIn(HasColumns):
    """A batch of points, as columns or as rows: exactly one of `curves` and `points`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["curves"], "properties": {"curves": {"type": "object"}}},
                {"required": ["points"], "properties": {"points": {"type": "array"}}},
            ]
        }
    )

    curves: Annotated[
        dict[str, Column] | None,
        Field(description="Columns by curve name, as the job names it: 1 to 250 characters, no control characters."),
    ] = None
    points: Annotated[
        list[Any] | None,
        WithJsonSchema({"type": ["array", "null"], "items": _ROW_SCHEMA}),
        Field(description="Rows, one a step."),
    ] = None
    attempt: Annotated[
        Attempt | None,
        Field(description="Which uninterrupted part of the run they are of; the latest when absent [attempts]."),
    ] = None


class Recorded(Out):
    """What became of a batch. Accepted points are on disk."""

    accepted: Annotated[int, Field(ge=0, description="Points that were stored [points].")]
    rejected: Annotated[list[RejectedOut], Field(description="Every refused point.")]
    not_measured: Annotated[
        int, Field(ge=0, description="Points whose value was null: nothing is stored, and nothing is wrong [points].")
    ]


_COLUMNS = {"curves": {"train/loss": {"steps": [1, 2, 3], "values": [0.9, 0.7, "NaN"]}}, "attempt": 1}
_ROWS = {"points": [{"step": 1, "epoch": 0.1, "train/loss": 0.9, "lr": 0.1}, {"step": 2, "train/loss": None}]}
_LINES = '{"step": 1, "train/loss": 0.9}\n{"step": 2, "train/loss": 0.7, "val/loss": 0.8}\n'


@router.post(
    "/api/v1/projects/{project}/runs/{run}/points",
    summary="Send points",
    response_model=Recorded,
    responses=documented(
        UNREADABLE_BODY,
        errors.UnknownProject,
        errors.UnknownRun,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        INVALID_INPUT,
        POINTS_REFUSED,
        errors.Overloaded,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="At least one point was stored, or none was refused.",
        example={
            "accepted": 2,
            "rejected": [{"index": 2, "curve": "train/loss", "code": "step_negative", "reason": "a step is 0 or more"}],
            "not_measured": 0,
        },
    ),
    openapi_extra=one_of_bodies(
        (JSON, PointsIn, {"columns": _COLUMNS, "rows": _ROWS}), (NDJSON, str, {"lines": _LINES})
    ),
)
async def send_points(
    request: Request,
    service: ServiceHere,
    project: ProjectName,
    run: RunName,
    attempt: Annotated[
        Attempt | None,
        Query(description="Like `attempt` in the body, where lines have no place for it [attempts]."),
    ] = None,
) -> Response:
    """Store a batch of points, and answer when they are on disk.

    A bad point never costs a good one: it is listed in `rejected`, and the others are stored. Steps may come in any
    order; within an attempt the last value of a curve's step wins, so a batch may be sent again. Bodies may be
    compressed (`Content-Encoding: gzip` or `zstd`). One body holds at most a million values, steps counted, and points
    of at most 10000 curves, where the server is not set otherwise; more is answered with 413.
    """
    kind = media_type(request, (JSON, NDJSON))
    body = await read_body(request)
    most = allowed(request)
    if kind == NDJSON:
        batch = await off_loop(request, body, lambda: read_lines(body, most))
    else:
        named, batch = await off_loop(request, body, lambda: _read_json(body, most))
        if None not in (attempt, named) and attempt != named:
            raise wrong(("attempt",), f"the body says attempt {named}, the query {attempt}")
        attempt = attempt if named is None else named
    if batch.rejected:
        request.app.state.meters.refused(refused.code for refused in batch.rejected)
    if batch.rejected and not batch.accepted:
        return await off_loop(request, body, lambda: refuse(batch))
    if too_many := await service.record(project, run, batch.points, attempt):
        batch = without(batch, too_many, request.app.state.settings.run_curves)
        request.app.state.meters.refused(TOO_MANY for _ in too_many)
        if not batch.accepted:
            return await off_loop(request, body, lambda: refuse(batch))
    # A large body may have as many refused points as it holds: listing them is as much work as reading it.
    return await off_loop(
        request,
        body,
        lambda: reply(
            {
                "accepted": batch.accepted,
                "rejected": batch.rejected,
                "not_measured": batch.not_measured,
            }
        ),
    )


def allowed(request: Request) -> Most:
    """How much one body may hold here."""
    settings = request.app.state.settings
    return Most(settings.batch_values, settings.batch_curves)


def _read_json(body: bytes, most: Most) -> tuple[int | None, Batch]:
    sent, batch = read_columns(PointsIn, body, most)
    if (sent.curves is None) == (sent.points is None):
        raise wrong((), "send exactly one of `curves` and `points`")
    if sent.points is not None:
        batch = read_points(sent.points, most=most)
    return sent.attempt, batch


def without(batch: Batch, names: Collection[str], most: int) -> Batch:
    """What became of a batch of which these curves were too many: each is told once, by its first point."""
    refused = [
        Rejected(0, name, TOO_MANY, f"the run has {most} curves, and of new ones no point is taken")
        for name in sorted(names)
    ]
    return replace(
        batch,
        points=[part for part in batch.points if part.name not in names],
        rejected=[*batch.rejected, *refused],
    )


def refuse(batch: Batch) -> Response:
    """The problem document that names the refused points of a body of which nothing was taken."""
    count, first = len(batch.rejected), batch.rejected[0]
    where = f"point {first.index}" + (f" of {first.curve}" if first.curve else "")
    detail = f"{count} points were refused, see `rejected`; {where}: {first.reason}"
    return problem(POINTS_REFUSED, detail, rejected=[RejectedOut.model_validate(one) for one in batch.rejected])
