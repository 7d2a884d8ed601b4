"""What the job told about itself, beside its curves."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from app.rules.caveats import Lie, lies_in

RunState = Literal["running", "finished", "failed"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The facts about a run that its curves do not show. Every field may be unknown."""

    num_classes: Annotated[
        int | None,
        Field(ge=2, le=10_000_000, description="Number of classes (for a language model, the vocabulary) [classes]."),
    ] = None
    planned_steps: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False, description="How long the run is meant to be [steps].")
    ] = None
    state: Annotated[RunState, Field(description="Whether the job still runs, has finished, or has failed.")] = (
        "running"
    )
    schedule: Annotated[
        str | None,
        Field(max_length=100, description="The learning-rate schedule by name, where the job told it."),
    ] = None
    caveats: Annotated[
        tuple[str, ...],
        Field(
            description="Known lies of the source. Rules read one that begins with a code that they know, such as "
            "'interval-mean: train/loss is the mean over each epoch'; any other text is only shown."
        ),
    ] = ()

    @property
    def lies(self) -> frozenset[Lie]:
        """The caveats that rules know."""
        return lies_in(self.caveats)

    @property
    def averaged(self) -> bool:
        """Whether train loss is known to be averages of some kind: its first point is no loss of an untrained model."""
        return not self.lies.isdisjoint({Lie.INTERVAL_MEAN, Lie.SMOOTHED})

    def judged_from(self, share: float, last_step: float) -> float:
        """The step before which a verdict is premature: `share` of the plan, of the run once it is over [steps]."""
        planned = self.planned_steps or 0.0
        return share * (planned if self.state == "running" else min(planned, last_step))
