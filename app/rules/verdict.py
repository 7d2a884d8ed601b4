"""What a rule answers: a finding, clear, or skipped with the reason it could not judge."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

Severity = Literal["info", "warning", "error"]
Action = Literal[
    "decay_lr",
    "stop",
    "continue",
    "regularise",
    "add_data",
    "grow_model",
    "raise_lr",
    "lower_lr",
    "reinitialise",
    "delay_decay",
    "transfer",
]


@dataclass(frozen=True)
class Evidence:
    """A measured number beside its limit."""

    name: Annotated[str, Field(description="What was measured.", examples=["val_rise"])]
    value: Annotated[float, Field(description="The number measured, in `unit`.", examples=[9.1])]
    limit: Annotated[
        float | None, Field(description="The limit it was held against, in `unit`; null when it only informs.")
    ]
    unit: Annotated[str, Field(description="The unit of `value` and `limit`.", examples=["noise units"])]


@dataclass(frozen=True)
class Recommendation:
    """One imperative sentence plus the same as an action that a program can take."""

    text: Annotated[str, Field(description="One imperative sentence.", examples=["Keep the checkpoint of step 4200."])]
    action: Annotated[Action, Field(description="The machine-readable action.")]
    args: Annotated[
        dict[str, float | str],
        Field(description="The action's numbers, by name; steps in the run's own step unit, factors as ratios."),
    ]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The pathology is there. `code` and `rule` are filled in by the guard, so a check states only what it judged."""

    code: Annotated[str, Field(description="The rule's stable code.", examples=["CW005"])] = ""
    rule: Annotated[str, Field(description="The rule's name.", examples=["overfitting"])] = ""
    verdict: Annotated[Literal["finding"], Field(description="The rule found its pathology.")] = "finding"
    severity: Annotated[Severity, Field(description="How soon a person should look.")]
    confidence: Annotated[
        float, Field(ge=0, le=1, description="The estimated probability that the finding is right [0 to 1].")
    ]
    summary: Annotated[str, Field(description="What is wrong, in one sentence with its numbers.")]
    onset_step: Annotated[float, Field(ge=0, description="The step at which the pathology began [steps].")]
    span: Annotated[
        tuple[float, float], Field(description="First and last step over which the pathology shows [steps].")
    ]
    evidence: Annotated[tuple[Evidence, ...], Field(description="The numbers that decided, beside their limits.")]
    recommendations: Annotated[tuple[Recommendation, ...], Field(description="What to do, most useful first.")]
    caused_by: Annotated[
        str | None, Field(description="The code of the finding that this one follows from, if any.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Clear:
    """The rule could judge, and the pathology is not there."""

    code: Annotated[str, Field(description="The rule's stable code.", examples=["CW005"])] = ""
    rule: Annotated[str, Field(description="The rule's name.", examples=["overfitting"])] = ""
    verdict: Annotated[Literal["clear"], Field(description="The rule judged and found nothing.")] = "clear"
    evidence: Annotated[tuple[Evidence, ...], Field(description="The numbers that decided, beside their limits.")] = (
        field(default=())
    )


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """The rule could not judge."""

    code: Annotated[str, Field(description="The rule's stable code.", examples=["CW007"])] = ""
    rule: Annotated[str, Field(description="The rule's name.", examples=["wrong_initial_loss"])] = ""
    verdict: Annotated[Literal["skipped"], Field(description="The rule could not judge.")] = "skipped"
    reason: Annotated[
        str,
        Field(
            description="What was missing: a metric, points, or a fact about the run.",
            examples=["num_classes is not known"],
        ),
    ]


Verdict = Finding | Clear | Skipped
