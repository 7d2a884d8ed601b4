"""Smoother versions of a curve."""

import numpy as np

from app.curves.curve import make_curve
from app.signals.smoothing import bin_means, running_median, tail_mean


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
