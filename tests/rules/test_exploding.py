"""Exploding: NaN, infinity, or far above where it began."""

import math
from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import Curves, make_curve
from app.rules.verdict import Clear, Skipped
from tests.builders import CHANCE, run
from tests.judging import SEEDS, clear_on, curves_of, finding, findings_on, skip_reason, verdict, without

RULE = "exploding"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_on_nan_at_its_first_step(per_update: bool) -> None:
    for found in findings_on(RULE, "explodes", per_update=per_update):
        assert found.severity == "error"
        assert found.confidence == 0.99
        assert found.span[0] == found.onset_step
        assert found.recommendations[0].action == "lower_lr"


def test_onset_is_the_first_non_finite_step() -> None:
    for seed in SEEDS:
        curves, context = run("explodes", seed)
        loss = curves["train/loss"]
        assert finding(RULE, curves, context).onset_step == loss.steps[~np.isfinite(loss.values)][0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_bad_point_that_recovers_is_a_warning(bad: float) -> None:
    curves, context = run("healthy_cosine", 0)
    loss = curves["train/loss"]
    values = loss.values.copy()
    values[600] = bad
    found = finding(RULE, Curves({**curves, "train/loss": make_curve("train/loss", loss.steps, values)}), context)
    assert found.severity == "warning"
    assert "out of the blue" in found.summary


def test_non_finite_validation_counts() -> None:
    curves, context = run("healthy_cosine", 0)
    val = curves["val/loss"]
    values = np.where(val.steps > 800, math.nan, val.values)
    found = finding(RULE, Curves({**curves, "val/loss": make_curve("val/loss", val.steps, values)}), context)
    assert found.summary.startswith("val/loss")


def test_nan_from_the_first_point() -> None:
    _, context = run("explodes", 0)
    found = finding(RULE, curves_of(train_loss=[math.nan] * 10), context)
    assert "at the start" in found.summary
    assert {r.action for r in found.recommendations} == {"lower_lr", "reinitialise"}
    assert found.recommendations[0].args == {"factor": 0.01}, "nothing of a climb was seen"
    climbing = finding(RULE, curves_of(train_loss=[2.3, 4.0, 50.0, 3e5] + [math.nan] * 60), context)
    assert climbing.recommendations[0].args == {"factor": 0.01}, "gone within a tenth of the run"
    later = finding(RULE, curves_of(train_loss=[2.3] * 40 + [math.nan] * 60), context)
    assert later.recommendations[0].args == {"factor": 0.1}


def test_nan_while_the_rate_was_rising() -> None:
    _, context = run("explodes", 0)
    loss = [2.3] * 20 + [math.nan] * 5
    found = finding(RULE, curves_of(train_loss=loss, lr=list(np.linspace(0.001, 0.1, 25))), context)
    assert "while the rate was rising" in found.summary
    assert "warm it up" in found.recommendations[0].text


def test_fires_on_a_climb_that_stays() -> None:
    _, context = run("explodes", 0)
    loss = np.concatenate([np.linspace(2.3, 1.0, 50), np.full(50, 40.0)])
    found = finding(RULE, curves_of(train_loss=loss), context)
    assert found.severity == "error"
    assert found.onset_step == 51
    assert found.recommendations[0].action == "lower_lr"


@pytest.mark.parametrize(("peak", "factor"), [(8.0, 0.1), (50.0, 0.02), (900.0, 0.01)])
def test_the_rate_is_lowered_by_as_much_as_the_loss_climbed(peak: float, factor: float) -> None:
    _, context = run("explodes", 0)
    found = finding(RULE, curves_of(train_loss=[2.3] * 50 + [2.3 * peak] * 50), context)
    assert found.recommendations[0].args == {"factor": factor}


def test_an_absurd_climb_that_came_back_is_a_warning() -> None:
    _, context = run("explodes", 0)
    loss = np.concatenate([np.full(20, 2.3), np.full(10, 5e4), np.linspace(2.3, 0.5, 70)])
    assert finding(RULE, curves_of(train_loss=loss), context).severity == "warning"


def test_a_spike_that_recovers_is_not_an_explosion() -> None:
    _, context = run("explodes", 0)
    loss = np.concatenate([np.linspace(2.3, 1.0, 50), np.full(3, 20.0), np.linspace(1.0, 0.5, 47)])
    assert isinstance(verdict(RULE, curves_of(train_loss=loss), context), Clear)


@pytest.mark.parametrize("shape", ["healthy_cosine", "healthy_steps", "overfit", "wrong_start", "bouncing_plateau"])
def test_clear_on_finite_runs(shape: str) -> None:
    assert clear_on(RULE, shape)


def test_no_judgement_of_a_climb_from_a_loss_at_or_below_zero() -> None:
    _, context = run("explodes", 0)
    assert isinstance(verdict(RULE, curves_of(train_loss=[-1.0] * 20), replace(context, num_classes=None)), Clear)


def test_what_follows_from_it_is_not_reported_beside_it() -> None:
    curves, context = run("explodes", 0)
    for rule in ("overfitting", "underfitting", "keep_training", "decay_needed", "decay_too_early", "bad_init_plateau"):
        answer = verdict(rule, curves, context)
        assert isinstance(answer, Skipped)
        assert "diverged at step" in answer.reason


def test_skips_without_train_loss() -> None:
    curves, context = run("explodes", 0)
    assert skip_reason(RULE, without(curves, "train/loss"), context) == "train/loss was not logged"


def test_chance_is_where_a_run_without_an_observed_start_began() -> None:
    # Means over an epoch of which the first already holds the explosion.
    curves = curves_of(train_loss=[3857.0, 2.5, 2.5, 2.5, 2.5, 2.5], val_loss=[2.7, 2.6, 2.4, 2.5, 2.4, 2.5])
    _, context = run("explodes", 0)
    found = finding(RULE, curves, context)
    assert found.evidence[0].value == pytest.approx(3857.0 / CHANCE)


def test_a_first_mean_that_no_fit_could_fall_from_held_the_explosion() -> None:
    falling = [1e25, 1e23, 1e22, 1e20, 1e15, 1e10, 1e5, 1.0, 1e-3, 1e-4]
    _, context = run("explodes", 0)
    context = replace(context, num_classes=None, planned_steps=None, state="finished")
    found = finding(RULE, curves_of(train_loss=falling, val_loss=falling), context)
    assert found.severity == "warning"
    prices = [2e9, 1e9, 3e8, 1e8, 5e7, 2e7, 1e7, 8e6, 7e6, 6e6]
    assert isinstance(verdict(RULE, curves_of(train_loss=prices, val_loss=prices), context), Clear)


def _spiky(every: int, evaluated_every: int | None) -> dict[str, float]:
    """The evidence on a healthy run of 400 updates with a spike at even distances."""
    rng = np.random.default_rng(3)
    steps = np.arange(1.0, 401)
    train = (0.5 + 2 * np.exp(-steps / 60)) * (1 + 0.02 * rng.standard_normal(400))
    train[every::every] *= 2
    found = [make_curve("train/loss", steps, train)]
    if evaluated_every:
        evaluated = steps[evaluated_every - 1 :: evaluated_every]
        found.append(make_curve("val/loss", evaluated, 0.6 + 2 * np.exp(-evaluated / 60)))
    _, context = run("explodes", 0)
    judged = verdict(RULE, Curves({curve.name: curve for curve in found}), context)
    assert isinstance(judged, Clear)
    return {e.name: e.value for e in judged.evidence}


def test_spikes_that_recover_are_said_to_be_at_epoch_boundaries() -> None:
    evidence = _spiky(50, evaluated_every=50)
    assert (evidence["spikes_at_epoch_boundaries"], evidence["spikes_every"]) == (7, 50)


@pytest.mark.parametrize("evaluated_every", [20, None])
def test_spikes_elsewhere_are_only_counted(evaluated_every: int | None) -> None:
    evidence = _spiky(50, evaluated_every)
    assert (evidence["spikes"], evidence["spikes_every"]) == (7, 50)
    assert "spikes_at_epoch_boundaries" not in evidence


def test_uneven_spikes_have_no_distance() -> None:
    evidence = _spiky(120, evaluated_every=40)
    assert evidence["spikes"] == 3
    assert "spikes_every" not in evidence
