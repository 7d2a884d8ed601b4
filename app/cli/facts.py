"""What a user can say about runs that their logs do not: options that several commands share."""

import math
from dataclasses import replace
from typing import Annotated

import typer

from app.importers.imported import ImportedRun
from app.rules.context import Context, RunState


def _meant(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter("must be above zero and finite")
    return value


NumClasses = Annotated[
    int | None, typer.Option(min=2, help="Classes of the task; for a language model, its vocabulary.")
]
PlannedSteps = Annotated[
    float | None,
    typer.Option(callback=_meant, help="How long the run was meant to be, in the log's step unit."),
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
