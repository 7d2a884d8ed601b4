"""Whether and when a loss left every useful range."""

import math

import numpy as np

from app.curves.curve import make_curve
from app.signals.explosion import blowup, cause_of_non_finite, non_finite


def test_non_finite_points_are_counted_from_the_first() -> None:
    curve = make_curve("train/loss", [1.0, 2.0, 3.0, 4.0], [1.0, math.nan, math.inf, 2.0])
    burst = non_finite(curve)
    assert burst is not None
    assert (burst.count, burst.first_step, burst.stays) == (2, 2.0, False)
    assert non_finite(make_curve("train/loss", [1.0], [1.0])) is None
    ending = non_finite(make_curve("train/loss", [1.0, 2.0], [1.0, math.nan]))
    assert ending is not None
    assert ending.stays


def test_blowup_is_measured_against_the_start() -> None:
    steps = np.arange(1.0, 6)
    climb = blowup(steps, np.array([2.0, 4.0, 8.0, 20.0, 6.0]), 2.0, 6.0)
    assert climb is not None
    assert (climb.peak, climb.end, climb.first_step) == (10.0, 3.0, 3.0)
    assert blowup(steps, np.full(5, 5.0), 2.0, 5.0) is None
    assert blowup(steps, np.full(5, 5.0), 0.0, 5.0) is None
    assert blowup(np.zeros(0), np.zeros(0), 1.0, 1.0) is None


def test_the_cause_is_what_led_up_to_it() -> None:
    steps = np.arange(1.0, 31)
    flat = make_curve("train/loss", steps, np.where(steps > 20, math.nan, 2.0))
    assert cause_of_non_finite(flat, None, 21) == "out of the blue"
    climbing = make_curve("train/loss", steps, np.where(steps > 20, math.nan, 2.0 + np.exp(steps - 16)))
    assert cause_of_non_finite(climbing, None, 21) == "after a climb"
    rising = make_curve("lr", steps, steps / 100)
    assert cause_of_non_finite(flat, rising, 21) == "while the rate was rising"
    constant = make_curve("lr", steps, np.full(30, 0.1))
    assert cause_of_non_finite(flat, constant, 21) == "out of the blue"
    late = make_curve("lr", [25.0, 30.0], [0.1, 0.2])
    assert cause_of_non_finite(flat, late, 21) == "out of the blue"
    assert cause_of_non_finite(make_curve("train/loss", [1.0], [math.nan]), None, 1) == "at the start"
