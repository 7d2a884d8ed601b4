"""Wrong initial loss: not log(C) at step 0."""

import math
from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import Curves, make_curve
from app.rules.context import Context
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
        # which of its layers started too large does not show, so all of them are to start sanely
        assert found.recommendations[0].args["scheme"] == "small_output_layer+kaiming"


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


class TestPriors:
    """A start at the entropy of the class priors is as sane as one at log C."""

    PRIORS = (0.98, 0.02)
    ENTROPY = -0.98 * math.log(0.98) - 0.02 * math.log(0.02)

    def told(self, **facts: object) -> Context:
        return Context(**{"class_priors": self.PRIORS, "state": "finished", **facts})  # type: ignore[arg-type]

    @pytest.mark.parametrize("start", [0.098, 0.3, 0.7])
    def test_from_the_entropy_to_log_c_nothing_is_wrong(self, start: float) -> None:
        curves = curves_of(train_loss=[start, *np.linspace(start, start / 3, 300)])
        clear = verdict(RULE, curves, self.told())
        assert isinstance(clear, Clear)
        assert {e.name: e.value for e in clear.evidence}["entropy_of_priors"] == pytest.approx(self.ENTROPY)

    def test_without_priors_the_same_start_is_far_too_low(self) -> None:
        curves = curves_of(train_loss=[0.098, *np.linspace(0.098, 0.03, 300)])
        assert finding(RULE, curves, self.told(class_priors=None, num_classes=2)).severity == "info"

    def test_far_above_log_c_and_far_below_the_entropy_are_found(self) -> None:
        high = finding(RULE, curves_of(train_loss=[2.5, *np.linspace(2.5, 0.1, 300)]), self.told())
        assert high.severity == "warning"
        assert "3.6 times the 0.693 of a blind guess" in high.summary
        low = finding(RULE, curves_of(train_loss=[0.01, *np.linspace(0.01, 0.005, 300)]), self.told())
        assert low.severity == "info"
        assert "below the 0.098" in low.summary

    def test_one_class_alone(self) -> None:
        curves = curves_of(train_loss=[0.5, *np.linspace(0.5, 0.0, 300)])
        assert isinstance(verdict(RULE, curves, self.told(class_priors=(1.0, 0.0))), Clear)


class TestRegression:
    """The variance of the targets is what predicting their mean costs."""

    CONTEXT = Context(target_variance=4.0, state="finished")

    @pytest.mark.parametrize("start", [2.0, 4.0, 5.5])
    def test_near_the_variance_or_its_half(self, start: float) -> None:
        assert isinstance(
            verdict(RULE, curves_of(train_loss=[start, *np.linspace(start, 0.4, 300)]), self.CONTEXT), Clear
        )

    def test_far_above(self) -> None:
        found = finding(RULE, curves_of(train_loss=[90.0, *np.linspace(40, 0.4, 300)]), self.CONTEXT)
        assert found.evidence[1].name == "target_variance"
        assert found.evidence[0].unit == "squared target units"
        assert "at the variance of the targets" in found.recommendations[0].text

    def test_far_below(self) -> None:
        found = finding(RULE, curves_of(train_loss=[0.2, *np.linspace(0.2, 0.1, 300)]), self.CONTEXT)
        assert "check target_variance" in found.recommendations[0].text

    def test_classes_go_first(self) -> None:
        curves = curves_of(train_loss=[2.3, *np.linspace(2.3, 0.4, 300)])
        (evidence,) = (
            e.name
            for e in verdict(RULE, curves, replace(self.CONTEXT, num_classes=10)).evidence  # type: ignore[union-attr]
            if e.name not in {"initial_loss", "ratio"}
        )
        assert evidence == "log_num_classes"
