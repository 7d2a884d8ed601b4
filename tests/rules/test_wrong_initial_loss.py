"""Wrong initial loss: not log(C) at step 0."""

import math
from dataclasses import replace

import pytest

from app.curves.curve import Curves, make_curve
from app.rules.verdict import Clear
from tests.builders import CHANCE, run
from tests.judging import SEEDS, clear_on, curves_of, finding, findings_on, skip_reason, verdict, without

RULE = "wrong_initial_loss"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_far_above_log_c(per_update: bool) -> None:
    for found in findings_on(RULE, "wrong_start", per_update=per_update):
        assert found.severity == "warning"
        by_name = {e.name: e for e in found.evidence}
        assert by_name["log_num_classes"].value == pytest.approx(math.log(10))
        assert by_name["ratio"].value > 3
        assert found.onset_step == 0


def test_fires_on_the_first_batch_when_nothing_was_evaluated_before_it() -> None:
    for seed in SEEDS:
        curves, context = run("wrong_start", seed)
        assert finding(RULE, without(curves, "val/loss", "val/accuracy"), context).onset_step == 1


def test_extrapolates_means_over_an_epoch() -> None:
    curves = curves_of(train_loss=[2.9, 1.2, 1.0, 0.9, 0.85, 0.8], val_loss=[1.4, 1.1, 1.0, 0.95, 0.9, 0.85])
    _, context = run("wrong_start", 0)
    found = finding(RULE, curves, context)
    assert "seems to have been" in found.summary
    assert found.evidence[0].value == pytest.approx(2 * 2.9 - 1.4)


def test_a_mean_that_may_hold_an_explosion_is_not_judged() -> None:
    curves = curves_of(train_loss=[3857.0, 2.5, 2.5, 2.5, 2.5, 2.5], val_loss=[2.7, 2.6, 2.4, 2.5, 2.4, 2.5])
    _, context = run("wrong_start", 0)
    reason = skip_reason(RULE, curves, context)
    assert reason.startswith("val/loss at step 0 was not logged")
    assert "explosion" in reason


def test_dropout_that_holds_train_up_is_not_a_wrong_start() -> None:
    train = [2.35, 2.2, 2.1, 2.05, 2.0, 2.0]
    _, context = run("wrong_start", 0)
    assert isinstance(verdict(RULE, curves_of(train_loss=train, val_loss=[v * 0.8 for v in train]), context), Clear)


def test_far_below_is_information() -> None:
    curves = curves_of(train_loss=[0.4, 0.3, 0.25, 0.2] * 50)
    _, context = run("wrong_start", 0)
    found = finding(RULE, curves, context)
    assert found.severity == "info"
    assert "num_classes" in found.recommendations[0].text


@pytest.mark.parametrize("shape", ["healthy_cosine", "healthy_steps", "overfit", "underfit", "flat_start", "flat"])
@pytest.mark.parametrize("per_update", [True, False])
def test_clear_near_log_c(shape: str, per_update: bool) -> None:
    assert clear_on(RULE, shape, per_update=per_update)


def test_skips_without_the_number_of_classes() -> None:
    curves, context = run("wrong_start", 0)
    assert skip_reason(RULE, curves, replace(context, num_classes=None)) == "num_classes is not known"


def test_skips_when_the_start_was_not_logged() -> None:
    curves, context = run("wrong_start", 0)
    loss = curves["train/loss"]
    late = Curves({"train/loss": make_curve("train/loss", loss.steps[500:], loss.values[500:])})
    reason = skip_reason(RULE, late, context)
    assert reason == "the first train/loss is at step 501: the start was not logged"


def test_log_c_is_the_expectation() -> None:
    assert pytest.approx(math.log(10)) == CHANCE
