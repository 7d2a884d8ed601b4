"""Underfitting: train and val on each other, both poor."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import run
from tests.judging import clear_on, curves_of, finding, findings_on, skip_reason, without

RULE = "underfitting"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_when_both_are_poor(per_update: bool) -> None:
    for found in findings_on(RULE, "underfit", per_update=per_update):
        assert found.severity == "info"  # a floor of the task could look like that
        assert [r.action for r in found.recommendations] == ["grow_model", "regularise", "raise_lr"]


def test_an_early_cut_of_the_rate_is_named_as_the_cause() -> None:
    assert finding(RULE, *run("early_cut", 0)).caused_by == "CW003"


@pytest.mark.parametrize(
    "shape", ["bouncing_plateau", "healthy_cosine", "healthy_steps", "overfit", "flat_start", "flat"]
)
def test_clear_when_good_or_apart(shape: str) -> None:
    assert clear_on(RULE, shape)


def test_a_running_job_is_judged_after_half_its_plan() -> None:
    curves, context = run("underfit", 1)
    running = replace(context, state="running")
    assert finding(RULE, curves, running).severity == "info"
    early = skip_reason(RULE, curves.through(300), running)
    assert early == "at step 300 of 1200 being poor may only be being early"
    no_plan = skip_reason(RULE, curves, replace(running, planned_steps=None))
    assert no_plan == "planned_steps of the running job is not known: being poor may only be being early"


def test_skips_without_validation() -> None:
    curves, context = run("underfit", 0)
    assert skip_reason(RULE, without(curves, "val/loss"), context) == "val/loss was not logged"


def test_warns_where_hardly_anything_was_learned() -> None:
    loss = np.linspace(2.3, 2.05, 40)
    _, context = run("underfit", 0)
    found = finding(RULE, curves_of(train_loss=loss, val_loss=loss * 1.01), context)
    assert found.severity == "warning"
