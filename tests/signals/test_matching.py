"""Train against validation at the same steps."""

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.signals.matching import match


def test_every_update_and_epoch_means_give_the_same_pair() -> None:
    rng = np.random.default_rng(0)
    batches = rng.uniform(size=200)
    val = make_curve("val/loss", np.arange(20.0, 201, 20), rng.uniform(size=10))
    dense = match(make_curve("train/loss", np.arange(1.0, 201), batches), val)
    means = match(make_curve("train/loss", val.steps, batches.reshape(10, 20).mean(axis=1)), val)
    assert dense.train == pytest.approx(means.train)
    assert (dense.steps == means.steps).all()
    assert (dense.val == val.values).all()


def test_an_evaluation_without_train_points_before_it_is_left_out() -> None:
    train = make_curve("train/loss", [10.0, 30.0], [2.0, 1.0])
    val = make_curve("val/loss", [0.0, 10.0, 20.0, 30.0], [2.5, 2.1, 1.9, 1.1])
    pair = match(train, val)
    assert pair.steps.tolist() == [10.0, 30.0]
    assert pair.train.tolist() == [2.0, 1.0]


def test_gap_is_a_share_of_val() -> None:
    steps = np.arange(1.0, 21)
    pair = match(make_curve("train/loss", steps, np.full(20, 1.0)), make_curve("val/loss", steps, np.full(20, 2.0)))
    assert pair.gap_now() == 0.5
    zero = match(make_curve("train/loss", steps, np.zeros(20)), make_curve("val/loss", steps, np.zeros(20)))
    assert zero.gap_now() == 0


def test_nothing_to_match() -> None:
    empty = make_curve("val/loss", [], [])
    assert len(match(make_curve("train/loss", [1.0], [1.0]), empty)) == 0
