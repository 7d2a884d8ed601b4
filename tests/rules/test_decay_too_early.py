"""Decay too early: the rate was cut while the loss was falling fast."""

from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import Curves, make_curve
from app.rules.verdict import Clear, Finding
from tests import builders
from tests.builders import SHAPES, build, run
from tests.judging import SEEDS, clear_on, clear_on_drawn, finding, findings_on, skip_reason, verdict, without

RULE = "decay_too_early"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_on_an_early_cut(per_update: bool) -> None:
    for found in findings_on(RULE, "early_cut", per_update=per_update):
        assert found.severity == "warning"
        advice = found.recommendations[0]
        assert advice.action == "delay_decay"
        assert float(advice.args["until_step"]) > found.onset_step


def test_onset_is_the_cut() -> None:
    for seed in SEEDS:
        curves, context = run("early_cut", seed)
        rate = curves["lr"]
        cut_at = rate.steps[1:][np.diff(rate.values) < 0][0]
        assert finding(RULE, curves, context).onset_step == cut_at


def test_fires_from_train_alone() -> None:
    for seed in SEEDS:
        curves, context = run("early_cut", seed)
        assert finding(RULE, without(curves, "val/loss", "val/accuracy"), context).confidence > 0.5


@pytest.mark.parametrize("shape", ["healthy_cosine", "healthy_steps", "overfit", "underfit", "still_improving"])
def test_clear_without_an_early_cut(shape: str) -> None:
    assert clear_on(RULE, shape)


def test_clear_when_the_cut_came_after_the_loss_had_flattened() -> None:
    def patient(rng: np.random.Generator) -> builders.Shape:
        floor = rng.uniform(0.5, 0.7)
        return builders.Shape(
            train=builders.decay(builders.CHANCE, floor, 60),
            val=builders.decay(builders.CHANCE, floor * 1.05, 60),
            rate=builders.staircase(0.1, {0.3: 0.1}),
        )

    assert clear_on_drawn(RULE, patient)


def test_clear_when_the_loss_rose_before_the_cut() -> None:
    steps = np.arange(1.0, 41)
    loss = np.where(steps <= 8, 1.0 + 0.05 * steps, 1.0)
    rate = np.where(steps <= 8, 0.1, 0.01)
    curves = Curves({"train/loss": make_curve("train/loss", steps, loss), "lr": make_curve("lr", steps, rate)})
    _, context = run("early_cut", 0)
    assert isinstance(verdict(RULE, curves, replace(context, num_classes=None, planned_steps=None)), Clear)


def test_skips_when_a_side_of_the_cut_was_not_logged() -> None:
    _, context = run("early_cut", 0)
    rate = make_curve("lr", [1.0, 99.0, 100.0], [0.1, 0.1, 0.01])
    loss = make_curve("train/loss", [10.0, 20.0, 30.0, 99.5], [2.0, 1.9, 1.8, 1.7])
    reason = skip_reason(RULE, Curves({"train/loss": loss, "lr": rate}), context)
    assert reason == "no points on both sides of the cut at step 100"
    one = make_curve("train/loss", [10.0, 20.0, 30.0, 100.5], [2.0, 1.9, 1.8, 1.7])
    assert "both sides" in skip_reason(RULE, Curves({"train/loss": one, "lr": rate}), context)
    from_zero = make_curve("train/loss", np.arange(43.0), 2 * 0.9 ** np.arange(43))
    at_once = make_curve("lr", [0.0, 1.0], [0.1, 0.01])
    reason = skip_reason(RULE, Curves({"train/loss": from_zero, "lr": at_once}), context)
    assert reason == "no points on both sides of the cut at step 1"


def test_a_cut_that_was_not_logged_is_seen_in_the_losses_and_only_information() -> None:
    found = 0
    for seed in SEEDS:
        shape = SHAPES["early_cut"][0](np.random.default_rng([seed, 0]))
        curves, context = build(replace(shape, batch_noise=0.01, eval_noise=0.001), seed)
        answer = verdict(RULE, without(curves, "lr"), context)
        found += isinstance(answer, Finding)
        if isinstance(answer, Finding):
            assert answer.severity == "info"
            assert "seems to have been cut" in answer.summary
            assert answer.onset_step == pytest.approx(finding(RULE, curves, context).onset_step, abs=60)
    assert found >= 15


def test_skips_when_no_rate_was_logged_and_no_cut_shows() -> None:
    curves, context = run("healthy_cosine", 0)
    reason = skip_reason(RULE, without(curves, "lr"), context)
    assert reason == "lr was not logged, and no cut of it shows in the losses"


@pytest.mark.parametrize("per_update", [True, False])
def test_a_schedule_that_ran_out_early_is_an_early_cut(per_update: bool) -> None:
    for seed in SEEDS:
        shape = SHAPES["early_cut"][0](np.random.default_rng([seed, 0]))
        faded = replace(shape, rate=lambda x: 0.05 * (1.02 + np.cos(np.pi * np.minimum(x / 0.25, 1.0))))
        found = finding(RULE, *build(faded, seed, per_update=per_update))
        assert found.onset_step < 0.25 * found.span[1]
