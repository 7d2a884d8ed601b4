"""The slope of a stretch, its certainty, and the scatter around it."""

import math

import numpy as np
import pytest

from app.signals.noise import scatter
from app.signals.trend import last_stretch, relative, trend


def test_change_of_an_exponential_is_its_exponent() -> None:
    steps = np.arange(1.0, 51)
    line = trend(steps, np.exp(-0.01 * steps))
    assert line.change == pytest.approx(-0.49)
    assert line.scatter == pytest.approx(0, abs=1e-12)


def test_errors_are_honest() -> None:
    """Of flat noisy stretches about one in twenty seems to move by two standard errors or more."""
    rng = np.random.default_rng(0)
    steps = np.arange(1.0, 41)
    beyond = [abs(trend(steps, np.exp(0.05 * rng.normal(size=40))).change_in_errors) > 2 for _ in range(1000)]
    assert 0.02 < np.mean(beyond) < 0.09


def test_does_not_depend_on_the_unit_of_the_metric_or_of_the_steps() -> None:
    rng = np.random.default_rng(1)
    steps, values = np.arange(1.0, 41), rng.uniform(1, 2, size=40)
    one, other = trend(steps, values), trend(steps * 128, values * 1e6)
    assert other.change == pytest.approx(one.change)
    assert other.scatter == pytest.approx(one.scatter)
    assert other.fall_in_noise_units == pytest.approx(one.fall_in_noise_units)


def test_a_curve_that_is_not_positive_is_measured_in_its_own_range() -> None:
    assert relative(np.array([-1.0, 0.0, 3.0])).tolist() == [-0.25, 0.0, 0.75]
    assert relative(np.zeros(3)).tolist() == [0, 0, 0]
    assert relative(np.zeros(0)).size == 0
    assert relative(np.array([1.0, math.e]))[1] == 1


def test_last_stretch_is_a_share_of_the_steps_and_never_too_short() -> None:
    steps = np.arange(1.0, 91)
    assert steps[last_stretch(steps, 1 / 3)].size == 30
    assert steps[last_stretch(steps[:6], 1 / 3)].size == 4
    assert steps[last_stretch(steps[:2], 1 / 3)].size == 2


def test_scatter_is_the_standard_deviation_of_the_noise_and_blind_to_a_trend() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(scale=0.3, size=20_000)
    assert scatter(noise) == pytest.approx(0.3, rel=0.05)
    assert scatter(noise + np.linspace(0, 500, noise.size)) == pytest.approx(0.3, rel=0.05)
    assert scatter(np.linspace(5, 1, 30)) == pytest.approx(0, abs=1e-12)
    assert scatter(np.array([1.0, 2.0])) == 0
