"""Not decreasing: at the end where it began."""

from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import Curves, make_curve
from app.rules.verdict import Clear
from tests.builders import run
from tests.judging import SEEDS, clear_on, curves_of, finding, findings_on, skip_reason, verdict, without

RULE = "not_decreasing"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_when_nothing_happens(per_update: bool) -> None:
    for found in findings_on(RULE, "flat", per_update=per_update):
        assert found.severity == "error"
        assert found.recommendations[0].action == "reinitialise"
        assert found.recommendations[1].args == {"factor": 10.0}


def test_fires_when_the_number_of_classes_is_not_known() -> None:
    for seed in SEEDS:
        curves, context = run("flat", seed, per_update=False)
        unknown = replace(context, num_classes=None)
        level = curves["train/loss"].values
        if level[0] - level[-6:].mean() < 0.01 * level[0]:
            assert finding(RULE, curves, unknown).severity == "error"


def test_a_noisy_loss_at_its_start_wants_a_lower_rate() -> None:
    rng = np.random.default_rng(0)
    _, context = run("flat", 0)
    found = finding(RULE, curves_of(train_loss=2.4 * np.exp(0.2 * rng.normal(size=40))), context)
    assert found.recommendations[0].action == "lower_lr"


def test_noise_that_a_schedule_has_quieted_still_wants_a_lower_rate() -> None:
    noise = 0.03 * np.random.default_rng(0).normal(size=60) * (np.arange(60) < 20)
    assert first_action(np.log(10) * np.exp(noise), np.full(60, 0.1))[0] == "lower_lr"


def test_validation_before_the_first_update_says_where_a_regression_began() -> None:
    _, context = run("flat", 0)
    batches = np.full(150, 0.95)
    batches[:3] = 0.6  # a small batch size scatters
    told = replace(context, num_classes=None)
    train = make_curve("train/loss", np.arange(0.0, 450, 3), batches)
    val = make_curve("val/loss", np.arange(0.0, 450, 10), np.linspace(0.98, 0.8, 45))
    assert isinstance(verdict(RULE, Curves({"train/loss": train, "val/loss": val}), told), Clear)
    flat = make_curve("val/loss", val.steps, np.full(45, 0.95))
    assert finding(RULE, Curves({"train/loss": train, "val/loss": flat}), told).severity == "error"


def first_action(val_loss: np.ndarray, lr: np.ndarray, num_classes: int | None = 10) -> tuple[str, dict[str, object]]:
    """What is advised first to a run whose batches scatter by a tenth, whatever its weights do."""
    _, context = run("flat", 0)
    batches = 2.4 * np.exp(0.1 * np.random.default_rng(0).normal(size=val_loss.size))
    batches[0] = 2.4
    curves = curves_of(train_loss=batches, val_loss=val_loss, lr=lr)
    advice = finding(RULE, curves, replace(context, num_classes=num_classes)).recommendations[0]
    return advice.action, dict(advice.args)


def test_a_tiny_fall_in_proportion_to_the_rate_wants_a_higher_one() -> None:
    rate = 1e-6 * (1 + np.cos(np.linspace(0, np.pi, 50))) / 2
    spent = np.concatenate([[0.0], np.cumsum(rate)[:-1]])
    fell = 2.35 * np.exp(-0.004 * spent / spent[-1])
    assert first_action(fell, rate) == ("raise_lr", {"factor": 300.0})  # by 0.4 %: 250 times as much is all of it


def test_a_fall_that_settled_does_not() -> None:
    settled = 2.35 - 0.004 * (1 - np.exp(-np.arange(50.0)))
    assert first_action(settled, np.full(50, 1e-6), None)[0] == "reinitialise"


def test_weights_driven_to_nothing_want_less_regularisation() -> None:
    chance = np.log(10) + 1e-4 * np.random.default_rng(1).normal(size=50)
    collapsed = chance + 0.05 * np.exp(-np.arange(50.0))
    assert first_action(collapsed, np.full(50, 0.1))[0] == "regularise"
    assert first_action(chance, np.full(50, 0.1))[0] == "reinitialise", "nothing moved"
    assert first_action(collapsed + 0.2, np.full(50, 0.1))[0] == "reinitialise", "and not to a blind guess"


@pytest.mark.parametrize("shape", ["healthy_cosine", "underfit", "overfit", "flat_start", "still_improving"])
def test_clear_when_it_fell(shape: str) -> None:
    assert clear_on(RULE, shape)


def test_skips_a_running_job_that_has_just_begun() -> None:
    curves, context = run("flat", 0, per_update=False)
    running = replace(context, state="running")
    reason = skip_reason(RULE, curves.through(100), running)
    assert reason == "train/loss has 5 of the 20 points that tell a slow start from none"
    assert finding(RULE, curves.through(100), context).severity == "error"
    long = replace(running, planned_steps=1e6)
    reason = skip_reason(RULE, curves, long)
    assert reason == "at step 1200 of 1e+06 a slow start cannot be told from none"


def test_skips_what_ends_in_nan() -> None:
    curves, context = run("explodes", 0)
    assert "no level at the end" in skip_reason(RULE, curves, context)


def test_skips_a_loss_below_zero() -> None:
    _, context = run("flat", 0)
    reason = skip_reason(RULE, curves_of(train_loss=[-1.0] * 20), replace(context, num_classes=None))
    assert "does not start above zero" in reason


def test_skips_without_train_loss() -> None:
    curves, context = run("flat", 0)
    assert skip_reason(RULE, without(curves, "train/loss"), context) == "train/loss was not logged"
