"""What the learning rate did."""

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.signals.rate import drops, fade_out, rate_at, rate_now, spent, warmup_end


def test_steps_of_a_staircase_are_drops() -> None:
    steps = np.arange(1.0, 101)
    rate = make_curve("lr", steps, np.where(steps <= 50, 0.1, np.where(steps <= 80, 0.01, 0.001)))
    first = drops(rate)
    assert [(d.step, pytest.approx(0.1)) for d in first] == [
        (51.0, first[0].factor)
    ]  # the second takes too little away


def test_a_smooth_schedule_has_none() -> None:
    x = np.linspace(0, 1, 20)
    assert drops(make_curve("lr", np.arange(1.0, 21), (1 + np.cos(np.pi * x)) / 2)) == ()
    assert drops(make_curve("lr", np.arange(1.0, 21), np.linspace(1, 0, 20))) == ()
    assert drops(make_curve("lr", [1.0], [0.1])) == ()


def test_spent_is_the_sum_of_the_rate_since_the_first_step() -> None:
    rate = make_curve("lr", [10.0, 20.0, 30.0, 90.0], [1.0, 0.5, 0.1, 7.0])
    steps = np.array([0.0, 10.0, 15.0, 40.0])
    assert spent(rate, steps).tolist() == [0, 10, 15, 15 + 5 + 5 + 1]  # the first holds before it as well
    assert spent(make_curve("lr", [], []), steps) is steps
    assert spent(make_curve("lr", [0.0], [0.0]), steps) is steps


def test_rate_now_is_a_share_of_the_highest() -> None:
    assert rate_now(make_curve("lr", [1.0, 2.0, 3.0], [0.0, 0.2, 0.1])) == 0.5
    assert rate_now(make_curve("lr", [], [])) == 1
    assert rate_now(make_curve("lr", [1.0, 2.0], [0.0, 0.0])) == 1


def test_warmup_ends_where_the_rate_has_nearly_reached_its_peak() -> None:
    steps = np.arange(1.0, 101)
    warm = make_curve("lr", steps, np.minimum(steps / 20, 1.0) * 0.1)
    assert warmup_end(warm) == 18
    assert warmup_end(make_curve("lr", steps, np.full(100, 0.1))) == 0
    assert warmup_end(make_curve("lr", [], [])) == 0


def test_rate_at_is_a_share_of_the_highest_until_then() -> None:
    rate = make_curve("lr", [10.0, 20.0, 30.0], [0.1, 0.2, 0.05])
    assert rate_at(rate, np.array([5.0, 10.0, 25.0, 30.0, 99.0])).tolist() == [1.0, 1.0, 1.0, 0.25, 0.25]
    assert rate_at(make_curve("lr", [], []), np.array([1.0, 2.0])).tolist() == [1.0, 1.0]
    assert rate_at(make_curve("lr", [1.0], [0.0]), np.array([1.0])).tolist() == [1.0]


def test_a_fade_out_is_over_when_a_tenth_is_left_for_good() -> None:
    steps = np.arange(1.0, 101)
    early = make_curve("lr", steps, np.where(steps < 20, 1 - 0.05 * (steps - 1), 0.04))
    faded = fade_out(early)
    assert faded is not None
    assert (faded.step, faded.end, faded.factor) == (11, 19, 0.04)
    assert fade_out(make_curve("lr", steps, np.full(100, 0.1))) is None
    again = make_curve("lr", steps, np.where((steps > 20) & (steps < 90), 0.01, 1.0))
    assert fade_out(again) is None
