"""Overfitting: val climbs away from its best while train goes on falling."""

from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import Curves, make_curve
from app.rules.verdict import Clear
from tests import builders
from tests.builders import SHAPES, build, run
from tests.judging import (
    SEEDS,
    clear_on,
    clear_on_drawn,
    curves_of,
    finding,
    findings_on,
    skip_reason,
    verdict,
    without,
)

RULE = "overfitting"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_when_val_climbs(per_update: bool) -> None:
    for found in findings_on(RULE, "overfit", per_update=per_update):
        assert found.severity == "warning"
        assert found.confidence > 0.8
        assert [r.action for r in found.recommendations] == ["stop", "regularise", "add_data"]


def test_best_step_is_where_val_turned() -> None:
    for seed in SEEDS:
        curves, context = run("overfit", seed)
        val = curves["val/loss"]
        found = finding(RULE, curves, context)
        kept = float(found.recommendations[0].args["best_step"])
        assert 0.05 * val.steps[-1] < kept == found.onset_step
        assert val.values[val.steps == kept][0] < val.values.min() * 1.1
        at_best = val.values[val.steps == found.onset_step][0]
        assert at_best < val.values.min() * 1.1
        assert 0.1 < found.onset_step / val.steps[-1] < 0.4


@pytest.mark.parametrize(
    "shape", ["healthy_cosine", "healthy_steps", "still_improving", "underfit", "flat_start", "bouncing_plateau"]
)
def test_clear_when_val_follows_train(shape: str) -> None:
    assert clear_on(RULE, shape)


def test_clear_on_a_wide_gap_with_val_at_its_best() -> None:
    def gap(rng: np.random.Generator) -> builders.Shape:
        pace = rng.uniform(8, 12)
        return builders.Shape(
            train=builders.decay(builders.CHANCE, 0.05, pace),
            val=builders.decay(builders.CHANCE, 0.5, pace),
            rate=builders.cosine(0.1),
        )

    assert clear_on_drawn(RULE, gap)


def test_one_lucky_evaluation_is_not_the_best() -> None:
    for seed in SEEDS:
        curves, context = run("healthy_cosine", seed)
        val = curves["val/loss"]
        values = val.values.copy()
        values[len(val) // 2] = values.min() * 0.5
        lucky = Curves({**curves, "val/loss": make_curve("val/loss", val.steps, values)})
        assert isinstance(verdict(RULE, lucky, context), Clear)


def test_rising_loss_with_accuracy_at_its_best_is_said() -> None:
    for seed in SEEDS:
        shape = SHAPES["overfit"][0](np.random.default_rng([seed, 0]))
        mild = replace(
            shape, val=lambda x: 0.8 + (builders.CHANCE - 0.8) * np.exp(-14 * x) + 0.25 * np.clip(x - 0.3, 0, None)
        )
        curves, context = build(mild, seed)
        held = make_curve(
            "val/accuracy", curves["val/accuracy"].steps, 0.7 - 0.6 * np.exp(-curves["val/accuracy"].steps / 100)
        )
        found = finding(RULE, Curves({**curves, "val/accuracy": held}), context)
        assert found.severity == "info"
        assert "val/accuracy is still at its best" in found.summary
        assert finding(RULE, without(curves, "val/accuracy"), context).severity == "warning"


def test_too_few_accuracies_do_not_soften_it() -> None:
    curves, context = run("overfit", 0)
    short = make_curve("val/accuracy", [20.0, 40.0], [0.5, 0.5])
    assert finding(RULE, Curves({**curves, "val/accuracy": short}), context).severity == "warning"


def test_skips_without_validation() -> None:
    curves, context = run("overfit", 0)
    assert skip_reason(RULE, without(curves, "val/loss"), context) == "val/loss was not logged"


def test_skips_when_the_curves_hardly_meet() -> None:
    _, context = run("overfit", 0)
    few = curves_of(train_loss=[1.0, 0.9, 0.8], val_loss=[1.0, 1.1, 1.2])
    assert skip_reason(RULE, few, context) == "train/loss and val/loss meet at 3 of the 6 steps that this rule needs"


def test_a_small_rise_far_beyond_the_noise_is_information() -> None:
    steps = np.arange(1.0, 61)
    _, context = run("overfit", 0)
    val = 0.5 + 1.8 * np.exp(-steps / 3) + 0.0005 * np.clip(steps - 20, 0, None)
    found = finding(RULE, curves_of(train_loss=2.3 * np.exp(-steps / 6) + 0.01, val_loss=val), context)
    assert found.severity == "info"
    assert found.evidence[0].value < 0.08
