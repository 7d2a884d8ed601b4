"""What autologging says about data sets and models: kept with their run, and told back. The files stay with the job."""

import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response

from app.api.mlflow import messages
from app.api.mlflow.answers import NOT_DONE_HERE, UNKNOWN, Refused, refusal
from app.api.mlflow.experiments import artifact_location
from app.api.mlflow.tracking import tracking
from app.api.wire import reply
from app.tracking.runs import TrackedRun, TrackedRuns

_PREFIX = "m-"


async def log_inputs(request: Request) -> Response:
    """runs/log-inputs: the data sets that a run read."""
    said = await messages.read(request, messages.LogInputs)
    return await _keep(request, said.run, "input", "dataset", said.datasets)


async def log_outputs(request: Request) -> Response:
    """runs/outputs: the models that a run made."""
    said = await messages.read(request, messages.LogInputs)
    return await _keep(request, said.run, "output", "model_id", said.models)


async def _keep(request: Request, run: str, kind: str, named_by: str, assets: Sequence[Mapping[str, Any]]) -> Response:
    """Each under a name made of one of its fields, so that the same one again takes its place."""
    for one in assets:
        name = sha256(repr(one.get(named_by)).encode(errors="surrogatepass")).hexdigest()
        await to_thread.run_sync(tracking(request).runs.keep_asset, run, kind, name, one)
    return reply({})


async def create(request: Request) -> Response:
    """logged-models: a model is known by its run and when it was made."""
    said = await messages.read(request, messages.CreateModel)
    if not said.source_run_id:
        return refusal(NOT_DONE_HERE, "Curvewise keeps models of runs only: create it within a run")
    runs = tracking(request).runs

    def keep() -> dict[str, Any]:
        run = runs.get(said.source_run_id)
        made = time.time_ns()
        model_id = f"{_PREFIX}{run.facts.id}-{made:x}"
        document = {
            "info": {
                "model_id": model_id,
                "experiment_id": run.experiment.id,
                "name": said.name or "model",
                "creation_timestamp_ms": made // 10**6,
                "last_updated_timestamp_ms": made // 10**6,
                "artifact_uri": f"{artifact_location(run.experiment)}/models/{model_id}/artifacts",
                "status": "LOGGED_MODEL_PENDING",
                "model_type": said.model_type,
                "source_run_id": run.facts.id,
                "tags": [tag.model_dump() for tag in said.tags],
            },
            "data": {"params": [param.model_dump() for param in said.params]},
        }
        runs.keep_asset(run.facts.id, "model", model_id, document)
        return document

    return reply({"model": await to_thread.run_sync(keep)})


async def get(request: Request) -> Response:
    """logged-models/{model_id}."""
    model_id = request.path_params["model_id"]
    _, document = await to_thread.run_sync(_find, tracking(request).runs, model_id)
    return reply({"model": document})


async def change(request: Request) -> Response:
    """logged-models/{model_id}, and its tags and params: what is said is added."""
    said = await messages.read(request, messages.ChangeModel)
    runs, model_id = tracking(request).runs, request.path_params["model_id"]

    def keep() -> dict[str, Any]:
        run, document = _find(runs, model_id)
        info, data = document["info"], document["data"]
        info["status"] = said.status or info["status"]
        info["last_updated_timestamp_ms"] = time.time_ns() // 10**6
        info["tags"] = _merged(info["tags"], said.tags)
        data["params"] = _merged(data["params"], said.params)
        runs.keep_asset(run.facts.id, "model", model_id, document)
        return document

    return reply({"model": await to_thread.run_sync(keep)})


async def refuse_files(request: Request) -> Response:
    """Files, which a client sends here only when an experiment says so."""
    async for _ in request.stream():  # a client that is cut off while it sends would try again for minutes
        pass
    told = "give the experiment an artifact_location that jobs can write to, such as s3://bucket/path"
    return refusal(NOT_DONE_HERE, f"Curvewise keeps curves, not files: {told}")


def _find(runs: TrackedRuns, model_id: str) -> tuple[TrackedRun, dict[str, Any]]:
    run = runs.get(model_id.removeprefix(_PREFIX).partition("-")[0])
    found = runs.assets([run], "model")[run.run.id].get(model_id)
    if found is None:
        raise Refused(UNKNOWN, f"there is no model with the id {model_id[:80]!a}")
    return run, found


def _merged(before: list[dict[str, str]], said: list[messages.Pair]) -> list[dict[str, str]]:
    merged = {one["key"]: one["value"] for one in before} | {one.key: one.value for one in said}
    return [{"key": key, "value": value} for key, value in merged.items()]
