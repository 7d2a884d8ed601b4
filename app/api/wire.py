"""The JSON that several nouns share: names, numbers, columns, pages; every field with its meaning and unit."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, FailFast, Field, Strict, WithJsonSchema
from pydantic_core import to_json

from app.curves.points import MAX_STEP
from app.limits import LARGEST_ATTEMPT, LONGEST_NAME
from app.rules.caveats import Lie
from app.rules.context import (
    DATASET_SIZE,
    NUM_CLASSES,
    PLANNED_STEPS,
    PRETRAINED,
    PRIOR,
    PRIORS,
    TARGET_VARIANCE,
    WHOLE,
    RunState,
)

Item = TypeVar("Item")

NO_CONTROL_CHARACTERS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
PATH_PART = r"^[^/\u0000-\u001f\u007f-\u009f]+$"
PATH_PART_WORDS = f"1 to {LONGEST_NAME} characters, no `/`, no control characters, and not `.` or `..`."

ProjectName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PATH_PART,
        description=f"The project's name: {PATH_PART_WORDS}",
        examples=["mnist"],
    ),
]
RunName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PATH_PART,
        description=f"The run's name within its project: {PATH_PART_WORDS}",
        examples=["r1"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="The most items in the reply [items].")]
After = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=NO_CONTROL_CHARACTERS,
        description="Only items after this name, in name order: the `next` of the page before.",
    ),
]
Attempt = Annotated[int, Field(ge=1, le=LARGEST_ATTEMPT)]

NON_FINITE_SCHEMA = {"enum": ["NaN", "Infinity", "-Infinity"]}
STEP_SCHEMA = {
    "type": "number",
    "minimum": 0,
    "maximum": MAX_STEP,
    "description": "A step; in any order, and again where a value is corrected [steps].",
}
VALUE_SCHEMA = {
    "anyOf": [{"type": "number"}, NON_FINITE_SCHEMA, {"type": "null"}],
    "description": "In the metric's own unit; null is not measured. The bare tokens NaN and Infinity are read as well.",
}

# What is declared below is what is taken. What is validated is plain numbers only, because nearly every job sends
# those and they can be read without a look at each: at anything else columns.py reads the body point by point.
_Numbers = list[Annotated[float, Strict()]]


class Strictly(BaseModel):
    """A body: nothing is coerced, and a field that is not known is a mistake worth telling."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Column(Strictly):
    """The points of one curve as two lists of the same length."""

    steps: Annotated[
        _Numbers,
        FailFast(),
        WithJsonSchema({"type": "array", "items": STEP_SCHEMA}),
        Field(description="Finite numbers from 0 to 2**53 [steps].", examples=[[1, 2, 3]]),
    ]
    values: Annotated[
        _Numbers,
        FailFast(),
        WithJsonSchema({"type": "array", "items": VALUE_SCHEMA}),
        Field(description="One value a step, in the metric's own unit.", examples=[[0.9, 0.7, "NaN"]]),
    ]


class ContextIn(Strictly):
    """What the job knows about itself. Null or absent leaves what is known as it is."""

    num_classes: Annotated[int | None, NUM_CLASSES] = None
    planned_steps: Annotated[float | None, PLANNED_STEPS] = None
    state: Annotated[
        RunState | None, Field(description="Whether the job still runs, has finished, or has failed; at first running.")
    ] = None
    schedule: Annotated[
        str | None,
        Field(max_length=100, description="The learning-rate schedule by name.", examples=["cosine"]),
    ] = None
    class_priors: Annotated[list[Annotated[float, PRIOR]] | None, PRIORS, WHOLE] = None
    target_variance: Annotated[float | None, TARGET_VARIANCE] = None
    dataset_size: Annotated[int | None, DATASET_SIZE] = None
    pretrained: Annotated[str | None, PRETRAINED] = None
    caveats: Annotated[
        list[Annotated[str, Field(max_length=500)]] | None,
        Field(
            max_length=100,
            description=f"Known lies of the source. Rules read one that begins with a code, {', '.join(Lie)}, and a "
            "colon; any other is only shown.",
            examples=[["interval-mean: train/loss is the mean over each epoch", "augmented on Tuesdays"]],
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """The facts that were given, by the names that Context and RunUpdate have for them."""
        facts = self.model_dump(exclude_none=True)
        return {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in facts.items()}


class RejectedOut(BaseModel):
    """A point that was refused."""

    model_config = ConfigDict(from_attributes=True)

    index: Annotated[
        int, Field(ge=0, description="Its place, counted from 0, in its column, among the rows or lines [points].")
    ]
    curve: Annotated[str | None, Field(description="The curve's name; null when the whole row or line was refused.")]
    code: Annotated[str, Field(description="Why, for programs.", examples=["step_negative"])]
    reason: Annotated[str, Field(description="Why, for people.", examples=["a step is 0 or more"])]


class Out(BaseModel):
    """A reply, made from the product's own dataclasses; what a job sent as NaN leaves as the string."""

    model_config = ConfigDict(from_attributes=True, ser_json_inf_nan="strings")


class Page(Out, Generic[Item]):
    """One page of a list."""

    items: Annotated[list[Item], Field(description="The items of this page, in order.")]
    next: Annotated[
        str | None, Field(description="Send it as `after` to get the next page; null when there is no more.")
    ]


def reply(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON reply; NaN and infinities leave as strings, every other number so that it reads back the same."""
    return Response(to_json(content, inf_nan_mode="strings"), status, dict(headers or {}), "application/json")
