"""What the job told about itself, beside its curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.rules.caveats import Lie, lies_in

RunState = Literal["running", "finished", "failed"]

MOST_PRIORS = 10_000  # classes: what a run says of itself is listed with it, so it stays small
LARGEST_DATASET = 2**53  # examples: the largest integer that every JSON reader keeps
LONGEST_PRETRAINED = 200  # characters
FROM_SCRATCH = "none"
_ROUNDING = 0.02  # three classes of 0.33 are a third each


def _whole(priors: Sequence[float] | None) -> Sequence[float] | None:
    if priors is not None and abs(math.fsum(priors) - 1) > _ROUNDING:
        raise ValueError(f"the priors of all classes add up to 1, and these to {math.fsum(priors):.4g}")
    return priors


WHOLE = AfterValidator(_whole)
PRIOR = Field(ge=0, le=1, allow_inf_nan=False)
PRIORS = Field(
    min_length=2,
    max_length=MOST_PRIORS,
    description="Share of each class in the training data; together 1, give or take 0.02 for rounding [0 to 1].",
)
NUM_CLASSES = Field(
    ge=2, le=10_000_000, description="Number of classes (for a language model, the vocabulary) [classes]."
)
PLANNED_STEPS = Field(gt=0, allow_inf_nan=False, description="How long the run is meant to be [steps].")
TARGET_VARIANCE = Field(
    gt=0,
    allow_inf_nan=False,
    description="For a regression on squared error: the variance of its targets, which is the loss of predicting their "
    "mean [squared target units].",
)
DATASET_SIZE = Field(ge=1, le=LARGEST_DATASET, description="How many examples the run trains on [examples].")
PRETRAINED = Field(
    max_length=LONGEST_PRETRAINED,
    description=f"The pre-trained model that training starts from, by name; `{FROM_SCRATCH}` for a start from scratch, "
    "empty when not known.",
)


@dataclass(frozen=True, kw_only=True)
class Context:
    """The facts about a run that its curves do not show. Every field may be unknown."""

    num_classes: Annotated[int | None, NUM_CLASSES] = None
    planned_steps: Annotated[float | None, PLANNED_STEPS] = None
    state: Annotated[RunState, Field(description="Whether the job still runs, has finished, or has failed.")] = (
        "running"
    )
    schedule: Annotated[
        str | None,
        Field(max_length=100, description="The learning-rate schedule by name, where the job told it."),
    ] = None
    class_priors: Annotated[tuple[Annotated[float, PRIOR], ...] | None, PRIORS, WHOLE] = None
    target_variance: Annotated[float | None, TARGET_VARIANCE] = None
    dataset_size: Annotated[int | None, DATASET_SIZE] = None
    pretrained: Annotated[str | None, PRETRAINED] = None
    caveats: Annotated[
        tuple[str, ...],
        Field(
            description="Known lies of the source. Rules read one that begins with a code that they know, such as "
            "'interval-mean: train/loss is the mean over each epoch'; any other text is only shown."
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for facts that contradict each other."""
        if self.class_priors and self.num_classes and len(self.class_priors) != self.num_classes:
            raise ValueError(f"class_priors has {len(self.class_priors)} classes and num_classes is {self.num_classes}")

    @property
    def lies(self) -> frozenset[Lie]:
        """The caveats that rules know."""
        return lies_in(self.caveats)

    @property
    def averaged(self) -> bool:
        """Whether train loss is known to be averages of some kind: its first point is no loss of an untrained model."""
        return not self.lies.isdisjoint({Lie.INTERVAL_MEAN, Lie.SMOOTHED})

    @property
    def from_scratch(self) -> bool | None:
        """Whether training started from random weights; None when not known."""
        return self.pretrained.strip().lower() == FROM_SCRATCH if self.pretrained and self.pretrained.strip() else None

    @property
    def classes(self) -> int | None:
        """How many classes the task has, told as such or by their priors [classes]; None when not known."""
        return self.num_classes or (len(self.class_priors) if self.class_priors else None)

    def judged_from(self, share: float, last_step: float) -> float:
        """The step before which a verdict is premature: `share` of the plan, of the run once it is over [steps]."""
        planned = self.planned_steps or 0.0
        return share * (planned if self.state == "running" else min(planned, last_step))
