"""What a user can say about runs that their logs do not: options that several commands share."""

import math
from dataclasses import replace
from typing import Annotated

import typer
from pydantic import TypeAdapter

from app.importers.imported import ImportedRun
from app.rules.context import FROM_SCRATCH, LARGEST_DATASET, LONGEST_PRETRAINED, Context, RunState

_CONTEXT = TypeAdapter(Context)


def _meant(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter("must be above zero and finite")
    return value


def _named(value: str | None) -> str | None:
    if value is not None and len(value) > LONGEST_PRETRAINED:
        raise typer.BadParameter(f"has over {LONGEST_PRETRAINED} characters")
    return value


def _priors(value: str | None) -> str | None:
    if value is not None:
        try:
            _CONTEXT.validate_python({"class_priors": _numbers(value)})
        except ValueError as error:  # pydantic's is one
            raise typer.BadParameter("takes the shares of all classes, together 1, as 0.9,0.1") from error
    return value


def _numbers(said: str) -> tuple[float, ...]:
    return tuple(float(number) for number in said.split(","))


NumClasses = Annotated[
    int | None, typer.Option(min=2, help="Classes of the task; for a language model, its vocabulary.")
]
PlannedSteps = Annotated[
    float | None,
    typer.Option(callback=_meant, help="How long the run was meant to be, in the log's step unit."),
]
TargetVariance = Annotated[
    float | None,
    typer.Option(callback=_meant, help="Variance of a regression's targets, where the loss is a squared error."),
]
DatasetSize = Annotated[int | None, typer.Option(min=1, max=LARGEST_DATASET, help="How many examples are trained on.")]
Pretrained = Annotated[
    str | None,
    typer.Option(callback=_named, help=f"The pre-trained model that training starts from; {FROM_SCRATCH!r} for none."),
]
ClassPriors = Annotated[
    str | None,
    typer.Option(callback=_priors, help="Share of each class in the training data, as 0.9,0.1."),
]
State = Annotated[
    RunState | None,
    typer.Option(help="Whether the job still runs, has finished, or has failed; what the log tells when not given."),
]


def context_of(
    run: ImportedRun,
    num_classes: int | None,
    planned_steps: float | None,
    state: RunState | None,
    otherwise: RunState = "finished",
) -> Context:
    """What the log brings with it and what the user said, who knows better. otherwise: the state when neither says."""
    return replace(
        run.context,
        num_classes=num_classes or run.context.num_classes,
        planned_steps=planned_steps or run.context.planned_steps,
        state=state or run.state or otherwise,
    )


def with_facts(
    context: Context,
    class_priors: str | None,
    target_variance: float | None,
    dataset_size: int | None,
    pretrained: str | None,
) -> Context:
    """The context with what the user said as well. Raises typer.BadParameter where that contradicts it."""
    try:
        return replace(
            context,
            class_priors=_numbers(class_priors) if class_priors else context.class_priors,
            target_variance=target_variance or context.target_variance,
            dataset_size=dataset_size or context.dataset_size,
            pretrained=context.pretrained if pretrained is None else pretrained,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--class-priors") from error
