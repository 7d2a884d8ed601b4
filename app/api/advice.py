"""Advice that follows from no curve: how to start from a pre-trained model. Nobody's data, so open to everybody."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from app.advice.amount import Data, amount_of
from app.advice.transfer import Advice, transfer
from app.api.openapi import documented
from app.api.problems import INVALID_INPUT
from app.api.wire import Out, reply
from app.rules.context import LARGEST_DATASET

router = APIRouter(tags=["advice"])


class TransferOut(Out):
    """How to start from a pre-trained model."""

    advice: Annotated[Advice, Field(description="The cell of the table, or what is missing to choose it.")]
    similar: Annotated[bool | None, Field(description="As asked; null when not told.")]
    data: Annotated[Data | None, Field(description="As asked, or judged from the examples; null when it cannot be.")]
    data_reason: Annotated[str, Field(description="Why the data count as small or large, or as neither.")]


_EXAMPLE = {
    "advice": {
        "strategy": "train_head",
        "candidates": ["train_head"],
        "text": "Freeze the pre-trained network and train a new head alone.",
        "reason": "its features fit data that are similar",
        "from_scratch": "with so few examples a pre-trained start beats one from scratch",
        "missing": [],
    },
    "similar": True,
    "data": "small",
    "data_reason": "500 examples: in a study of detectors, training from scratch fell far behind on 1,000 images",
}


@router.get(
    "/api/v1/advice/transfer",
    summary="Ask how to start from a pre-trained model",
    response_model=TransferOut,
    responses=documented(INVALID_INPUT, description="The advice, or what is missing.", example=_EXAMPLE),
)
def get_transfer_advice(
    similar: Annotated[
        bool | None, Query(description="Whether the task's data are like those of the pre-training.", examples=[True])
    ] = None,
    data: Annotated[
        Data | None, Query(description="Whether they are few or many; goes before what `examples` says.")
    ] = None,
    examples: Annotated[
        int | None, Query(ge=1, le=LARGEST_DATASET, description="How many there are to train on [examples].")
    ] = None,
    num_classes: Annotated[
        int | None, Query(ge=2, le=10_000_000, description="How many classes share them [classes].")
    ] = None,
) -> Response:
    """Train the head alone, some layers, the whole network, or try several; why; and how scratch would compare.

    What cannot be judged is said, with what is missing: a number of examples between what is known to be small and
    to be large is neither.
    """
    said, reason = data, "as told" if data else "neither `data` nor `examples` was told"
    if data is None and examples is not None:
        amount = amount_of(examples, num_classes)
        said, reason = amount.data, amount.reason
    advice = transfer(similar=similar, data=said)
    return reply(TransferOut(advice=advice, similar=similar, data=said, data_reason=reason))
