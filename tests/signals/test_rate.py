"""What the learning rate did."""

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.signals.rate import drops, rate_now, warmup_end


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
