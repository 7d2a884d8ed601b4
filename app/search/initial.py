"""Step 1: the loss of the untrained model, against what a model that knows nothing must lose.

A classifier that gives every class the same probability loses log C, whatever the classes' shares. One whose output
bias is set to the priors loses their entropy, which is less. Both are sane starts, and so is anything between. A
regression on squared error that predicts the mean loses the targets' variance. How far around these the first loss may
lie is what the rule `wrong_initial_loss` holds, widened by the noise of the first points, which single batches make.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.rules.context import Context
from app.rules.verdict import Evidence
from app.rules.wrong_initial_loss import WrongInitialLossParams
from app.search.answers import NAMES, Status, StepReport
from app.search.looks import Look, named
from app.search.places import Placed
from app.search.search import Search
from app.signals.noise import scatter

LIMITS = WrongInitialLossParams()
MOST_READ = 200  # runs: where there are thousands, the first by name speak for all
FIRST_POINTS, NOISE = 20, 3.0  # points that show the noise of the start; how much of it is allowed for [noise units]
HALVED = (0.4, 0.6)  # of the targets' variance: what 0.5 (y - t)^2 gives


@dataclass(frozen=True)
class Expected:
    """What an untrained model may lose: from `low` to `high` [loss], and in words."""

    low: float
    high: float
    words: str


def expected_loss(search: Search, looks: Sequence[Look]) -> Expected | None:
    """From the facts of the search, else of the first run that has them; None when none has."""
    known: list[Search | Context] = [search, *(look.trial.context for look in looks)]
    for facts in known:
        if facts.target_variance is not None:
            variance = facts.target_variance
            return Expected(variance, variance, f"the {variance:.3g} of predicting the mean (the targets' variance)")
        if facts.class_priors:
            high = math.log(len(facts.class_priors))
            low = -math.fsum(p * math.log(p) for p in facts.class_priors if p > 0)
            words = f"log {len(facts.class_priors)} = {high:.3g}, or the entropy {low:.3g} of the class priors"
            return Expected(low, high, words)
        if facts.num_classes:
            high = math.log(facts.num_classes)
            return Expected(high, high, f"log {facts.num_classes} = {high:.3g}")
    return None


@dataclass(frozen=True)
class Start:
    """One run's start: the loss, what it may be at least and at most [loss], None where it was not finite."""

    look: Look
    value: float
    low: float
    high: float

    @property
    def sane(self) -> bool:
        """Whether an untrained model may start there."""
        return self.low <= self.value <= self.high


def start_of(look: Look, expected: Expected) -> Start | None:
    """Where a run began beside what is held sane; None when its start was not logged."""
    if len(look.train) and not math.isfinite(look.train.values[0]):
        return Start(look, math.inf, 0.0, expected.high)
    initial = look.initial
    if initial is None:
        return None
    noise = NOISE * scatter(look.view.train.values[:FIRST_POINTS])
    ratio = LIMITS.max_ratio if initial.observed else LIMITS.max_ratio_extrapolated
    low = LIMITS.min_ratio * expected.low - noise if initial.observed else -math.inf
    return Start(look, initial.value, low, ratio * expected.high + noise)


def wrong_start(look: Look, expected: Expected | None) -> bool | None:
    """Whether a run began where no sane initialisation does; None when it cannot be told."""
    start = start_of(look, expected) if expected else None
    return None if start is None else not start.sane


def report(placed: Placed, expected: Expected | None) -> StepReport:
    """What the runs say about the initial loss: those of step 1, else whatever run logged its start."""
    looks = placed.at(1) or [look for look in placed.looks if look.decay in (0, None)] or placed.looks
    logged = [look for look in looks if len(look.train)][:MOST_READ]
    if expected is None or not logged:
        return _unanswered(placed, logged, expected)
    starts = [start for start in (start_of(look, expected) for look in logged) if start is not None]
    if not starts:
        first = min(float(look.train.steps[0]) for look in logged)
        says = f"No run logged its start: the earliest train/loss is at step {first:g}."
        return StepReport(number=1, name=NAMES[0], status="open", says=says, missing="train/loss of the first updates")
    sane, wrong = [s for s in starts if s.sane], [s for s in starts if not s.sane]
    # Steps before 2 are run again until they are right, so one right start answers; among later runs most decide.
    done = bool(sane) if placed.at(1) else len(sane) >= len(wrong)
    speaking = sane if done else wrong
    return _report(placed, speaking, wrong if done else [], expected, "done" if done else "failed")


def _unanswered(placed: Placed, logged: Sequence[Look], expected: Expected | None) -> StepReport:
    status: Status = "skipped" if logged else "open"
    says, missing = "No run has logged its train loss yet.", "a run of a few updates with weight decay off"
    if expected is None:
        missing = "num_classes, class_priors or target_variance of the search or of a run"
        starts = [look.initial.value for look in logged if look.initial]
        began = f"Runs begin at a train loss of {np.median(starts):.4g}; " if starts else ""
        says = began + "what an untrained model should lose is not known."
        says = says[0].upper() + says[1:]
    runs = tuple(look.run for look in logged)
    return StepReport(
        number=1, name=NAMES[0], status=status, says=says, runs=runs, inferred=placed.inferred(logged), missing=missing
    )


def _report(
    placed: Placed, speaking: list[Start], others: list[Start], expected: Expected, status: Status
) -> StepReport:
    middle = sorted(speaking, key=lambda start: start.value)[len(speaking) // 2]
    looks = [start.look for start in speaking]
    says = _words(middle, expected)
    if others:
        says += f" {named([s.look for s in others])} began elsewhere, at up to {max(s.value for s in others):.3g}."
    if any(look.decay for look in looks):
        says += " Weight decay was on: where the logged loss holds its penalty, the bare loss is lower."
    return StepReport(
        number=1,
        name=NAMES[0],
        status=status,
        says=says,
        evidence=(
            Evidence("initial_loss", middle.value if math.isfinite(middle.value) else 1e100, middle.high, "loss"),
            Evidence("expected_low", expected.low, None, "loss"),
            Evidence("expected_high", expected.high, None, "loss"),
        ),
        runs=tuple(look.run for look in looks),
        inferred=placed.inferred(looks),
    )


def _words(start: Start, expected: Expected) -> str:
    if math.isinf(start.value):
        return "The first loss is not finite, before any update: the initialisation or the inputs are wrong."
    began = f"The loss begins at {start.value:.4g}, against {expected.words}"
    if start.sane:
        if expected.low == expected.high and HALVED[0] < start.value / expected.high < HALVED[1]:
            return f"{began}: about half of it, as a squared error that is halved gives. That is sane."
        closer = abs(start.value - expected.low) < abs(start.value - expected.high)
        bias = "; the output bias seems to know the priors" if closer else ""
        return f"{began}: a sane start{bias} (held sane: {max(start.low, 0.0):.3g} to {start.high:.3g})."
    if start.value > start.high:
        return (
            f"{began}: {start.value / expected.high:.2g} times that, so the untrained model is confidently wrong. "
            "Scale the output layer's initial weights down, and check the scale of inputs and targets."
        )
    return (
        f"{began}: less than a model that knows nothing can lose. Unless it was pre-trained, look for leaking labels."
    )
