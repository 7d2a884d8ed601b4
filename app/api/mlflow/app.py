"""The endpoints of the subset, mounted under /mlflow: an application of its own, since its errors are MLflow's."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from app.api.mlflow import answers, experiments, links, metrics, models, runs
from app.errors import CurvewiseError

PREFIX = "/mlflow"
_Handler = Callable[[Request], Awaitable[Response]]

_POSTED: dict[str, _Handler] = {
    "experiments/create": experiments.create,
    "experiments/search": experiments.search,
    "experiments/delete": experiments.delete,
    "experiments/restore": experiments.restore,
    "experiments/update": experiments.update,
    "experiments/set-experiment-tag": experiments.set_tag,
    "experiments/delete-experiment-tag": experiments.delete_tag,
    "runs/create": runs.create,
    "runs/update": runs.update,
    "runs/delete": runs.delete,
    "runs/restore": runs.restore,
    "runs/search": runs.search,
    "runs/set-tag": runs.set_tag,
    "runs/delete-tag": runs.delete_tag,
    "runs/log-parameter": runs.log_param,
    "runs/log-metric": metrics.log_metric,
    "runs/log-batch": metrics.log_batch,
    "runs/log-model": runs.log_model,
    "runs/log-inputs": models.log_inputs,
    "runs/outputs": models.log_outputs,
    "logged-models": models.create,
    "logged-models/{model_id}/params": models.change,
}
_GOT: dict[str, _Handler] = {
    "experiments/get": experiments.get,
    "experiments/get-by-name": experiments.get_by_name,
    "experiments/search": experiments.search,
    "experiments/list": experiments.search,
    "runs/get": runs.get,
    "metrics/get-history": metrics.get_history,
    "logged-models/{model_id}": models.get,
}
_PATCHED: dict[str, _Handler] = {
    "logged-models/{model_id}": models.change,
    "logged-models/{model_id}/tags": models.change,
}
_ON: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    CurvewiseError: answers.on_curvewise_error,
    answers.Refused: answers.on_refused,
    RequestValidationError: answers.on_invalid_request,
    HTTPException: answers.on_http_exception,
    ClientDisconnect: answers.on_disconnect,
    Exception: answers.on_anything_else,
}


def make_app(state: State) -> Starlette:
    """state: of the app that this is mounted in, whose lifespan makes the service."""
    served = [("POST", _POSTED), ("GET", _GOT), ("PATCH", _PATCHED)]
    routes = [
        Route(f"/api/2.0/mlflow/{path}", handler, methods=[method])
        for method, handlers in served
        for path, handler in handlers.items()
    ]
    routes.append(Route("/api/2.0/mlflow-artifacts/{path:path}", models.refuse_files, methods=["GET", "PUT", "DELETE"]))
    linked = {"/": links.follow, "/runs/{run_id}": links.to_run, "/experiments/{experiment_id}": links.to_project}
    routes += [Route(path, handler, methods=["GET"]) for path, handler in linked.items()]
    app = Starlette(routes=routes, exception_handlers=_ON)
    app.state = state
    return app
