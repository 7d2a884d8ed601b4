"""How a run began."""

import math

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.signals.matching import match
from app.signals.start import chance_loss, first_level, flat_start, initial_loss, starting_level


def test_chance_is_log_c() -> None:
    assert chance_loss(10) == math.log(10)
    assert chance_loss(None) is None


def test_first_level_is_robust_to_one_batch_to_a_burst_and_to_a_blowup() -> None:
    steps = np.arange(1.0, 501)
    loss = np.full(500, 2.0)
    loss[0] = 2.6
    assert first_level(make_curve("train/loss", steps, loss)) == 2
    loss[0], loss[1:] = 1e6, 2.0
    assert first_level(make_curve("train/loss", steps, loss)) == 2
    loss[0], loss[1:] = 2.0, 1e6
    assert first_level(make_curve("train/loss", steps, loss)) == 2
    assert first_level(make_curve("train/loss", [1.0], [3.0])) == 3
    assert starting_level(make_curve("train/loss", [1.0], [3.0]), 10) == math.log(10)
    assert starting_level(make_curve("train/loss", [1.0], [3.0]), None) == 3


def test_initial_loss_is_read_off_where_it_was_logged() -> None:
    train = make_curve("train/loss", np.arange(1.0, 101), np.linspace(2.3, 1, 100))
    val = make_curve("val/loss", [0.0, 50.0, 100.0], [2.4, 1.7, 1.1])
    evaluated = initial_loss(train, val, match(train, val))
    assert evaluated is not None
    assert (evaluated.value, evaluated.step, evaluated.observed) == (2.4, 0, True)
    late = make_curve("val/loss", [50.0, 100.0], [1.7, 1.1])
    batch = initial_loss(train, late, match(train, late))
    assert batch is not None
    assert (batch.value, batch.step, batch.observed) == (2.3, 1, True)
    untrained = make_curve("train/loss", [0.0, 1.0], [2.5, 2.0])
    before = initial_loss(untrained, None, None)
    assert before is not None
    assert (before.value, before.step) == (2.5, 0)
    single = initial_loss(make_curve("train/loss", [3.0], [2.0]), None, None)
    assert single is not None
    assert single.value == 2


def test_initial_loss_is_extrapolated_from_means_and_not_guessed_when_late() -> None:
    steps = np.arange(1.0, 11)
    train = make_curve("train/loss", steps, np.linspace(2.0, 1.1, 10))
    val = make_curve("val/loss", steps, np.linspace(1.5, 1.2, 10))
    guess = initial_loss(train, val, match(train, val))
    assert guess is not None
    assert (guess.value, guess.observed) == (2.5, False)
    assert initial_loss(make_curve("train/loss", steps + 100, train.values), None, None) is None
    assert initial_loss(train, make_curve("val/loss", [0.5], [2.0]), None) is None


def test_flat_start_tells_a_cliff_from_a_decay() -> None:
    steps = np.arange(1.0, 201)
    cliff = flat_start(steps, np.where(steps <= 100, 2.0, 0.5), 2.0)
    assert cliff.length_points == 100
    assert cliff.end_step == 101
    assert cliff.suddenness > 0.9
    assert cliff.fall == 0.75
    decay = flat_start(steps, 2 * np.exp(-steps / 40), 2.0)
    assert decay.suddenness < 0.12
    line = flat_start(steps, np.linspace(2, 0.1, 200), 2.0)
    assert line.suddenness == pytest.approx(0.1, abs=0.02)


def test_a_curve_that_never_falls_is_flat_throughout() -> None:
    flat = flat_start(np.arange(1.0, 11), np.full(10, 2.0), 2.0)
    assert (flat.length_points, flat.fall, flat.end_step) == (10, 0.0, 10.0)
