"""Requests of MLflow's clients, as the JSON form of their protobuf messages: numbers may come as strings.

Read field by field, so that nothing is taken for what it is not: a client that sends a bare NaN, or a step that is no
integer, is told, and what else it sent is kept.
"""

import re
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError

from app.api.body import off_loop, read_body, readable, validate
from app.curves.points import MAX_NAME_LENGTH, MAX_STEP, NON_FINITE_WORDS, name_problem
from app.storage.histories import is_hidden

LONGEST_VALUE = 8000  # [characters], MLflow's own limit for a tag; that of a param is 6000
LARGEST_BATCH = 1000
LARGEST_PAGE = 50_000
_INTEGER = re.compile(r"-?\d{1,19}")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?")


def _integer(raw: object) -> object:
    """A 64-bit integer of protobuf, which JSON may carry as a string or as a number with a fraction of zero."""
    match raw:
        case str() if _INTEGER.fullmatch(raw):
            return int(raw)
        case float() if raw.is_integer():
            return int(raw)
        case int() if not isinstance(raw, bool):
            return raw
    raise ValueError(f"a whole number is wanted, not {_shown(raw)}")


def _number(raw: object) -> object:
    match raw:
        case str() if raw.lower() in NON_FINITE_WORDS:
            return NON_FINITE_WORDS[raw.lower()]
        case str() if _NUMBER.fullmatch(raw):
            return float(raw)
        case int() | float() if not isinstance(raw, bool):
            return raw
    raise ValueError(f"a number is wanted, not {_shown(raw)}")


def key_problem(key: str) -> str | None:
    """Why a metric cannot have this key, None when it can."""
    if is_hidden(key):
        return f"names that begin like {_shown(key)} are Curvewise's own"
    return name_problem(key)


def _key(key: str) -> str:
    if problem := key_problem(key):
        raise ValueError(problem)
    return key


def _shown(raw: object) -> str:
    return "null" if raw is None else repr(raw)[:60]


Integer = Annotated[int, BeforeValidator(_integer)]
Number = Annotated[float, BeforeValidator(_number)]
Text = Annotated[str, Strict()]


class Message(BaseModel):
    """Fields that are not known are a newer client's, and ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Pair(Message):
    """A tag or a param."""

    key: Annotated[Text, Field(min_length=1, max_length=250)]
    value: Annotated[Text, Field(max_length=LONGEST_VALUE)] = ""


class Metric(Message):
    """One value of one metric. timestamp: ms since 1970. A client that names no step means 0."""

    key: Annotated[Text, Field(min_length=1, max_length=MAX_NAME_LENGTH), AfterValidator(_key)]
    value: Number
    timestamp: Annotated[Integer, Field(ge=0, le=MAX_STEP)]
    step: Annotated[Integer, Field(ge=-MAX_STEP, le=MAX_STEP)] = 0


class PlainMetric(Message):
    """A metric as nearly every client sends it, which can be read without a look at each field."""

    key: Annotated[str, Strict(), Field(min_length=1, max_length=MAX_NAME_LENGTH)]
    value: Annotated[float, Strict()] | Literal["NaN", "Infinity", "-Infinity"]
    timestamp: Annotated[int, Strict(), Field(ge=0, le=MAX_STEP)]
    step: Annotated[int, Strict(), Field(ge=-MAX_STEP, le=MAX_STEP)] = 0


class OfExperiment(Message):
    """A request about one experiment."""

    experiment_id: Text = "0"


class OfRun(Message):
    """A request about one run; old clients call its id `run_uuid`."""

    run_id: Text = ""
    run_uuid: Text = ""

    @property
    def run(self) -> str:
        """The id, whichever way it was said."""
        return self.run_id or self.run_uuid


class CreateExperiment(Message):
    """experiments/create."""

    name: Text
    artifact_location: Text = ""
    tags: list[Pair] = []


class UpdateExperiment(OfExperiment):
    """experiments/update."""

    new_name: Text = ""


class SetExperimentTag(OfExperiment, Pair):
    """experiments/set-experiment-tag."""


class DeleteExperimentTag(OfExperiment):
    """experiments/delete-experiment-tag."""

    key: Text


class CreateRun(OfExperiment):
    """runs/create."""

    run_name: Text = ""
    user_id: Text = ""
    start_time: Integer | None = None
    tags: list[Pair] = []


class UpdateRun(OfRun):
    """runs/update."""

    status: Text | None = None
    end_time: Integer | None = None
    run_name: Text = ""


class SetTag(OfRun, Pair):
    """runs/set-tag and runs/log-parameter."""


class DeleteTag(OfRun):
    """runs/delete-tag."""

    key: Text


class LogBatch(OfRun):
    """runs/log-batch; the metrics are read one by one."""

    metrics: Annotated[list[Any], Field(max_length=LARGEST_BATCH)] = []
    params: Annotated[list[Pair], Field(max_length=LARGEST_BATCH)] = []
    tags: Annotated[list[Pair], Field(max_length=LARGEST_BATCH)] = []


class LogModel(OfRun):
    """runs/log-model, of clients before MLflow 3."""

    model_json: Text


class LogInputs(OfRun):
    """runs/log-inputs and runs/outputs."""

    datasets: list[dict[str, Any]] = []
    models: list[dict[str, Any]] = []


class History(OfRun):
    """metrics/get-history."""

    metric_key: Text
    max_results: Annotated[Integer, Field(ge=1, le=LARGEST_PAGE)] | None = None
    page_token: Text = ""


class Search(Message):
    """What every search has."""

    filter: Text = ""
    order_by: list[Text] = []
    max_results: Annotated[Integer, Field(ge=1, le=LARGEST_PAGE)] = 1000
    page_token: Text = ""
    view_type: Text = "ACTIVE_ONLY"
    run_view_type: Text = "ACTIVE_ONLY"
    experiment_ids: list[Text] = []


class CreateModel(OfExperiment):
    """logged-models, of clients of MLflow 3."""

    name: Text = ""
    model_type: Text = ""
    source_run_id: Text = ""
    params: list[Pair] = []
    tags: list[Pair] = []


class ChangeModel(Message):
    """logged-models/{model_id}: its state, tags or params."""

    status: Text = ""
    params: list[Pair] = []
    tags: list[Pair] = []


Kind = TypeVar("Kind", bound=Message)


async def read(request: Request, kind: type[Kind]) -> Kind:
    """The request's message: of a GET from its query, else from its body, whatever media type that names.

    Raises UnreadableBody, RequestValidationError.
    """
    if request.method == "GET":
        try:
            return kind.model_validate(dict(request.query_params))
        except ValidationError as error:
            raise readable(error) from error
    body = await read_body(request)
    return await off_loop(request, body, lambda: validate(kind, body or b"{}"))
