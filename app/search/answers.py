"""What a search answers: the seven steps, what comes next, and how the configurations stand."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from app.rules.verdict import Evidence

Status = Literal["done", "failed", "open", "skipped"]
SearchStep = Annotated[int, Field(ge=1, le=7, description="The step of the procedure [1 to 7].")]
NAMES: tuple[str, ...] = (
    "initial loss",
    "overfit a small sample",
    "find the learning rate",
    "coarse grid",
    "refine",
    "look at the curves",
    "go on or stop",
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which of the seven steps a run belongs to."""

    run: Annotated[str, Field(description="The run's name.")]
    search_step: Annotated[
        int | None, Field(description="The step of the procedure [1 to 5]; null where it cannot be told.")
    ]
    inferred: Annotated[bool, Field(description="Whether it was inferred from the run; else the job declared it.")]
    why: Annotated[str, Field(description="What it was inferred from, in one sentence.")]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What the posted runs say about one of the seven steps."""

    number: Annotated[int, Field(ge=1, le=7, description="The step of the procedure [1 to 7].")]
    name: Annotated[str, Field(description="The step in words.", examples=list(NAMES[:2]))]
    status: Annotated[
        Status,
        Field(
            description="`done`: answered by the runs. `failed`: answered, and something must change first. `open`: "
            "not answered yet. `skipped`: a later step's runs make it needless, or a fact about the task is missing."
        ),
    ]
    says: Annotated[str, Field(description="The answer in a sentence or two, with its numbers.")]
    evidence: Annotated[tuple[Evidence, ...], Field(description="The numbers behind the answer.")] = ()
    runs: Annotated[tuple[str, ...], Field(description="The runs that the answer was read from.")] = ()
    inferred: Annotated[
        tuple[str, ...], Field(description="Those of them whose step was inferred, because the job did not declare it.")
    ] = ()
    missing: Annotated[
        str | None, Field(description="What would have to be known or run to answer; null when nothing is missing.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A run worth making, as a job can make it."""

    run: Annotated[str, Field(description="A name for the run that no run of the search has.")]
    search_step: SearchStep
    config: Annotated[dict[str, Any], Field(description="Its hyper-parameters, nested as their dotted names say.")]
    planned_epochs: Annotated[float | None, Field(description="How long to train [epochs]; null: as planned_steps.")]
    planned_steps: Annotated[
        float | None, Field(description="How long to train [steps]; null where steps per epoch are not known.")
    ]
    settings: Annotated[
        dict[str, Any],
        Field(
            description="What else the job must do: `weight_decay` 0, `sample_size` [examples], `ramp_from` and "
            "`ramp_to` (the rate grows by equal ratios within the run), `schedule`, `seed`, `stop_at_accuracy`, and "
            "`initialisation` (`kaiming`, `small_output_layer`, or both with a plus between them)."
        ),
    ]
    why: Annotated[str, Field(description="What the run is to find out.")]


@dataclass(frozen=True, kw_only=True)
class Next:
    """Which step comes next, and the runs that it needs."""

    search_step: SearchStep
    name: Annotated[str, Field(description="The step in words.")]
    why: Annotated[str, Field(description="Why this step, in a sentence or two with numbers.")]
    stop: Annotated[bool, Field(description="Whether the search is over: no further run is expected to pay.")]
    proposals: Annotated[
        tuple[Proposal, ...], Field(description="The runs to make next; none when the search is over.")
    ]


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """How one configuration stands among those of its length, over its seeds."""

    config: Annotated[dict[str, Any], Field(description="The hyper-parameters of the space, nested as posted.")]
    runs: Annotated[tuple[str, ...], Field(description="Its runs.")]
    search_step: Annotated[int, Field(description="The step of the procedure that its runs belong to [4 or 5].")]
    seeds: Annotated[int, Field(description="How many of its runs could be read [runs].")]
    level: Annotated[float, Field(description="Mean over its runs of the best level of the metric [metric's unit].")]
    interval: Annotated[
        tuple[float, float] | None,
        Field(description="95 % interval of the level for noise over seeds [metric's unit]; null where not known."),
    ]
    equivalent_to_best: Annotated[bool, Field(description="Whether noise may be all that parts it from the best.")]
    says: Annotated[str, Field(description="The same in one sentence.")]


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """All that a search knows. `steps`: the seven, in order. `ranking`: best first."""

    steps: tuple[StepReport, ...]
    next: Next
    ranking: tuple[Ranked, ...]
    places: tuple[Place, ...] = field(default=())
