"""What jobs did about the findings on their runs: told by the job, drawn on its curves."""

from datetime import UTC, datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field

from app import errors
from app.actions import MOST, Taken, of_run, tell
from app.api.body import JSON, read_model
from app.api.openapi import documented, one_body
from app.api.problems import INVALID_INPUT, UNREADABLE_BODY
from app.api.service import ServiceHere
from app.api.wire import NO_CONTROL_CHARACTERS, PATH_PART, PATH_PART_WORDS, Out, ProjectName, RunName, Strictly, reply
from app.curves.points import MAX_STEP
from app.limits import LONGEST_NAME
from app.rules.verdict import Action

router = APIRouter(tags=["runs"])

_LONGEST_TEXT = 500
_MOST_ARGS = 30
_CODE = Field(pattern=r"^CW[0-9]{3}$", description="The code of the finding that it answers; null when none.")
_Step = Annotated[float, Field(ge=0, le=MAX_STEP)]
_Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT, pattern=NO_CONTROL_CHARACTERS)]
_Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=NO_CONTROL_CHARACTERS)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
ActionName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PATH_PART,
        description=f"The job's name for this action, one of the run: {PATH_PART_WORDS}",
        examples=["1-CW002-decay_lr"],
    ),
]


class ActionIn(Strictly):
    """An action, as the job took it."""

    at_step: Annotated[_Step, Field(description="The step at which it was taken [steps].", examples=[4200])]
    action: Annotated[Action, Field(description="What was done, in the words of recommendations.")]
    args: Annotated[
        dict[_Name, _Number | _Text],
        Field(max_length=_MOST_ARGS, description="Its numbers, by name.", examples=[{"factor": 0.1}]),
    ] = {}  # noqa: RUF012 - pydantic copies it
    code: Annotated[str | None, _CODE] = None
    text: Annotated[_Text, Field(description="What was done, in one sentence.")]
    by: Annotated[_Name, Field(description="Who took it.", examples=["autopilot"])] = "job"
    confidence: Annotated[
        float | None, Field(ge=0, le=1, description="That of the finding, when the job acted on it [0 to 1].")
    ] = None
    undone_at_step: Annotated[
        _Step | None, Field(description="The step at which it was taken back; null while it stands [steps].")
    ] = None


class ActionOut(Out):
    """An action that a job took."""

    name: Annotated[str, Field(description="The job's name for it.")]
    at_step: Annotated[float, Field(ge=0, description="The step at which it was taken [steps].")]
    action: Annotated[Action, Field(description="What was done, in the words of recommendations.")]
    args: Annotated[dict[str, float | str], Field(description="Its numbers, by name.")]
    code: Annotated[str | None, Field(description="The code of the finding that it answers; null when none.")]
    text: Annotated[str, Field(description="What was done, in one sentence.")]
    by: Annotated[str, Field(description="Who took it.")]
    confidence: Annotated[float | None, Field(description="Of the finding, when the job acted on it [0 to 1].")]
    undone_at_step: Annotated[float | None, Field(description="When it was taken back; null while it stands [steps].")]
    told_at: Annotated[datetime, Field(description="When the server was told of it first [UTC].")]


class ActionList(Out):
    """All that a job did."""

    items: Annotated[list[ActionOut], Field(description=f"In the order of their steps; at most {MOST}.")]


_SAID = {
    "at_step": 4200,
    "action": "decay_lr",
    "args": {"at_step": 4200, "factor": 0.1},
    "code": "CW002",
    "text": "Decayed the learning rate from 0.1 to 0.01.",
    "by": "autopilot",
    "confidence": 0.93,
    "undone_at_step": None,
}
_TAKEN = {"name": "1-CW002-decay_lr", **_SAID, "told_at": "2026-01-02T03:04:05Z"}
_PATH = "/api/v1/projects/{project}/runs/{run}/actions"


@router.put(
    _PATH + "/{action}",
    summary="Tell what a job did",
    response_model=ActionOut,
    responses=documented(
        UNREADABLE_BODY,
        INVALID_INPUT,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        errors.UnknownProject,
        errors.UnknownRun,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="It was known, and stands as it was told now.",
        created=("It is new.", ActionOut),
        example=_TAKEN,
    ),
    openapi_extra=one_body(JSON, ActionIn, {"decay": _SAID}, required=True),
)
async def put_action(
    request: Request, service: ServiceHere, project: ProjectName, run: RunName, action: ActionName
) -> Response:
    """Tell what a job did about a finding, or that it took it back: the page draws both on the curves.

    Nothing is done to the job here. Sent again, it changes nothing.
    """
    said = await read_model(request, ActionIn, empty=False)
    taken = Taken(name=action, told_at=datetime.now(UTC), **said.model_dump())
    kept, new = await to_thread.run_sync(tell, service.database, project, run, taken)
    return reply(ActionOut.model_validate(kept), 201 if new else 200)


@router.get(
    _PATH,
    summary="List what a job did",
    response_model=ActionList,
    responses=documented(
        INVALID_INPUT,
        errors.UnknownProject,
        errors.UnknownRun,
        errors.StorageUnavailable,
        description="What was done.",
        example={"items": [_TAKEN]},
    ),
)
def list_actions(service: ServiceHere, project: ProjectName, run: RunName) -> Response:
    """What a job did about the findings on its run, and what it took back."""
    found = of_run(service.database, project, run)
    return reply(ActionList(items=[ActionOut.model_validate(one) for one in found]))
