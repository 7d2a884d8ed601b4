"""After training: which checkpoints to keep and to average, predictions in, and what averaging them gains."""

import io
from base64 import b64encode
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from app import errors, predictions
from app.api.auth import ActorHere
from app.api.body import decoders, media_type, read_body
from app.api.npz import NPZ, OCTETS, read_npz
from app.api.openapi import deleted, documented
from app.api.problems import INVALID_INPUT, UNREADABLE_BODY
from app.api.service import ServiceHere
from app.api.wire import NO_CONTROL_CHARACTERS, PATH_PART, Out, ProjectName, RunName, reply
from app.curves.points import MAX_STEP
from app.ensembles.checkpoint import VAL_LOSS, Goal
from app.ensembles.predictions import Kind, Predictions, checked
from app.limits import LONGEST_NAME
from app.predictions import MOST_MEMBERS, Checkpoints, Measured

router = APIRouter(tags=["after training"])

MOST_STEPS = 1000  # so that the URL is not too long
Step = Annotated[
    float,
    Path(ge=0, le=MAX_STEP, allow_inf_nan=False, description="The checkpoint's step [steps].", examples=[4200]),
]
_CheckpointSteps = list[Annotated[float, Field(ge=0, le=MAX_STEP, allow_inf_nan=False)]]


class PostedOut(Out):
    """What is known of the predictions of one checkpoint."""

    step: Annotated[float, Field(ge=0, description="The checkpoint [steps].")]
    kind: Annotated[Kind, Field(description="What was posted.")]
    examples: Annotated[int, Field(ge=1, description="How many examples it predicts [examples].")]
    classes: Annotated[int | None, Field(description="How many there are [classes]; null for values.")]
    targets: Annotated[
        str, Field(description="Fingerprint of the targets: only checkpoints that have the same can be averaged.")
    ]
    loss: Annotated[float, Field(description="Mean log loss [nats], or mean squared error [target unit squared].")]
    accuracy: Annotated[
        float | None, Field(description="Share of examples that it gets right [0 to 1]; null for values.")
    ]
    posted_at: Annotated[datetime, Field(description="When these predictions arrived [UTC].")]


class PredictionsOut(Out):
    """Of which checkpoints of a run there are predictions."""

    items: Annotated[list[PostedOut], Field(description="One checkpoint each, in step order.")]


_POSTED: dict[str, Any] = {
    "step": 4200.0,
    "kind": "probabilities",
    "examples": 10000,
    "classes": 10,
    "targets": "9f86d081884c7d659a2feaa0c55ad015",
    "loss": 0.231,
    "accuracy": 0.934,
    "posted_at": "2026-01-31T09:02:00Z",
}
_CHECKPOINTS: dict[str, Any] = {
    "project": "mnist",
    "run": "r1",
    "metric": "val/loss",
    "goal": "min",
    "keep": {
        "step": 4200.0,
        "level": 0.231,
        "best_step": 4500.0,
        "best_level": 0.229,
        "equivalents": [4200.0, 4500.0, 4800.0],
    },
    "missing": None,
    "not_judged": [],
    "evidence": [{"name": "behind_best", "value": 0.002, "limit": 0.003, "unit": "the metric's unit"}],
    "says": "Keep the checkpoint of step 4200: val/loss is at 0.231 there, within noise (0.004) of its best, 0.229 at "
    "step 4500.",
    "average": {
        "how": "cycle_ends",
        "steps": [2000.0, 4000.0, 6000.0],
        "left_out": [],
        "schedule": "cyclic",
        "says": "Average the predictions of the 3 checkpoints at the ends of the rate's cycles: a snapshot ensemble.",
    },
}
_ENSEMBLE: dict[str, Any] = {
    "project": "mnist",
    "chosen": "kept",
    "why": "Of each run the checkpoint to keep by val/loss among those with predictions, else the last of these.",
    "task": "classification",
    "examples": 10000,
    "members": [
        {"run": "a", "step": 4200.0, "loss": 0.231, "accuracy": 0.934},
        {"run": "b", "step": 3900.0, "loss": 0.236, "accuracy": 0.931},
    ],
    "left_out": [],
    "average": {"loss": 0.209, "accuracy": 0.939},
    "gains": [
        {
            "metric": "log_loss",
            "over": "best_member",
            "gain": 0.022,
            "standard_error": 0.002,
            "interval": [0.018, 0.026],
            "within_noise": False,
            "unit": "nats",
        }
    ],
    "missing": None,
    "says": "Averaging 2 checkpoints lowers log loss by 0.022 (0.018 to 0.026) against the best of them.",
}


