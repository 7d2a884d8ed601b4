"""Curves out, as they are stored or thinned for a drawing."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import Field, WithJsonSchema

from app import errors
from app.api.body import JSON, NDJSON
from app.api.negotiation import choose
from app.api.openapi import Responses, documented
from app.api.problems import INVALID_INPUT
from app.api.service import ServiceHere
from app.api.streams import ARROW, arrow, ndjson
from app.api.wire import NON_FINITE_SCHEMA, Out, ProjectName, RunName, reply
from app.curves.thinning import LEAST_MAX_POINTS

router = APIRouter(tags=["curves"])

Format = Literal["json", "ndjson", "arrow"]
_FORMATS: Mapping[Format, str] = {"json": JSON, "ndjson": NDJSON, "arrow": ARROW}


class ColumnOut(Out):
    """The points of one curve in step order."""

    steps: Annotated[list[float], Field(description="Strictly increasing [steps].")]
    values: Annotated[
        list[float],
        WithJsonSchema({"type": "array", "items": {"anyOf": [{"type": "number"}, NON_FINITE_SCHEMA]}}),
        Field(description="One value a step, in the metric's own unit; NaN and infinities as strings."),
    ]


class CurvesOut(Out):
    """The stored curves of a run."""

    curves: Annotated[dict[str, ColumnOut], Field(description="Curves under the names that the job gave them.")]


def _streamed(found: Responses) -> Responses:
    found[200]["content"][NDJSON] = {
        "schema": {"type": "string"},
        "example": '{"curve": "train/loss", "steps": [1.0, 2.0], "values": [0.9, "NaN"]}\n',
    }
    found[200]["content"][ARROW] = {
        "schema": {"type": "string", "contentEncoding": "binary"},
        "example": "A table with the columns curve (utf8), step and value (float64), a row a point.",
    }
    return found


@router.get(
    "/api/v1/projects/{project}/runs/{run}/curves",
    summary="Read a run's curves",
    response_model=CurvesOut,
    responses=_streamed(
        documented(
            errors.UnknownProject,
            errors.UnknownRun,
            errors.UnknownCurve,
            INVALID_INPUT,
            errors.StorageUnavailable,
            description="The curves, attempts and repeated steps resolved.",
            example={"curves": {"train/loss": {"steps": [1.0, 2.0, 3.0], "values": [0.9, 0.7, "NaN"]}}},
        )
    ),
)
def get_curves(
    service: ServiceHere,
    project: ProjectName,
    run: RunName,
    max_points: Annotated[
        int | None,
        Query(
            ge=LEAST_MAX_POINTS,
            le=10_000_000,
            description="At most so many points a curve, always the same ones: ends, extremes and non-finite points "
            "are kept [points]. Full resolution when absent.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        Query(max_length=1000, description="Only this curve, by the name that the job gave it; may be repeated."),
    ] = None,
    first_step: Annotated[
        float | None, Query(ge=0, allow_inf_nan=False, description="Only points from this step on [steps].")
    ] = None,
    last_step: Annotated[
        float | None, Query(ge=0, allow_inf_nan=False, description="Only points through this step [steps].")
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the query parameter
        Format | None, Query(description="The format of the reply; goes before Accept. JSON when neither says.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> Response:
    """The curves of a run, losslessly: every number reads back as the same 64-bit float.

    With `first_step` and `last_step`, a drawing that is zoomed into gets the points of that stretch, thinned to
    `max_points` only where there are more of them there.

    NDJSON and Arrow leave in pieces, each curve in step order, and cost the server the same memory for any length:
    ask for them where a run may be long. A reply that breaks off was not the whole.
    """
    chosen = format or choose(accept, _FORMATS)
    headers = {"Vary": "Accept"}
    read = partial(service.read_curves, project, run, names=name, first_step=first_step, last_step=last_step)
    if chosen != "json":
        if max_points is None:
            pieces = service.stream_curves(project, run, names=name, first_step=first_step, last_step=last_step)
        else:
            pieces = iter(read(max_points=max_points).values())
        encode = ndjson if chosen == "ndjson" else arrow
        return StreamingResponse(encode(pieces), 200, headers, _FORMATS[chosen])
    curves = read(max_points=max_points)
    columns = {c.name: {"steps": c.steps.tolist(), "values": c.values.tolist()} for c in curves.values()}
    return reply({"curves": columns}, 200, headers)
