"""Short spikes are counted, and their distance is told where it is always the same."""

import numpy as np
import pytest

from app.curves.curve import Curve, make_curve
from app.signals.spikes import spikes
from tests.builders import correlated


def falling(seed: int, at: list[int], points: int = 400, height: float = 2.0) -> Curve:
    """A noisy loss that falls to a floor, with a spike of two points at each of some places."""
    rng = np.random.default_rng(seed)
    x = np.arange(points)
    values = (0.5 + 2 * np.exp(-x / 60)) * (1 + 0.03 * correlated(rng, points, 0.3))
    for place in at:
        values[place : place + 2] *= height
    return make_curve("train/loss", x + 1.0, values)


@pytest.mark.parametrize("seed", range(10))
def test_even_spikes_are_counted_and_their_distance_told(seed: int) -> None:
    seen = spikes(falling(seed, list(range(50, 400, 50))))
    assert seen is not None
    assert seen.count == 7
    assert seen.every == 50


@pytest.mark.parametrize("seed", range(10))
def test_a_missing_spike_leaves_the_distance(seed: int) -> None:
    seen = spikes(falling(seed, [50, 100, 200, 250, 300, 350]))
    assert seen is not None
    assert (seen.count, seen.every) == (6, 50)


@pytest.mark.parametrize("seed", range(10))
def test_uneven_and_few_spikes_have_no_distance(seed: int) -> None:
    for at in ([30, 95, 120, 210, 267, 340], [100, 200, 300]):
        seen = spikes(falling(seed, at))
        assert seen is not None
        assert (seen.count, seen.every) == (len(at), None)


@pytest.mark.parametrize("seed", range(10))
def test_a_noisy_loss_and_a_long_climb_have_none(seed: int) -> None:
    curve = falling(seed, [])
    assert spikes(curve) is None
    assert spikes(curve.through(19)) is None
    climbed = curve.values.copy()
    climbed[200:260] *= 3
    assert spikes(Curve("train/loss", curve.steps, climbed)) is None
