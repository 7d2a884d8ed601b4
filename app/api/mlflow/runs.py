"""Runs: open one, say more about it, find it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response

from app.api.mlflow import messages
from app.api.mlflow.answers import INVALID, refusal
from app.api.mlflow.experiments import artifact_location
from app.api.mlflow.filters import Clause, Language, Name, Order, Value, ordered, page
from app.api.mlflow.tracking import tracking
from app.api.wire import reply
from app.storage.histories import Latest
from app.tracking.runs import Candidate, TrackedRun, TrackedRuns

_LANGUAGE = Language(
    texts=frozenset({"run_id", "run_name", "status", "user_id", "artifact_uri", "experiment_id"}),
    numbers=frozenset({"start_time", "end_time"}),
    kinds=frozenset({"attribute", "metric", "param", "tag"}),
)
# What can be searched and sorted by without reading what was said of a run.
_OF_CANDIDATES = frozenset({"run_id", "user_id", "start_time", "end_time", "experiment_id"})
_MODEL_HISTORY = "mlflow.log-model.history"
_NONE: Mapping[str, Latest] = {}


async def create(request: Request) -> Response:
    """runs/create."""
    said = await messages.read(request, messages.CreateRun)
    tags = {tag.key: tag.value for tag in said.tags}
    runs = tracking(request).runs
    opened = await to_thread.run_sync(
        runs.open, said.experiment_id, said.run_name or None, said.user_id, said.start_time, tags
    )
    return reply({"run": {"info": info(opened), "data": _data(opened, _NONE), "inputs": {}}})


async def get(request: Request) -> Response:
    """runs/get."""
    said = await messages.read(request, messages.OfRun)
    return reply({"run": await to_thread.run_sync(_get, tracking(request).runs, said.run)})


async def update(request: Request) -> Response:
    """runs/update."""
    said = await messages.read(request, messages.UpdateRun)
    changed = await to_thread.run_sync(
        tracking(request).runs.update, said.run, said.status, said.end_time, said.run_name or None
    )
    return reply({"run_info": info(changed)})


async def set_tag(request: Request) -> Response:
    """runs/set-tag."""
    said = await messages.read(request, messages.SetTag)
    return await describe(request, said.run, {}, {said.key: said.value})


async def log_param(request: Request) -> Response:
    """runs/log-parameter."""
    said = await messages.read(request, messages.SetTag)
    return await describe(request, said.run, {said.key: said.value}, {})


async def delete_tag(request: Request) -> Response:
    """runs/delete-tag."""
    said = await messages.read(request, messages.DeleteTag)
    await to_thread.run_sync(tracking(request).runs.delete_tag, said.run, said.key)
    return reply({})


async def delete(request: Request) -> Response:
    """runs/delete: the run is out of MLflow's clients' sight, and can be restored."""
    return await _mark(request, deleted=True)


async def restore(request: Request) -> Response:
    """runs/restore."""
    return await _mark(request, deleted=False)


async def log_model(request: Request) -> Response:
    """runs/log-model: that a model was saved, as MLflow before 3 has it, in a tag."""
    said = await messages.read(request, messages.LogModel)
    runs = tracking(request).runs

    def add() -> None:
        logged = json.loads(runs.get(said.run).run.tags.get(_MODEL_HISTORY, "[]"))
        runs.describe(said.run, {}, {_MODEL_HISTORY: json.dumps([*logged, json.loads(said.model_json)])})

    try:
        await to_thread.run_sync(add)
    except json.JSONDecodeError as error:
        return refusal(INVALID, f"model_json: {error}")
    return reply({})


async def describe(request: Request, run: str, params: Mapping[str, str], tags: Mapping[str, str]) -> Response:
    """Store params and tags of a run."""
    refused = await to_thread.run_sync(tracking(request).runs.describe, run, params, tags)
    return refusal(INVALID, "; ".join(refused)) if refused else reply({})


async def search(request: Request) -> Response:
    """runs/search."""
    said = await messages.read(request, messages.Search)
    clauses = _LANGUAGE.clauses(said.filter)
    orders = [_LANGUAGE.order(one) for one in said.order_by]
    runs = tracking(request).runs
    return reply(await to_thread.run_sync(_search, runs, said, clauses, orders))


def _search(
    runs: TrackedRuns, said: messages.Search, clauses: Sequence[Clause], orders: Sequence[Order]
) -> dict[str, Any]:
    early = [clause for clause in clauses if _early(clause.name)]
    candidates = [
        one
        for one in runs.candidates(said.experiment_ids)
        if said.run_view_type in ("ALL", "DELETED_ONLY" if one.facts.deleted else "ACTIVE_ONLY")
        and all(clause.holds(_of_candidate(one, clause.name)) for clause in early)
    ]
    candidates.sort(key=lambda one: (-(one.facts.started_at or 0), one.facts.id))
    if len(early) == len(clauses) and all(_early(order.name) for order in orders):
        candidates = ordered(candidates, orders, _of_candidate)
        begin, end, token = page(candidates, said.page_token, said.max_results)
        return _page(_whole(runs, runs.load(candidates[begin:end]), {}), token)
    found = [
        one
        for one in runs.load(candidates)
        if all(clause.holds(_value(one, clause.name, _NONE)) for clause in clauses if clause.name.kind != "metric")
    ]
    # Metrics are read last, and of the page alone where nothing is searched or sorted by them.
    known: Mapping[int, Mapping[str, Latest]] = {}
    if "metric" in {clause.name.kind for clause in clauses} | {order.name.kind for order in orders}:
        known = runs.latest(found)
        found = [one for one in found if all(c.holds(_value(one, c.name, known[one.run.id])) for c in clauses)]
    found = ordered(found, orders, lambda one, name: _value(one, name, known.get(one.run.id, _NONE)))
    begin, end, token = page(found, said.page_token, said.max_results)
    return _page(_whole(runs, found[begin:end], known), token)


def _page(shown: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    return {"runs": shown, **({"next_page_token": token} if token else {})}


def _early(name: Name) -> bool:
    return name.kind == "attribute" and name.key in _OF_CANDIDATES


def _of_candidate(one: Candidate, name: Name) -> Value:
    facts = one.facts
    return {
        "run_id": facts.id,
        "user_id": facts.user,
        "start_time": facts.started_at,
        "end_time": facts.ended_at,
        "experiment_id": one.experiment.id,
    }[name.key]


def _get(runs: TrackedRuns, run_id: str) -> dict[str, Any]:
    return _whole(runs, [runs.get(run_id)], {})[0]


def _whole(
    runs: TrackedRuns, found: Sequence[TrackedRun], known: Mapping[int, Mapping[str, Latest]]
) -> list[dict[str, Any]]:
    metrics = known or runs.latest(found)
    inputs, outputs = runs.assets(found, "input"), runs.assets(found, "output")
    return [
        {
            "info": info(one),
            "data": _data(one, metrics[one.run.id]),
            "inputs": {"dataset_inputs": list(inputs[one.run.id].values())},
            "outputs": {"model_outputs": list(outputs[one.run.id].values())},
        }
        for one in found
    ]


async def _mark(request: Request, *, deleted: bool) -> Response:
    said = await messages.read(request, messages.OfRun)
    runs = tracking(request).runs
    await to_thread.run_sync(lambda: runs.mark(said.run, deleted=deleted))
    return reply({})


def info(one: TrackedRun) -> dict[str, Any]:
    """What MLflow knows of a run beside what was logged."""
    facts = one.facts
    times = {"start_time": facts.started_at, "end_time": facts.ended_at}
    return {
        "run_id": facts.id,
        "run_uuid": facts.id,
        "run_name": one.name,
        "experiment_id": one.experiment.id,
        "user_id": facts.user,
        "status": one.status,
        "artifact_uri": _artifact_uri(one),
        "lifecycle_stage": "deleted" if facts.deleted else "active",
        **{name: time for name, time in times.items() if time is not None},
    }


def _data(one: TrackedRun, metrics: Mapping[str, Latest]) -> dict[str, Any]:
    return {
        "metrics": [
            {"key": key, "value": last.value, "timestamp": last.timestamp, "step": last.step}
            for key, last in sorted(metrics.items())
        ],
        "params": [{"key": key, "value": value} for key, value in sorted(one.params.items())],
        "tags": [{"key": key, "value": value} for key, value in sorted(one.tags.items())],
    }


def _artifact_uri(one: TrackedRun) -> str:
    return f"{artifact_location(one.experiment)}/{one.facts.id}/artifacts"


def _value(one: TrackedRun, name: Name, metrics: Mapping[str, Latest]) -> Value:
    match name.kind:
        case "metric":
            return metrics[name.key].value if name.key in metrics else None
        case "param":
            return one.params.get(name.key)
        case "tag":
            return one.tags.get(name.key)
        case "attribute":
            found: Value = info(one).get(name.key)
            return found
