"""Smoother versions of a curve."""

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.signals.smoothing import bin_means, bin_noise, running_median, step_means, tail_mean


def test_running_median_takes_out_a_single_spike() -> None:
    values = np.ones(11)
    values[5] = 100
    assert (running_median(values, 3) == 1).all()
    assert running_median(values, 1) is values
    assert running_median(np.zeros(0), 3).size == 0


def test_bins_keep_the_mean_and_stand_at_their_last_step() -> None:
    curve = make_curve("train/loss", np.arange(1.0, 1001), np.arange(1000.0))
    binned = bin_means(curve, 10)
    assert len(binned) == 10
    assert binned.steps[-1] == 1000
    assert binned.values.mean() == curve.values.mean()
    assert bin_means(binned, 10) is binned


def test_tail_is_a_tenth_and_at_least_two_points() -> None:
    assert tail_mean(np.arange(100.0)) == np.arange(90.0, 100).mean()
    assert tail_mean(np.array([5.0, 1.0, 3.0])) == 2
    assert tail_mean(np.array([7.0])) == 7


def test_step_means_keep_their_bins_as_the_curve_grows() -> None:
    steps = np.array([1.0, 2.0, 3.0, 4.0, 9.0, 10.0, 11.0])
    curve = make_curve("train/loss", steps, [1.0, 3.0, 5.0, 7.0, 2.0, 4.0, 9.0])
    means = step_means(curve, 2.0)
    assert means.steps.tolist() == [2.0, 4.0, 10.0, 11.0]
    assert means.values.tolist() == [2.0, 6.0, 3.0, 9.0]
    assert step_means(curve.through(4.0), 2.0).values.tolist() == [2.0, 6.0]


def test_bin_noise_is_the_error_of_the_means() -> None:
    rng = np.random.default_rng(0)
    curve = make_curve("train/loss", np.arange(1.0, 6001), 2 + 0.3 * rng.normal(size=6000))
    noise = bin_noise(curve, 60)
    assert noise.size == 60
    assert np.median(noise) == pytest.approx(0.03, rel=0.1)
    assert np.std(bin_means(curve, 60).values) == pytest.approx(0.03, rel=0.3)
    assert bin_noise(curve, 6000).tolist() == [0.0] * 6000
