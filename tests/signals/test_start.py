"""How a run began."""

import math

import numpy as np
import pytest

from app.curves.curve import make_curve
from app.signals.matching import match
from app.signals.start import chance_loss, first_level, flat_start, initial_loss, starting_level

NO_VAL = make_curve("val/loss", [], [])


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
    late = make_curve("val/loss", [50.0, 100.0], [1.9, 1.4])
    means = initial_loss(train, late, match(train, late))
    assert means is not None
    assert (means.value, means.step, means.observed) == (pytest.approx(2.3 + 1.3 / 99 / 2), 1, False)
    dense = make_curve("train/loss", np.arange(1.0, 301), np.linspace(2.3, 1, 300))
    batch = initial_loss(dense, NO_VAL, match(dense, NO_VAL))
    assert batch is not None
    assert (round(batch.value, 2), batch.step, batch.observed) == (2.3, 1, True)
    single = make_curve("train/loss", [3.0], [2.0])
    only = initial_loss(single, NO_VAL, match(single, NO_VAL))
    assert only is not None
    assert (only.value, only.observed) == (2, False)


def test_validation_at_step_0_beside_train_is_untrained_unless_epochs_are_counted_from_0() -> None:
    val = make_curve("val/loss", [0.0, 50.0, 100.0], [9.0, 1.7, 1.1])
    batches = make_curve("train/loss", np.arange(0.0, 100, 5), np.linspace(8.5, 1, 20))
    read = initial_loss(batches, val, match(batches, val))
    assert read is not None
    assert (read.value, read.step, read.observed) == (9.0, 0, True)
    epochs = make_curve("train/loss", [0.0, 50.0, 100.0], [8.5, 2.0, 1.0])
    guess = initial_loss(epochs, val, match(epochs, val))
    assert guess is not None
    assert not guess.observed


def test_initial_loss_is_extrapolated_from_means_and_not_guessed_when_late() -> None:
    steps = np.arange(1.0, 11)
    train = make_curve("train/loss", steps, np.linspace(2.0, 1.1, 10))
    val = make_curve("val/loss", steps, np.linspace(1.5, 1.2, 10))
    guess = initial_loss(train, val, match(train, val))
    assert guess is not None
    assert (guess.value, guess.observed) == (2.5, False)
    late = make_curve("train/loss", steps + 100, train.values)
    assert initial_loss(late, NO_VAL, match(late, NO_VAL)) is None
    early = make_curve("val/loss", [0.5], [2.0])
    alone = initial_loss(train, early, match(train, early))
    assert alone is not None
    assert alone.value == pytest.approx(2.05)


def test_train_held_up_by_dropout_is_scaled_down_unless_the_loss_fell_far() -> None:
    steps = np.arange(1.0, 11)
    train = make_curve("train/loss", steps, np.linspace(3.0, 2.4, 10))
    val = make_curve("val/loss", steps, train.values * 0.8)
    guess = initial_loss(train, val, match(train, val))
    assert guess is not None
    assert guess.value == pytest.approx(2 * 3.0 * 0.8 - 2.4)
    train = make_curve("train/loss", steps, np.linspace(3.0, 0.1, 10))
    val = make_curve("val/loss", steps, np.linspace(2.0, 0.01, 10))
    guess = initial_loss(train, val, match(train, val))
    assert guess is not None
    assert guess.value == pytest.approx(4.0)


def test_flat_start_tells_a_cliff_from_a_decay() -> None:
    steps = np.arange(1.0, 201)
    cliff = flat_start(steps, np.where(steps <= 100, 2.0, 0.5), 2.0)
    assert cliff.length_points[-1] == 100
    assert cliff.end_step[-1] == 101
    assert cliff.suddenness[-1] > 0.9
    assert cliff.fall[-1] == 0.75
    decay = flat_start(steps, 2 * np.exp(-steps / 40), 2.0)
    assert decay.suddenness[-1] < 0.12
    line = flat_start(steps, np.linspace(2, 0.1, 200), 2.0)
    assert line.suddenness[-1] == pytest.approx(0.1, abs=0.02)


def test_a_curve_that_never_falls_is_flat_throughout() -> None:
    flat = flat_start(np.arange(1.0, 11), np.full(10, 2.0), 2.0)
    assert (flat.length_points[-1], flat.fall[-1], flat.end_step[-1]) == (10, 0.0, 10.0)


def test_a_flat_start_is_told_from_its_past_alone() -> None:
    steps = np.arange(1.0, 61)
    values = 2 + 0.2 * np.sin(steps) - np.where(steps > 30, (steps - 30) / 30, 0.0)
    whole = flat_start(steps, values, 2.0)
    for through in range(2, 61):
        part = flat_start(steps[:through], values[:through], 2.0)
        assert part.suddenness[-1] == whole.suddenness[through - 1]
        assert part.length_points[-1] == whole.length_points[through - 1]
