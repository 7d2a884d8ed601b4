"""Early stopping by forecast: hopeless runs are called so, runs that may still win are not."""

from typing import Any

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.search.forecast import Forecast, can_reach
from app.search.trial import Trial
from tests.search.runs import run


def power(level: float, fall: float, epochs: int, noise: float = 0.0) -> np.ndarray:
    scatter = noise * np.random.default_rng(0).normal(size=epochs)
    return level * np.arange(1, epochs + 1.0) ** -fall * np.exp(scatter)


def forecast(values: Any, best: float, *, epochs: float = 30, goal: Any = "min", **more: Any) -> Forecast:
    metric = "val/loss" if goal == "min" else "val/accuracy"
    steps = np.arange(1, len(values) + 1.0)
    curves = {metric: make_curve(metric, steps, values)} | {
        name: make_curve(name, steps[: len(more[name])], more.pop(name))
        for name in ("lr", "train/loss")
        if name in more
    }
    context = run("r", planned_steps=epochs or None, **more).context
    return can_reach(Trial("r", {}, "running", 5, curves, context, None), best, goal, metric=metric)


def test_a_power_law_is_forecast_by_its_law() -> None:
    found = forecast(power(2.0, 0.5, 15), 0.1)
    assert found.level == pytest.approx(2.0 * 30**-0.5, rel=0.03)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.level < found.high  # type: ignore[operator]
    assert found.hopeless
    assert "so it will not reach the best, 0.1" in found.says


def test_a_run_that_still_falls_towards_the_best_is_left_alone() -> None:
    found = forecast(power(2.0, 0.5, 15), 0.36)
    assert not found.hopeless
    assert "so it may reach the best, 0.36" in found.says


def test_a_plateau_well_above_the_best_is_hopeless_and_noise_widens_what_may_come() -> None:
    level = np.r_[2.0, 1.5, np.full(10, 1.0)]
    assert forecast(level, 0.8).hopeless
    assert not forecast(level, 0.97).hopeless
    noisy = level * np.exp(0.3 * np.random.default_rng(3).normal(size=12))
    quiet, loud = forecast(level, 0.8), forecast(noisy, 0.8)
    assert loud.low / loud.high < 0.8 * quiet.low / quiet.high  # type: ignore[operator]


def test_a_rising_metric_is_held_to_the_best_that_it_had() -> None:
    found = forecast(np.r_[2.0, 1.0, 0.5, 0.5, np.linspace(0.6, 1.2, 8)], 0.49)
    assert not found.hopeless
    assert found.level == pytest.approx(0.5)


def test_accuracy_is_forecast_by_its_error() -> None:
    accuracy = 1 - power(0.5, 0.5, 15)
    found = forecast(accuracy, 0.99, goal="max")
    assert found.hopeless
    assert found.level == pytest.approx(1 - 0.5 * 30**-0.5, rel=0.01)
    assert found.low < found.level < found.high  # type: ignore[operator]
    assert not forecast(accuracy, 0.91, goal="max").hopeless


def test_scaling_the_metric_or_the_steps_changes_nothing() -> None:
    values = power(2.0, 0.3, 12, noise=0.05)
    one, scaled = forecast(values, 0.5), forecast(1e4 * values, 0.5e4)
    assert one.hopeless == scaled.hopeless
    assert scaled.low == pytest.approx(1e4 * one.low)  # type: ignore[operator]
    in_updates = make_curve("val/loss", 500 * np.arange(1, 13), values)
    context = run("r", planned_steps=15_000.0).context
    assert can_reach(Trial("r", {}, "running", 5, {"val/loss": in_updates}, context, None), 0.5) == Forecast(
        level=one.level, low=one.low, high=one.high, hopeless=one.hopeless, says=one.says.replace("30", "15000")
    )


@pytest.mark.parametrize(
    ("values", "best", "more", "words"),
    [
        (np.ones(9), 0.1, {"epochs": 0}, "its planned steps are not known"),
        (np.ones(3), 0.1, {}, "3 of the 5 points"),
        (np.ones(9), 0.1, {"epochs": 90}, "at step 9 of 90 it is too early to tell"),
        (np.ones(9), np.nan, {}, "there is no best level yet"),
        (-np.ones(9), 0.1, {}, "goes below zero"),
        (np.full(9, 2.0), 0.1, {"goal": "max"}, "above one"),
        (np.ones(9), 0.1, {"schedule": "cosine"}, "its rate is still to be decayed"),
        (np.ones(9), 0.1, {"lr": np.linspace(1, 0.7, 9)}, "its rate is still to be decayed"),
    ],
)
def test_what_cannot_be_told_stops_nothing(values: Any, best: float, more: dict[str, Any], words: str) -> None:
    found = forecast(values, best, **more)
    assert not found.hopeless
    assert found.level is None
    assert words in found.says


def test_a_rate_that_has_been_decayed_or_is_constant_stands_in_no_way() -> None:
    level = np.r_[2.0, 1.5, np.full(10, 1.0)]
    assert forecast(level, 0.5, schedule="step", lr=np.r_[np.ones(6), np.full(6, 0.1)]).hopeless
    assert forecast(level, 0.5, schedule="Constant", lr=np.ones(12)).hopeless
    assert forecast(level, 0.5, lr=[0.1]).hopeless


def test_a_run_that_diverged_is_hopeless_and_one_without_the_metric_is_not_known() -> None:
    gone = forecast(np.r_[np.ones(4), np.nan], 0.1)
    assert gone.hopeless
    assert "val/loss is not finite from step 5 on" in gone.says
    assert forecast(np.ones(2), 0.1, **{"train/loss": [1.0, np.nan]}).hopeless
    other = can_reach(run("r", train=[1.0] * 9, planned_steps=9.0), 0.1)
    assert not other.hopeless
    assert "val/loss was not logged" in other.says
