"""Which checkpoints to average."""

import numpy as np
import pytest
from scipy.signal import find_peaks

from app.curves.curve import Curves, FloatArray, make_curve
from app.ensembles.checkpoint import choose
from app.ensembles.snapshots import Averaging, _minima, cycle_ends, to_average

STEPS = np.arange(0.0, 1000)


def restarts(steps: FloatArray = STEPS, length: float = 200) -> FloatArray:
    """Loshchilov and Hutter's: half a cosine, again and again."""
    return np.asarray(0.05 * (1 + np.cos(np.pi * (steps % length) / length)))


def triangles(steps: FloatArray = STEPS, length: float = 200) -> FloatArray:
    return np.asarray(0.001 + 0.1 * (1 - np.abs((steps % length) / length * 2 - 1)))


def averaging(rate: FloatArray | None, checkpoints: list[float] | None = None, seed: int = 0) -> Averaging:
    rng = np.random.default_rng(seed)
    steps = STEPS[::10]
    val = 1 + np.exp(-steps / 100) + 0.01 * rng.normal(size=steps.size)
    curves = {"val/loss": make_curve("val/loss", steps, val)}
    if rate is not None:
        curves["lr"] = make_curve("lr", STEPS, rate)
    held = Curves(curves)
    return to_average(held, choose(held, "val/loss", "min", checkpoints), 1000, checkpoints)


def test_restarts_end_in_snapshots() -> None:
    found = averaging(restarts())
    assert (found.how, found.schedule) == ("cycle_ends", "cyclic")
    assert found.steps == (199, 399, 599, 799, 999)
    assert "snapshot ensemble" in found.says


def test_restarts_that_double_end_in_snapshots() -> None:
    rate = np.concatenate([restarts(np.arange(n), n) for n in (140.0, 280.0, 560.0)])
    assert cycle_ends(make_curve("lr", np.arange(rate.size), rate)).tolist() == [139, 419, 979]


def test_triangles_end_where_they_turn() -> None:
    assert averaging(triangles()).steps == pytest.approx((200, 400, 600, 800, 999), abs=1)


def test_a_rate_that_is_set_once_an_epoch_is_lowest_to_the_end_of_its_stair() -> None:
    stairs = restarts(np.floor(STEPS / 20) * 20)
    assert averaging(stairs).steps == (199, 399, 599, 799, 999)


def test_a_cycle_that_is_not_over_has_no_snapshot() -> None:
    assert cycle_ends(make_curve("lr", STEPS[:550], restarts()[:550])).tolist() == [199, 399]


def test_checkpoints_near_a_minimum_are_its_snapshots() -> None:
    found = averaging(restarts(), [190.0, 300.0, 410.0, 590.0, 1000.0])
    assert found.steps == (190, 410, 590, 1000)
    assert found.left_out == (799,)


def test_a_cyclic_run_without_checkpoints_at_its_minima_has_none() -> None:
    found = averaging(restarts(), [300.0, 500.0, 700.0])
    assert found.how == "plateau"
    assert found.says.startswith("The rate is cyclic, and 0 of its cycles")
    assert found.left_out == (199, 399, 599, 799, 999)


@pytest.mark.parametrize("rate", [None, np.full(STEPS.size, 0.1), 0.05 * (1 + np.cos(np.pi * STEPS / 1000))])
def test_without_cycles_late_checkpoints_are_averaged_and_not_called_snapshots(rate: FloatArray | None) -> None:
    found = averaging(rate)
    assert found.how == "plateau"
    assert 2 <= len(found.steps) <= 5
    assert min(found.steps) > 300
    assert "no snapshot ensemble" in found.says


def test_one_best_checkpoint_alone_is_nothing_to_average() -> None:
    found = averaging(None, [0.0, 50.0, 990.0])
    assert (found.how, found.steps) == (None, ())
    assert found.says == "Nothing to average: no other checkpoint is as good as that of step 990, within noise."


def test_without_a_val_curve_there_is_nothing_to_choose_from() -> None:
    held = Curves({"lr": make_curve("lr", STEPS, np.full(STEPS.size, 0.1))})
    found = to_average(held, choose(held, "val/loss", "min"))
    assert found.how is None
    assert "val/loss was not logged" in found.says


@pytest.mark.parametrize("seed", range(3))
def test_a_rate_without_a_schedule_has_no_cycles(seed: int) -> None:
    rate = np.random.default_rng(seed).uniform(0.01, 0.1, size=STEPS.size)
    found = averaging(rate)
    assert (found.how, found.schedule) == ("plateau", "unknown")


@pytest.mark.parametrize("depth", [0.05, 0.3])
def test_minima_are_the_peaks_of_the_values_turned_over(depth: float) -> None:
    random = np.random.default_rng(0)
    for number in range(300):
        values = np.repeat(np.round(random.random(random.integers(1, 40)), 1 + number % 3), random.integers(1, 4))
        _, expected = find_peaks(-values, prominence=depth, plateau_size=1)
        np.testing.assert_array_equal(_minima(values, depth), expected["right_edges"])
