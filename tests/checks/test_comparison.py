"""Within noise is within noise, in every unit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from app.checks.comparison import ASSUMED_SPREAD, DOUBTFUL, WORSE, Baseline, compare
from app.checks.level import Goal, Level
from app.curves.curve import FloatArray


def level(value: float, *, curve: str = "val/loss", goal: Goal = "min", error: float = 0.0) -> Level:
    return Level(curve=curve, goal=goal, value=value, error=error, step=10.0, points=20)


def baseline(*levels: Level, history: tuple[float, ...] = ()) -> Baseline:
    return Baseline(
        ref="main",
        name="p/before",
        levels={each.curve: each for each in levels},
        history={levels[0].curve: history} if levels else {},
    )


UNIT = ASSUMED_SPREAD * math.sqrt(2)  # of a level of 1


@pytest.mark.parametrize(
    ("units", "relation"),
    [
        (0.0, "same"),
        (DOUBTFUL - 0.01, "same"),
        (DOUBTFUL + 0.01, "doubtful"),
        (WORSE - 0.01, "doubtful"),
        (WORSE + 0.01, "worse"),
        (-WORSE + 0.01, "same"),
        (-WORSE - 0.01, "better"),
    ],
)
def test_the_difference_is_in_noise_units_and_decides(units: float, relation: str) -> None:
    found = compare({"val/loss": level(1 + units * UNIT)}, baseline(level(1.0)))
    assert (found.relation, found.difference) == (relation, pytest.approx(units))
    assert f"{units:+.1f} noise units" in found.reason
    assert "assumed" in found.reason


def test_of_an_accuracy_more_is_better_and_the_spread_is_that_of_the_error() -> None:
    better = level(0.9 + 0.1 * 4 * UNIT, curve="val/accuracy", goal="max")
    worse = level(0.9 - 0.1 * 4 * UNIT, curve="val/accuracy", goal="max")
    before = baseline(level(0.9, curve="val/accuracy", goal="max"))
    assert compare({"val/accuracy": better}, before).relation == "better"
    assert compare({"val/accuracy": worse}, before).relation == "worse"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_perfect_baseline_divides_by_nothing(value: float) -> None:
    goal: Goal = "max" if value else "min"
    found = compare({"val/loss": level(value, goal=goal)}, baseline(level(value, goal=goal)))
    assert (found.relation, found.difference) == ("same", 0.0)


def test_the_scatter_of_both_curves_is_part_of_the_noise() -> None:
    quiet = compare({"val/loss": level(1.3)}, baseline(level(1.0)))
    loud = compare({"val/loss": level(1.3, error=0.3)}, baseline(level(1.0, error=0.4)))
    assert (quiet.relation, loud.relation) == ("worse", "same")
    assert loud.noise == pytest.approx(math.hypot(0.3, 0.4, UNIT))


def test_the_spread_of_earlier_runs_takes_the_place_of_the_assumed_one() -> None:
    rng = np.random.default_rng(7)
    quiet, loud = (tuple(1 + spread * rng.normal(size=400)) for spread in (0.005, 0.2))
    run = {"val/loss": level(1.1)}
    assert compare(run, baseline(level(1.0), history=quiet)).relation == "worse"
    found = compare(run, baseline(level(1.0), history=loud))
    assert (found.relation, found.runs_measured) == ("same", 400)
    assert found.noise == pytest.approx(0.2 * math.sqrt(2), rel=0.15)
    assert "measured on 400 runs" in found.reason
    assert compare(run, baseline(level(1.0), history=quiet[:1])).noise == pytest.approx(UNIT)


@pytest.mark.parametrize(
    "before",
    [
        np.linspace(1, 3, 200),
        np.where(np.arange(200) < 3, 1.0, 9.0),
        np.where(np.arange(8) < 1, 1.0, 2.0),
    ],
)
def test_neither_months_of_improvement_nor_a_leap_are_noise(before: FloatArray) -> None:
    history = tuple(before + 0.02 * np.random.default_rng(8).normal(size=before.size))
    assert compare({"val/loss": level(1.3)}, baseline(level(1.0), history=history)).relation == "worse"


def test_an_odd_run_is_noise() -> None:
    history = (1.0, 1.0, 1.6, 1.0, 1.0, 1.0, 1.0)
    assert compare({"val/loss": level(1.5)}, baseline(level(1.0), history=history)).relation == "doubtful"


def test_loss_is_compared_before_accuracy_and_what_both_have_at_all() -> None:
    accuracy = level(0.9, curve="val/accuracy", goal="max")
    both = {"val/loss": level(1.0), "val/accuracy": accuracy}
    assert compare(both, baseline(level(1.0), accuracy)).curve == "val/loss"
    assert compare(both, baseline(accuracy)).curve == "val/accuracy"


def test_what_cannot_be_compared_says_why() -> None:
    accuracy = level(0.9, curve="val/accuracy", goal="max")
    loss = {"val/loss": level(1.0)}
    nothing = Baseline(ref="release", name=None)
    for run, before, says in (
        (loss, nothing, "no run yet that 'release' names"),
        ({}, baseline(accuracy), "the run has fewer than 4"),
        (loss, baseline(), "the baseline p/before has fewer than 4"),
        (loss, baseline(accuracy), "the run has val/loss and the baseline p/before has val/accuracy alone"),
    ):
        found = compare(run, before)
        assert found.relation == "unknown"
        assert found.difference is None
        assert says in found.reason


def test_the_metrics_unit_makes_no_difference() -> None:
    run, before = level(1.2, error=0.01), level(1.0, error=0.02)

    def scaled(each: Level) -> Level:
        return replace(each, value=each.value * 1000, error=each.error * 1000)

    small = compare({"val/loss": run}, baseline(before, history=(1.0, 1.1)))
    large = compare({"val/loss": scaled(run)}, baseline(scaled(before), history=(1000.0, 1100.0)))
    assert small.difference == pytest.approx(large.difference)
