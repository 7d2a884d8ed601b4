"""Learning-rate schedules: the kinds there are and the values of one, for everybody; and the one that a run follows."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import Field, ValidationError

from app import errors
from app.api.openapi import documented
from app.api.problems import INVALID_INPUT
from app.api.service import ServiceHere
from app.api.wire import Out, ProjectName, RunName, reply
from app.curves.roles import to_roles
from app.errors import InvalidInput, UnknownCurve
from app.schedules import recognise
from app.schedules.kinds import KINDS, KindName, ScheduleKind
from app.schedules.make import course
from app.schedules.remake import remake
from app.schedules.schedule import Kind

router = APIRouter(tags=["schedules"])

# Two megabytes of JSON. Whoever has more updates asks by the epoch, or calculates with `curvewise schedule`.
MOST_VALUES = 100_000
_LISTS = frozenset({"at"})
_POINTS_READ = 4096  # of a logged rate
_Parameters = dict[str, int | float | str | list[float]]


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
        _Parameters,
        Field(description="Every parameter as it was taken, defaults filled in; units are at /api/v1/schedules."),
    ]
    values: Annotated[list[float], Field(description="The learning rate at t = 0 to steps - 1 [rate].")]


class DropOut(Out):
    """A sudden cut of the rate."""

    step: Annotated[float, Field(description="The first step at the new rate [steps].")]
    factor: Annotated[float, Field(description="New rate over old [ratio].")]


class RemadeOut(Out):
    """What makes a logged rate again."""

    kind: Annotated[KindName, Field(description="The kind, as at /api/v1/schedules.", examples=["cosine"])]
    parameters: Annotated[
        _Parameters, Field(description="Its parameters; units are at /api/v1/schedules. `steps` is T.")
    ]
    first_step: Annotated[float, Field(description="The run's step at which the schedule's t is 0 [steps].")]
    error: Annotated[
        float,
        Field(ge=0, description="Root mean square distance of its rates from those logged [share of the peak]."),
    ]


class RecognisedOut(Out):
    """The schedule that a run's logged rate follows."""

    kind: Annotated[
        Kind,
        Field(description="What it looks like; `warmup` has only risen so far, `unknown` is near to no known one."),
    ]
    peak: Annotated[float, Field(description="The highest rate [rate].")]
    warmup_end: Annotated[float, Field(description="First step at the peak; 0 without a warm-up [steps].")]
    drops: Annotated[list[DropOut], Field(description="Sudden cuts, in order.")]
    horizon: Annotated[
        float | None, Field(description="Where a fall reaches zero or its floor [steps]; null where it has no end.")
    ]
    fit_error: Annotated[
        float,
        Field(ge=0, description="Root mean square distance of the recognised shape from the points [share of peak]."),
    ]
    now: Annotated[float, Field(description="The last rate [share of the peak].")]
    first: Annotated[float, Field(description="The first step that was logged [steps].")]
    last: Annotated[float, Field(description="The last step that was logged [steps].")]
    remade: Annotated[
        RemadeOut | None,
        Field(description="Kind and parameters that make it; null where none within 0.01 of the peak were found."),
    ]


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


_RECOGNISED = {
    "kind": "cosine",
    "peak": 0.1,
    "warmup_end": 0.0,
    "drops": [],
    "horizon": 1000.0,
    "fit_error": 0.0,
    "now": 0.5,
    "first": 0.0,
    "last": 500.0,
    "remade": {
        "kind": "cosine",
        "parameters": {"lr": 0.1, "steps": 1000, "warmup": 0.0, "min_lr": 0.0},
        "first_step": 0.0,
        "error": 0.0,
    },
}


@router.get(
    "/api/v1/projects/{project}/runs/{run}/schedule",
    summary="Recognise a run's learning-rate schedule",
    response_model=RecognisedOut,
    responses=documented(
        errors.UnknownProject,
        errors.UnknownRun,
        errors.UnknownCurve,
        INVALID_INPUT,
        errors.StorageUnavailable,
        description="The schedule, how far it is from the points, and what makes it.",
        example=_RECOGNISED,
    ),
)
def get_run_schedule(service: ServiceHere, project: ProjectName, run: RunName) -> Response:
    """Which schedule the logged learning rate follows, as far as it was logged, with its error.

    `remade` says it in the words of `GET /api/v1/schedules/{kind}`, checked by making it. A run that logged no rate, or
    one point of it, is answered with 404.
    """
    stored = service.get_run(project, run)
    roles = {curve.name: curve.role for curve in stored.curves if curve.role == "lr"}
    curves = service.read_curves(project, run, names=list(roles), max_points=_POINTS_READ) if roles else {}
    known = to_roles(curves, {name: role for name, role in roles.items() if role})
    rate = known["lr"].finite() if "lr" in known else None
    schedule = recognise(rate, stored.context.planned_steps) if rate is not None else None
    if rate is None or schedule is None:
        raise UnknownCurve(f"run {run!r} has no learning rate of two points or more: log it at each update as `lr`")
    made = remake(rate, schedule)
    told = made and {
        "kind": made.kind,
        "parameters": made.parameters.model_dump(mode="json"),
        "first_step": made.first_step,
        "error": made.error,
    }
    facts = {name: getattr(schedule, name) for name in RecognisedOut.model_fields if name != "remade"}
    return reply(RecognisedOut.model_validate({**facts, "remade": told}))


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
