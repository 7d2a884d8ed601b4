"""Learning-rate schedules: the kinds there are, and the values of one. Nobody's data, so open to everybody."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import Field, ValidationError

from app.api.openapi import documented
from app.api.problems import INVALID_INPUT
from app.api.wire import Out, reply
from app.errors import InvalidInput
from app.schedules.kinds import KINDS, KindName, ScheduleKind
from app.schedules.make import course

router = APIRouter(tags=["schedules"])

# Two megabytes of JSON. Whoever has more updates asks by the epoch, or calculates with `curvewise schedule`.
MOST_VALUES = 100_000
_LISTS = frozenset({"at"})


class ParameterOut(Out):
    """A parameter of a kind of schedule."""

    name: Annotated[str, Field(description="Its name in a query.", examples=["warmup"])]
    unit: Annotated[str, Field(description="`steps`, `rate`, `ratio`; empty for a word.", examples=["steps"])]
    required: Annotated[bool, Field(description="Whether it has to be given.")]
    default: Annotated[
        float | str | None,
        Field(description="What it is when it is not given, in `unit` [of the parameter]; a formula where it depends."),
    ]
    description: Annotated[str, Field(description="What it means.")]


class KindOut(Out):
    """A kind of schedule."""

    kind: Annotated[KindName, Field(description="Its name in a path.", examples=["cosine"])]
    formula: Annotated[
        str, Field(description="The rate at step t; a0 is `lr`, T is `steps`; t counts from the end of a warm-up.")
    ]
    use: Annotated[str, Field(description="When to use it.")]
    parameters: Annotated[list[ParameterOut], Field(description="What it takes.")]


class KindsOut(Out):
    """All kinds of schedule."""

    schedules: Annotated[list[KindOut], Field(description="The kinds, the plainest first.")]


class RatesOut(Out):
    """A schedule, step by step."""

    kind: Annotated[KindName, Field(description="Its kind.", examples=["cosine"])]
    parameters: Annotated[
        dict[str, float | str | list[float]],
        Field(description="Every parameter as it was taken, defaults filled in; units are at /api/v1/schedules."),
    ]
    values: Annotated[list[float], Field(description="The learning rate at t = 0 to steps - 1 [rate].")]


_LR = {"name": "lr", "unit": "rate", "required": True, "default": None, "description": "The highest learning rate, a0."}
_KINDS = {
    "schedules": [
        {
            "kind": "cosine",
            "formula": "a0 / 2 * (1 + cos(pi * t / T))",
            "use": "When the number of steps is known.",
            "parameters": [_LR],
        }
    ]
}
_RATES = {
    "kind": "linear",
    "parameters": {"lr": 0.1, "steps": 4, "warmup": 0.0, "min_lr": 0.0},
    "values": [0.1, 0.075, 0.05, 0.025],
}


@router.get(
    "/api/v1/schedules",
    summary="List the kinds of learning-rate schedule",
    response_model=KindsOut,
    responses=documented(description="The kinds.", example=_KINDS),
)
def list_schedules() -> Response:
    """Every kind with its formula, when to use it, and its parameters with unit and default."""
    return reply(KindsOut(schedules=[_out(kind) for kind in KINDS.values()]))


def _out(kind: ScheduleKind) -> KindOut:
    schema = kind.parameters.model_json_schema()
    required = set(schema.get("required", ()))
    parameters = [
        ParameterOut(
            name=name,
            unit=field["unit"],
            required=name in required,
            default=field.get("default_is", field.get("default") or None if name == "at" else field.get("default")),
            description=field["description"],
        )
        for name, field in schema["properties"].items()
    ]
    return KindOut(kind=kind.name, formula=kind.formula, use=kind.use, parameters=parameters)


def _query_parameters() -> list[dict[str, Any]]:
    """What the path takes, as OpenAPI says it: the parameters of all kinds, each with the kinds that take it."""
    found: dict[str, dict[str, Any]] = {}
    takers: dict[str, list[str]] = {}
    for kind in KINDS.values():
        schema = kind.parameters.model_json_schema()
        for name, field in schema["properties"].items():
            takers.setdefault(name, []).append(f"`{kind.name}`")
            bounds = {key: value for key, value in field.items() if key not in _TOLD}
            found.setdefault(
                name,
                {
                    "name": name,
                    "in": "query",
                    "required": name in schema.get("required", ()),
                    "schema": bounds,
                    "description": f"{field['description']} [{field['unit']}]".removesuffix(" []"),
                },
            )
    found["steps"]["schema"]["maximum"] = MOST_VALUES
    found["lr"]["example"], found["steps"]["example"] = 0.1, 100
    for name, of in takers.items():
        if len(of) < len(KINDS):
            found[name]["description"] += f" Of {', '.join(of)}."
    kinds = {"name": "kind", "in": "path", "required": True, "schema": {"enum": list(KINDS), "type": "string"}}
    return [{**kinds, "description": "The kind of schedule.", "example": "cosine"}, *found.values()]


# A default differs between kinds, so the list of kinds tells it and not the path.
_TOLD = frozenset({"description", "title", "unit", "default_is", "default"})


@router.get(
    "/api/v1/schedules/{kind}",
    summary="Make a learning-rate schedule",
    response_model=RatesOut,
    responses=documented(INVALID_INPUT, description="The rate at every step.", example=_RATES),
    openapi_extra={"parameters": _query_parameters()},
)
def get_schedule(request: Request, kind: KindName) -> Response:
    """The rate at t = 0 to `steps` - 1. Each kind takes parameters of its own, which the list of kinds names.

    A warm-up is linear, never zero, and reaches `lr` at t = `warmup`; what follows counts from there.
    """
    given = _read(request)
    try:
        p = KINDS[kind].parameters.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(_in_query(error)) from error
    if p.steps > MOST_VALUES:
        raise InvalidInput(
            f"query.steps: at most {MOST_VALUES} values fit a reply; ask by the epoch, or use `curvewise schedule`"
        )
    values = course(kind, np.arange(p.steps, dtype=np.float64), p)
    return reply(RatesOut(kind=kind, parameters=p.model_dump(mode="json"), values=values.tolist()))


def _read(request: Request) -> Mapping[str, object]:
    """The query, by name. Raises InvalidInput where one that may not is given twice."""
    query = request.query_params
    twice = [name for name in query if name not in _LISTS and len(query.getlist(name)) > 1]
    if twice:
        raise InvalidInput(f"query.{twice[0][:100]}: given more than once")
    return {name: query.getlist(name) if name in _LISTS else value for name, value in query.items()}


def _in_query(error: ValidationError) -> list[dict[str, Any]]:
    """The errors as the framework has them. A default that could not be worked out is no error of its own."""
    return [
        {**item, "loc": ("query", *item["loc"]), "msg": item["msg"].removeprefix("Value error, ")}
        for item in error.errors(include_context=False, include_url=False)
        if item["type"] != "default_factory_not_called"
    ]
