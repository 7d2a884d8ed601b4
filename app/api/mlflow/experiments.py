"""Experiments: create one, find it, list them, tag it."""

from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response

from app.api.mlflow import messages
from app.api.mlflow.answers import EXISTS, NOT_DONE_HERE, refusal
from app.api.mlflow.filters import Language, Name, Value, ordered, page
from app.api.mlflow.tracking import tracking
from app.api.wire import reply
from app.errors import UnknownProject
from app.tracking.experiments import Experiment

_LANGUAGE = Language(
    texts=frozenset({"name", "experiment_id"}),
    numbers=frozenset({"creation_time", "last_update_time"}),
    kinds=frozenset({"attribute", "tag"}),
)
# The client resolves it in its own working directory: Curvewise keeps no files, so they stay with the job.
_ARTIFACTS = "mlartifacts"


def artifact_location(experiment: Experiment) -> str:
    """Where the job itself puts files: as the experiment says, else beside the job."""
    return experiment.artifact_location or f"{_ARTIFACTS}/{experiment.id}"


async def create(request: Request) -> Response:
    """experiments/create."""
    said = await messages.read(request, messages.CreateExperiment)
    tags = {tag.key: tag.value for tag in said.tags}
    experiments = tracking(request).experiments
    found, created = await to_thread.run_sync(experiments.create, said.name, said.artifact_location or None, tags)
    if not created:
        return refusal(EXISTS, f"there is an experiment {found.name!r} already")
    return reply({"experiment_id": found.id})


async def get(request: Request) -> Response:
    """experiments/get."""
    said = await messages.read(request, messages.OfExperiment)
    return reply({"experiment": shown(await to_thread.run_sync(tracking(request).experiments.get, said.experiment_id))})


async def get_by_name(request: Request) -> Response:
    """experiments/get-by-name."""
    name = request.query_params.get("experiment_name", "")
    return reply({"experiment": shown(await to_thread.run_sync(tracking(request).experiments.get_by_name, name))})


async def search(request: Request) -> Response:
    """experiments/search and, of old clients, experiments/list."""
    said = await messages.read(request, messages.Search)
    clauses = _LANGUAGE.clauses(said.filter)
    orders = [_LANGUAGE.order(one) for one in said.order_by]
    found = [
        one
        for one in await to_thread.run_sync(tracking(request).experiments.listed)
        if said.view_type in ("ALL", "DELETED_ONLY" if one.deleted else "ACTIVE_ONLY")
        and all(clause.holds(_value(one, clause.name)) for clause in clauses)
    ]
    found = ordered(found, orders, _value)
    begin, end, token = page(found, said.page_token, said.max_results)
    more = {"next_page_token": token} if token else {}
    return reply({"experiments": [shown(one) for one in found[begin:end]], **more})


async def update(request: Request) -> Response:
    """experiments/update, which renames: a project keeps the name that jobs, links and CI know it by."""
    said = await messages.read(request, messages.UpdateExperiment)
    found = await to_thread.run_sync(tracking(request).experiments.get, said.experiment_id)
    if said.new_name in ("", found.name):
        return reply({})
    told = (
        f"the experiment {found.name!r} is the project {found.project!r} here, and projects are not renamed: create "
        "an experiment of the other name, or copy this one with `curvewise export` and `curvewise import --as`"
    )
    return refusal(NOT_DONE_HERE, told)


async def set_tag(request: Request) -> Response:
    """experiments/set-experiment-tag."""
    said = await messages.read(request, messages.SetExperimentTag)
    await to_thread.run_sync(tracking(request).experiments.tag, said.experiment_id, said.key, said.value)
    return reply({})


async def delete_tag(request: Request) -> Response:
    """experiments/delete-experiment-tag."""
    said = await messages.read(request, messages.DeleteExperimentTag)
    await to_thread.run_sync(tracking(request).experiments.tag, said.experiment_id, said.key, None)
    return reply({})


async def delete(request: Request) -> Response:
    """experiments/delete."""
    return await _mark(request, deleted=True)


async def restore(request: Request) -> Response:
    """experiments/restore."""
    return await _mark(request, deleted=False)


async def _mark(request: Request, *, deleted: bool) -> Response:
    said = await messages.read(request, messages.OfExperiment)
    if "experiment_id" not in said.model_fields_set:
        raise UnknownProject("experiment_id: say which experiment")
    experiments = tracking(request).experiments
    await to_thread.run_sync(lambda: experiments.mark(said.experiment_id, deleted=deleted))
    return reply({})


def shown(experiment: Experiment) -> dict[str, Any]:
    """As MLflow's clients read it; `curvewise.project` tells by which name it is found here."""
    tags = {**experiment.tags, "curvewise.project": experiment.project}
    return {
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": artifact_location(experiment),
        "lifecycle_stage": "deleted" if experiment.deleted else "active",
        "creation_time": experiment.created_at or 0,
        "last_update_time": experiment.updated_at or 0,
        "tags": [{"key": key, "value": value} for key, value in sorted(tags.items())],
    }


def _value(experiment: Experiment, name: Name) -> Value:
    if name.kind == "tag":
        return experiment.tags.get(name.key)
    return {
        "name": experiment.name,
        "experiment_id": experiment.id,
        "creation_time": experiment.created_at,
        "last_update_time": experiment.updated_at,
    }[name.key]