def _file() -> dict[str, Any]:
    """A body's description with a small file as the example, which JSON can hold in base64 alone."""
    written = io.BytesIO()
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], np.float32)
    np.savez_compressed(written, probabilities=probabilities, targets=np.array([0, 1], np.uint8))
    example = {"summary": "Two examples of three classes, in base64", "value": b64encode(written.getvalue()).decode()}
    schema = {"type": "string", "format": "binary", "description": "An .npz file, as numpy.savez writes it."}
    return {"schema": schema, "examples": {"probabilities": example}}


@router.get(
    "/api/v1/projects/{project}/runs/{run}/checkpoints",
    summary="Which checkpoint to keep, and which to average",
    response_model=Checkpoints,
    responses=documented(
        errors.UnknownProject,
        errors.UnknownRun,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="The checkpoint to keep or why it cannot be said, and the checkpoints to average.",
        example=_CHECKPOINTS,
    ),
)
def get_checkpoints(
    service: ServiceHere,
    project: ProjectName,
    run: RunName,
    metric: Annotated[
        str,
        Query(
            min_length=1,
            max_length=LONGEST_NAME,
            pattern=NO_CONTROL_CHARACTERS,
            description="The curve that decides: a role such as `val/accuracy`, or a curve's own name.",
        ),
    ] = VAL_LOSS,
    goal: Annotated[
        Goal | None, Query(description="Which way the metric is better; known where its name is that of a role.")
    ] = None,
    steps: Annotated[
        _CheckpointSteps | None,
        Query(
            min_length=1,
            max_length=MOST_STEPS,
            description="Only checkpoints of these steps, where the job writes one now and then; may be repeated "
            "[steps]. At every evaluation when absent.",
        ),
    ] = None,
) -> Response:
    """The earliest checkpoint that noise cannot tell from the best, by the same measure as the rule `overfitting`.

    To be averaged: the checkpoints at the minima of a cyclic rate, or late ones that are as good as the best.
    """
    return reply(predictions.checkpoints(service.database, project, run, metric=metric, goal=goal, steps=steps))


@router.put(
    "/api/v1/projects/{project}/runs/{run}/predictions/{at_step}",
    summary="Post a checkpoint's predictions",
    response_model=PostedOut,
    responses=documented(
        UNREADABLE_BODY,
        errors.UnknownProject,
        errors.UnknownRun,
        errors.TooLarge,
        errors.UnsupportedEncoding,
        INVALID_INPUT,
        errors.LimitReached,
        errors.StorageUnavailable,
        errors.StorageFull,
        description="The predictions are in place of those before; the same ones sent again change nothing.",
        created=("There were no predictions of this step.", PostedOut),
        example=_POSTED,
    ),
    openapi_extra={"requestBody": {"required": True, "content": {NPZ: _file(), OCTETS: _file()}}},
)
async def put_predictions(
    request: Request, service: ServiceHere, project: ProjectName, run: RunName, at_step: Step
) -> Response:
    """Post what a checkpoint predicts for every validation example: an .npz file, as `numpy.savez` writes it.

    It holds `targets` and one of `probabilities` or `logits`, [examples, classes] beside class numbers, or `values`,
    [examples] or [examples, outputs] beside values. Every checkpoint and run predicts the same examples in the same
    order. Unpacked, the arrays are bounded as a body is.
    """
    if "content-type" in request.headers:
        media_type(request, (NPZ, OCTETS))
    body = await read_body(request)
    most = request.app.state.settings.max_body_bytes
    found = await to_thread.run_sync(_read, body, most, limiter=decoders(request))

    def post() -> tuple[object, bool]:
        most = request.app.state.settings.run_predictions
        return predictions.post(service.database, project, run, at_step, found, most=most)

    posted, created = await to_thread.run_sync(post, limiter=decoders(request))
    return reply(PostedOut.model_validate(posted), 201 if created else 200)


