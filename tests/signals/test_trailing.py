"""Signals that look back: each entry says what it would have said had the run stopped there."""

import numpy as np
import pytest

from app.signals.trailing import held, trailing_level, trailing_noise, trailing_trend
from app.signals.trend import trend


def curve(points: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.uniform(0.5, 1.5, points))
    return steps, 2 * np.exp(-steps / 20) + 0.5 + 0.02 * rng.normal(size=points)


@pytest.mark.parametrize("points", [1, 3, 4, 9, 40, 300])
def test_every_entry_depends_on_its_past_alone(points: int) -> None:
    steps, values = curve(points)
    level, noise = trailing_level(values), trailing_noise(values)
    for through in range(1, points + 1):
        assert trailing_level(values[:through])[-1] == pytest.approx(level[through - 1])
        assert trailing_noise(values[:through])[-1] == pytest.approx(noise[through - 1])
    whole = trailing_trend(steps, values, 1 / 3)
    for through in range(4, points + 1):
        part = trailing_trend(steps[:through], values[:through], 1 / 3)
        assert part.begin[-1] == whole.begin[through - 1]
        # Relative to the level of what was seen, so that the scale differs and the certainty does not.
        assert part.fall_certainty[-1] == pytest.approx(whole.fall_certainty[through - 1], rel=1e-3, abs=1e-3)


def test_the_last_entry_is_the_line_through_the_last_third() -> None:
    steps, values = curve(90)
    trailing = trailing_trend(steps, values, 1 / 3)
    begin = int(trailing.begin[-1])
    line = trend(steps[begin:], values[begin:])
    assert trailing.fall_in_noise_units[-1] == pytest.approx(line.fall_in_noise_units, rel=0.02)
    assert steps[begin] == pytest.approx(steps[-1] - (steps[-1] - steps[0]) / 3, abs=1.5)


def test_a_stretch_too_short_for_a_line_says_nothing() -> None:
    steps, values = curve(10)
    trailing = trailing_trend(steps, values, 1 / 3)
    assert (trailing.change[:3] == 0).all()
    assert np.isinf(trailing.error[:3]).all()
    assert (trailing.fall_certainty[:3] == 0).all()
    empty = trailing_trend(np.zeros(0), np.zeros(0), 1 / 3)
    assert empty.change.size == 0


def test_certainty_is_a_normal_deviate_whatever_the_number_of_points() -> None:
    """On noise alone, two or more comes about once in 44."""
    for points in (12, 60):
        deviates = []
        for seed in range(2000):
            noise = 1 + 0.01 * np.random.default_rng([seed, points]).normal(size=points)
            deviates.append(trailing_trend(np.arange(1.0, points + 1), noise, 1 / 3).fall_certainty[-1])
        assert np.std(deviates) == pytest.approx(1, abs=0.06)
        assert np.mean(np.array(deviates) > 2) == pytest.approx(1 / 44, abs=0.01)


def test_noise_is_that_of_single_points_and_not_of_the_trend() -> None:
    rng = np.random.default_rng(0)
    values = np.linspace(5, 1, 4000) + 0.1 * rng.normal(size=4000)
    assert np.median(trailing_noise(values)) == pytest.approx(0.1, rel=0.1)
    assert trailing_noise(np.array([1.0, 2.0])).tolist() == [0.0, 0.0]


def test_a_state_is_held_until_it_is_switched_off() -> None:
    on = np.array([0, 1, 0, 0, 0, 1, 1], dtype=bool)
    off = np.array([1, 0, 0, 1, 0, 0, 1], dtype=bool)
    assert held(on, off).tolist() == [False, True, True, False, False, True, True]
