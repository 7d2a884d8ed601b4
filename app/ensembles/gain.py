"""Whether one way to predict is better than another on the same examples: paired differences, in their own noise."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import stdtrit

from app.curves.curve import FloatArray

Metric = Literal["log_loss", "squared_error", "accuracy"]
Over = Literal["best_member", "average_member"]
HIGHER_IS_BETTER = frozenset({"accuracy"})
UNITS: dict[Metric, str] = {"log_loss": "nats", "squared_error": "target unit squared", "accuracy": "fraction"}
FEWEST_EXAMPLES = 20
CONFIDENCE = 0.95
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What averaging gains; above zero is better, whatever the metric."""

    metric: Annotated[Metric, Field(description="What was measured of each example.")]
    over: Annotated[
        Over,
        Field(
            description="`best_member`: the best single member, chosen on one half of the examples and judged on the "
            "other, so that its luck is not counted. `average_member`: the mean over the members, which no average of "
            "probabilities loses to in log loss, nor one of values in squared error."
        ),
    ]
    gain: Annotated[float, Field(description="Mean difference over the examples [unit].")]
    standard_error: Annotated[float, Field(ge=0, description="Of the paired difference [unit].")]
    interval: Annotated[
        tuple[float, float], Field(description="95 % confidence interval of the gain on other such examples [unit].")
    ]
    within_noise: Annotated[bool, Field(description="Whether the interval holds 0: no gain is shown.")]
    unit: Annotated[str, Field(description="The unit of the numbers.")]


def gains(metric: Metric, members: FloatArray, average: FloatArray) -> tuple[Gain, Gain]:
    """What averaging gains over the best member and over the average member.

    members: the metric of each example [members, examples], at least 20 examples. average: of the averaged predictions
    [examples].
    """
    sign = 1.0 if metric in HIGHER_IS_BETTER else -1.0
    best, judged = honest_best(sign * members)
    return (
        _gain(metric, "best_member", sign * (average - members[best])[judged]),
        _gain(metric, "average_member", sign * (average - members.mean(axis=0))),
    )


def honest_best(scores: FloatArray) -> tuple[int, NDArray[np.bool_]]:
    """The member that is best on one half of the examples, and the other half, to judge it by [examples].

    On the examples that it was chosen on it would be in part the luckiest. Choosing on all folds but one in turn uses
    every example, and its intervals are too narrow: which member is chosen goes with the luck of what is left.
    scores: [members, examples], higher is better.
    """
    judged = _half(scores.shape[1])
    return int(np.argmax(scores[:, ~judged].sum(axis=1))), judged


def _half(examples: int) -> NDArray[np.bool_]:
    """About half of the examples, spread evenly over every stretch of them, which may be of one class.

    Multiples of the golden ratio, without their whole part, never fall into step with the order of the examples.
    """
    return np.asarray(np.arange(examples) * GOLDEN % 1 < 0.5)


def _gain(metric: Metric, over: Over, difference: FloatArray) -> Gain:
    """Student's interval of a mean of paired differences. difference: [examples]."""
    mean = float(difference.mean())
    error = float(difference.std(ddof=1)) / float(np.sqrt(difference.size))
    reach = float(stdtrit(difference.size - 1, (1 + CONFIDENCE) / 2)) * error
    return Gain(
        metric=metric,
        over=over,
        gain=mean,
        standard_error=error,
        interval=(mean - reach, mean + reach),
        within_noise=mean - reach <= 0 <= mean + reach,
        unit=UNITS[metric],
    )