def _read(body: bytes, most: int) -> Predictions:
    return checked(read_npz(body, most))


@router.get(
    "/api/v1/projects/{project}/runs/{run}/predictions",
    summary="List a run's predictions",
    response_model=PredictionsOut,
    responses=documented(
        errors.UnknownProject,
        errors.UnknownRun,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="Of which checkpoints there are predictions, and how good each is.",
        example={"items": [_POSTED]},
    ),
)
def list_predictions(service: ServiceHere, project: ProjectName, run: RunName) -> Response:
    """Of which checkpoints there are predictions, without the arrays."""
    found = predictions.listed(service.database, project, run)
    return reply(PredictionsOut(items=[PostedOut.model_validate(one) for one in found]))


@router.delete(
    "/api/v1/projects/{project}/runs/{run}/predictions/{at_step}",
    summary="Delete a checkpoint's predictions",
    status_code=204,
    response_class=Response,
    responses=deleted(
        errors.UnknownProject, errors.UnknownRun, errors.UnknownPredictions, description="The predictions are gone."
    ),
)
def delete_predictions(
    service: ServiceHere, actor: ActorHere, project: ProjectName, run: RunName, at_step: Step
) -> None:
    """Delete the predictions of one checkpoint."""
    predictions.remove(service.database, project, run, at_step, by=actor)


def _measured(description: str) -> Any:
    return documented(
        errors.UnknownProject,
        errors.UnknownRun,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description=description,
        example=_ENSEMBLE,
    )


@router.get(
    "/api/v1/projects/{project}/runs/{run}/ensemble",
    summary="Measure an average of one run's checkpoints",
    response_model=Measured,
    responses=_measured("What averaging checkpoints of the run gains, or what is missing to measure it."),
)
async def get_ensemble(
    request: Request,
    service: ServiceHere,
    project: ProjectName,
    run: RunName,
    steps: Annotated[
        _CheckpointSteps | None,
        Query(
            min_length=1,
            max_length=MOST_MEMBERS,
            description="Average the checkpoints of these steps; may be repeated [steps]. When absent, those that "
            "`checkpoints` says to average, of those with predictions.",
        ),
    ] = None,
) -> Response:
    """What averaging the predictions of checkpoints of one run gains, such as the snapshots of a cyclic rate.

    Each gain has its interval, from differences paired over the validation examples, and says if it is within noise.
    """
    found = await to_thread.run_sync(
        predictions.of_snapshots, service.database, project, run, steps, limiter=decoders(request)
    )
    return reply(found)


@router.get(
    "/api/v1/projects/{project}/ensembles",
    summary="Measure an average of several runs",
    response_model=Measured,
    responses=_measured("What averaging the runs gains, or what is missing to measure it."),
)
async def get_ensembles(
    request: Request,
    service: ServiceHere,
    project: ProjectName,
    run: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=PATH_PART)]],
        Query(
            min_length=2,
            max_length=MOST_MEMBERS,
            description=f"A run by name; 2 to {MOST_MEMBERS} of them, each once.",
            examples=[["a", "b"]],
        ),
    ],
) -> Response:
    """What averaging the predictions of independent runs gains: of each, those of the checkpoint to keep.

    Each gain has its interval, from differences paired over the validation examples, and says if it is within noise.
    """
    found = await to_thread.run_sync(predictions.of_runs, service.database, project, run, limiter=decoders(request))
    return reply(found)
