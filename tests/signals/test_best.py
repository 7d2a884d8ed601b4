"""Where a validation curve is best, and what noise cannot tell from that."""

import numpy as np
import pytest

from app.curves.curve import Curves, FloatArray, make_curve
from app.signals.best import best_of
from app.signals.view import View

STEPS = np.arange(100.0)


def valley(seed: int, noise: float, flat: int = 0) -> FloatArray:
    """Falls to step 40, stays at 1 for `flat` points, and climbs."""
    rng = np.random.default_rng(seed)
    course = 1 + 0.02 * np.maximum(40 - STEPS, 0) + 0.02 * np.maximum(STEPS - 40 - flat, 0)
    return np.asarray(course + noise * rng.normal(size=STEPS.size))


@pytest.mark.parametrize("seed", range(20))
def test_one_lucky_evaluation_is_not_the_best(seed: int) -> None:
    values = valley(seed, 0.01)
    values[90] = 0.5
    assert abs(best_of(values).at - 40) <= 4


@pytest.mark.parametrize("seed", range(20))
def test_the_earliest_of_a_flat_stretch_is_as_good_as_any_of_it(seed: int) -> None:
    best = best_of(valley(seed, 0.01, flat=30))
    assert 34 <= best.earliest <= best.at <= 73
    assert best.equivalent[best.at]
    assert 0.005 < best.noise < 0.02


def test_without_noise_nothing_but_the_best_is_as_good() -> None:
    best = best_of(1 + np.abs(STEPS - 40) ** 2 / 100)
    assert abs(best.at - 40) <= 2  # a running median has no sharper bottom
    assert 36 <= best.earliest <= 40


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_makes_no_difference(scale: float) -> None:
    values = valley(3, 0.03)
    one, other = best_of(values), best_of(values * scale)
    assert (one.at, one.earliest) == (other.at, other.earliest)
    assert other.error == pytest.approx(one.error * scale)


@pytest.mark.parametrize("points", [1, 2, 3, 5])
def test_short_curves_have_a_best_too(points: int) -> None:
    best = best_of(np.linspace(2, 1, points))
    assert best.at == points - 1
    assert 0 <= best.earliest <= best.at


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_the_rules_read_off_the_smoothed_curve(seed: int) -> None:
    values = valley(seed, 0.05)
    view = View(Curves({name: make_curve(name, STEPS, values) for name in ("train/loss", "val/loss")}))
    assert best_of(view.pair.val).at == int(np.argmin(view.smooth_val))
