"""What the rules look at."""

import math

import numpy as np

from app.curves.curve import Curves, make_curve
from app.signals.view import View


def test_numbers_beyond_any_metric_read_as_infinite_and_as_zero() -> None:
    loss = make_curve("train/loss", [1.0, 2.0, 3.0, 4.0, 5.0], [1e300, -1e300, 1e-300, math.nan, 2.0])
    values = View(Curves({"train/loss": loss})).curves["train/loss"].values
    np.testing.assert_array_equal(values, [math.inf, -math.inf, 0.0, math.nan, 2.0])
    plain = make_curve("train/loss", [1.0], [2.0])
    assert View(Curves({"train/loss": plain})).curves["train/loss"] is plain


def test_signals_are_over_finite_points() -> None:
    loss = make_curve("train/loss", [1.0, 2.0, 3.0], [2.0, math.nan, 1.0])
    view = View(Curves({"train/loss": loss}))
    assert view.train.steps.tolist() == [1.0, 3.0]
    assert len(view.val) == len(view.rate) == len(view.pair) == 0
    assert view.settled is view.progress
