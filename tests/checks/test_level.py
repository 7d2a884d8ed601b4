"""How good a run got, whatever its noise."""

from collections.abc import Sequence

import numpy as np
import pytest

from app.checks.level import MIN_POINTS, best_level, levels
from app.curves.curve import Curve, FloatArray, make_curve
from tests import builders


def curve(values: Sequence[float] | FloatArray, name: str = "val/loss") -> Curve:
    return make_curve(name, np.arange(1.0, len(values) + 1), values)


def test_the_best_level_is_the_lowest_stretch_and_not_the_luckiest_point() -> None:
    values = [3.0, 2.0, 0.1, 2.0, 1.0, 1.1, 0.9, 1.5, 1.6, 1.7]
    level = best_level(curve(values), "min")
    assert level is not None
    assert level.value == pytest.approx(1.0)
    assert level.step == 7


def test_an_accuracy_is_best_where_it_is_highest() -> None:
    level = best_level(curve([0.1, 0.5, 0.8, 0.8, 0.8, 0.6], "val/accuracy"), "max")
    assert level is not None
    assert (level.value, level.step, level.goal) == (pytest.approx(0.8), 5.0, "max")


def test_what_is_not_finite_is_no_evaluation() -> None:
    values = [1.0, np.nan, 0.9, 1e300, 0.8, -np.inf]
    assert best_level(curve(values), "min") is None
    level = best_level(curve([*values, 0.7]), "min")
    assert level is not None
    assert (level.points, level.value) == (MIN_POINTS, pytest.approx(0.8))


def test_the_error_shrinks_with_the_points_that_the_level_is_a_mean_of() -> None:
    rng = np.random.default_rng(3)
    short, long = (best_level(curve(1 + 0.1 * rng.normal(size=size)), "min") for size in (30, 3000))
    assert short is not None
    assert long is not None
    assert short.error == pytest.approx(0.1 / np.sqrt(3), rel=0.4)
    assert long.error < short.error / 3


@pytest.mark.parametrize("seed", range(20))
def test_the_level_of_a_run_is_near_its_floor_whatever_its_noise(seed: int) -> None:
    curves, _ = builders.run("healthy_cosine", seed)
    found = levels(curves)
    assert list(found) == ["val/loss", "val/accuracy"]
    late = curves["val/loss"].values[-10:]
    assert found["val/loss"].value == pytest.approx(late.mean(), rel=0.05)
    assert found["val/accuracy"].value == pytest.approx(np.exp(-late).mean(), rel=0.05)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_a_level_scales_with_its_metric(factor: float) -> None:
    curves, _ = builders.run("overfit", 1)
    plain = best_level(curves["val/loss"], "min")
    scaled = best_level(make_curve("val/loss", curves["val/loss"].steps, curves["val/loss"].values * factor), "min")
    assert plain is not None
    assert scaled is not None
    assert (scaled.value, scaled.error) == (pytest.approx(plain.value * factor), pytest.approx(plain.error * factor))
    assert scaled.step == plain.step


def test_curves_that_runs_are_not_compared_by_are_left_alone() -> None:
    assert levels({"train/loss": curve([1.0] * 9, "train/loss"), "val/loss": curve([1.0] * 3)}) == {}
