"""Bad initialisation: a flat start, then a cliff."""

from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import Curves, make_curve
from app.rules.verdict import Clear
from tests.builders import run
from tests.judging import SEEDS, clear_on, finding, findings_on, skip_reason, verdict

RULE = "bad_init_plateau"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_on_a_flat_start(per_update: bool) -> None:
    for found in findings_on(RULE, "flat_start", per_update=per_update):
        assert found.severity == "warning"
        assert found.recommendations[0].action == "reinitialise"
        assert 0.2 < found.span[1] / 1200 < 0.5


def test_a_slow_start_without_a_cliff_is_information() -> None:
    _, context = run("flat_start", 0)
    steps = np.arange(1.0, 1201)
    loss = 0.5 + 1.8 / (1 + np.exp((steps - 350) / 80)) + 0.001 * np.random.default_rng(0).normal(size=steps.size)
    found = finding(RULE, Curves({"train/loss": make_curve("train/loss", steps, loss)}), context)
    sudden = next(e for e in found.evidence if e.name == "suddenness").value
    assert (0.25 < sudden < 0.5, found.severity) == (True, "info")


def test_fires_when_the_number_of_classes_is_not_known() -> None:
    for seed in SEEDS:
        curves, context = run("flat_start", seed)
        assert finding(RULE, curves, replace(context, num_classes=None)).confidence > 0.5


@pytest.mark.parametrize(
    "shape", ["healthy_cosine", "healthy_steps", "overfit", "underfit", "still_improving", "wrong_start", "flat"]
)
@pytest.mark.parametrize("per_update", [True, False])
def test_clear_when_it_falls_from_the_start_or_not_at_all(shape: str, per_update: bool) -> None:
    assert clear_on(RULE, shape, per_update=per_update)


def test_a_flat_start_that_a_warm_up_explains_is_clear() -> None:
    for seed in SEEDS:
        curves, context = run("flat_start", seed)
        rate = make_curve("lr", curves["lr"].steps, np.minimum(curves["lr"].steps / 600, 1.0) * 0.1)
        assert isinstance(verdict(RULE, Curves({**curves, "lr": rate}), context), Clear)


def test_skips_a_run_that_has_hardly_begun() -> None:
    curves, context = run("flat_start", 0)
    reason = skip_reason(RULE, curves.through(5), context)
    assert reason == "train/loss has 5 of the 8 finite points that this rule needs"
