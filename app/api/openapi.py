"""What the OpenAPI document needs beyond the types of the routes: bodies that we read ourselves, and every error."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app import errors
from app.api.needs import need_of
from app.api.problems import BY_ERROR, INTERNAL, INVALID_INPUT, MEDIA_TYPE, Kind, Problem
from app.errors import CurvewiseError

Responses = dict[int | str, dict[str, Any]]
_REFERENCE = "#/components/schemas/{model}"


def documented(
    *problems: Kind | type[CurvewiseError],
    description: str,
    example: object,
    created: tuple[str, type[BaseModel]] | None = None,
) -> Responses:
    """The responses of an operation: success with its example, and every problem that it can answer with.

    created: what a 201 means, and its model, where there is one beside the 200.
    """
    success = {"description": description, "content": {"application/json": {"example": example}}}
    found: Responses = {200: success}
    if created is not None:
        meaning, model = created
        found[201] = {**success, "description": meaning, "model": model}
    by_status: dict[int, list[Kind]] = {}
    for one in (*problems, INTERNAL):
        kind = one if isinstance(one, Kind) else BY_ERROR[one]
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        found[status] = _problems(kinds)
    return found


def plain(media_type: str, *problems: Kind | type[CurvewiseError], description: str, example: str) -> Responses:
    """The responses of an operation that answers with text of this media type."""
    found = documented(*problems, description=description, example=None)
    content = {"schema": {"type": "string"}, "example": example}
    found[200] = {"description": description, "content": {media_type: content}}
    return found


def deleted(*problems: type[CurvewiseError], description: str) -> Responses:
    """The responses of an operation that deletes: success without a body, and every problem."""
    always = (INVALID_INPUT, errors.StorageUnavailable, errors.StorageFull)
    found = documented(*problems, *always, description="", example=None)
    del found[200]
    return {204: {"description": description}, **found}


def one_body(
    media_type: str, model: type[BaseModel], examples: Mapping[str, object], *, required: bool
) -> dict[str, Any]:
    """The request body of an operation that reads it by itself."""
    return one_of_bodies((media_type, model, examples), required=required)


def one_of_bodies(
    *bodies: tuple[str, type[BaseModel] | type[str], Mapping[str, object]], required: bool = True
) -> dict[str, Any]:
    """The request body of an operation that takes one of several media types; a `str` is text without a schema."""
    content = {}
    for media_type, model, examples in bodies:
        schema = (
            {"$ref": _REFERENCE.format(model=model.__name__)} if issubclass(model, BaseModel) else {"type": "string"}
        )
        content[media_type] = {
            "schema": schema,
            "examples": {name: {"value": value} for name, value in examples.items()},
        }
    return {"requestBody": {"required": required, "content": content}}


def complete(document: dict[str, Any], routes: Sequence[APIRoute], bodies: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Add the schemas that routes refer to by name only, and give back the nulls that FastAPI drops from examples."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in bodies]
    models.append((Problem, "serialization"))
    _, schemas = models_json_schema(models, ref_template=_REFERENCE)
    document["components"]["schemas"].update(schemas["$defs"])
    document["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "Made by `curvewise token create`. A server that only its machine reaches asks for none.",
        }
    }
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"][route.path][method.lower()]
            operation.update(route.openapi_extra or {})
            _close(operation, need_of(method, route.path).audience != "anybody")
            for status, response in route.responses.items():
                for media_type, content in response.get("content", {}).items():
                    operation["responses"][str(status)]["content"][media_type].update(content)
    return document


def _close(operation: dict[str, Any], closed: bool) -> None:
    """What every operation answers to whoever may not ask, or asks too often."""
    said: list[type[CurvewiseError]] = [errors.ForeignRequest, errors.TooManyRequests]
    if closed:
        operation["security"] = [{"token": []}, {}]
        said += [errors.NotLetIn, errors.NotAllowed]
    by_status: dict[int, list[Kind]] = {}
    for one in said:
        by_status.setdefault(BY_ERROR[one].status, []).append(BY_ERROR[one])
    for status, kinds in by_status.items():
        operation["responses"].setdefault(str(status), _problems(kinds))
    if "requestBody" in operation:
        operation["responses"]["408"] = _problems([BY_ERROR[errors.SlowBody]])


def _problems(kinds: list[Kind]) -> dict[str, Any]:
    content = {
        "schema": {
            "allOf": [
                {"$ref": _REFERENCE.format(model=Problem.__name__)},
                {"properties": {"type": {"enum": [kind.type for kind in kinds]}}},
            ]
        },
        "examples": {kind.name: {"value": _example(kind)} for kind in kinds},
    }
    response: dict[str, Any] = {
        "description": "; ".join(f"{kind.title} (`{kind.type}`)" for kind in kinds),
        "content": {MEDIA_TYPE: content},
    }
    if kinds[0].status == 503:
        response["headers"] = {
            "Retry-After": {"description": "When to try again [s].", "schema": {"type": "integer", "minimum": 0}}
        }
    return response


def _example(kind: Kind) -> dict[str, Any]:
    return {"type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.example}
