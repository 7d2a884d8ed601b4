"""How little a rounded curve can jump."""

import numpy as np
import pytest

from app.signals.noise import quantum, scatter


@pytest.mark.parametrize("jump", [1e-4, 1e-5, 0.01, 3.0])
@pytest.mark.parametrize("points", [8, 40, 3000])
def test_finds_the_digits_of_a_few_points_as_of_many(jump: float, points: int) -> None:
    rng = np.random.default_rng(points)
    values = np.round(rng.uniform(5, 900, size=points)) * jump
    assert quantum(values) == pytest.approx(jump, rel=1e-6)
    assert quantum(values * 7.3) == pytest.approx(7.3 * jump, rel=1e-6)


def test_sums_of_rounded_parts_have_their_digits_but_for_rounding_errors() -> None:
    parts = np.round(np.random.default_rng(0).uniform(0, 0.02, size=(3, 50)), 5)
    assert quantum(parts.sum(axis=0)) == pytest.approx(1e-5, rel=1e-3)


def test_numbers_of_many_digits_have_none() -> None:
    values = np.exp(np.random.default_rng(0).normal(size=200))
    assert quantum(values) == 0
    assert quantum(values.astype(np.float32).astype(float)) == 0


def test_what_does_not_jump_has_none() -> None:
    assert quantum(np.zeros(0)) == 0
    assert quantum(np.full(5, 0.7)) == 0


def test_scatter_of_too_few_points_is_none() -> None:
    assert scatter(np.array([1.0, 2.0])) == 0
