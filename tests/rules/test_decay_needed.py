"""Decay needed: flat, noisy, at a high rate, above the floor."""

from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import Curves, FloatArray, make_curve
from app.rules.context import Context
from app.rules.verdict import Clear
from app.schedules.make import rates
from tests.builders import run
from tests.judging import SEEDS, clear_on, finding, findings_on, skip_reason, verdict, without

RULE = "decay_needed"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_when_the_loss_bounces(per_update: bool) -> None:
    for found in findings_on(RULE, "bouncing_plateau", per_update=per_update):
        assert found.severity == "warning"
        advice = found.recommendations[0]
        assert (advice.action, advice.args["factor"]) == ("decay_lr", 0.1)


def test_fires_without_validation_from_the_scatter_of_train() -> None:
    for seed in SEEDS:
        curves, context = run("bouncing_plateau", seed)
        assert finding(RULE, without(curves, "val/loss", "val/accuracy"), context).onset_step > 0


def test_a_bounce_that_a_lower_rate_gains_little_from_is_information() -> None:
    curves, context = run("bouncing_plateau", 0)
    bounce = next(e for e in finding(RULE, curves, context).evidence if e.name == "bounce").value
    assert finding(RULE, curves, context, {"worth": bounce * 0.9}).severity == "warning"
    assert finding(RULE, curves, context, {"worth": bounce * 1.1}).severity == "info"


def test_a_bounce_around_a_course_that_falls_by_more_is_information_once_the_run_is_over() -> None:
    steps = np.arange(0.0, 1210, 10)
    noise = 1 + 0.05 * np.random.default_rng(0).normal(size=steps.size)
    late = np.maximum(steps - 800, 0.0) / 400
    rate = make_curve("lr", steps, np.full(steps.size, 0.1))
    for fall, severity in ((0.0, "warning"), (0.2, "info")):
        level = (1 - fall * late) * noise
        curves = Curves({"train/loss": make_curve("train/loss", steps, level), "lr": rate})
        curves = Curves({**curves, "val/loss": make_curve("val/loss", steps, level)})
        over = Context(num_classes=10, planned_steps=1200, state="finished")
        found = finding(RULE, curves, over)
        gain = next(e.value for e in found.evidence if e.name == "gain_at_this_rate")
        assert (gain == pytest.approx(0.6 * fall, abs=0.04), found.severity) == (True, severity)
        running = finding(RULE, curves, replace(over, state="running", schedule="constant"))
        assert running.severity == "warning"


def test_less_sure_without_a_rate() -> None:
    curves, context = run("bouncing_plateau", 0)
    unlogged = finding(RULE, without(curves, "lr"), context)
    assert unlogged.confidence < finding(RULE, curves, context).confidence
    assert "no rate was logged" in unlogged.summary


@pytest.mark.parametrize(
    "shape", ["healthy_cosine", "healthy_steps", "underfit", "still_improving", "overfit", "flat", "early_cut"]
)
def test_clear_when_quiet_falling_or_decayed(shape: str) -> None:
    assert clear_on(RULE, shape)


def test_clear_once_the_rate_has_been_cut() -> None:
    for seed in SEEDS:
        curves, context = run("bouncing_plateau", seed)
        rate = curves["lr"]
        cut = make_curve("lr", rate.steps, [0.5 if s < 900 else 0.05 for s in rate.steps])
        assert isinstance(verdict(RULE, Curves({**curves, "lr": cut}), context), Clear)


def test_skips_a_short_run() -> None:
    curves, context = run("bouncing_plateau", 0)
    reason = skip_reason(RULE, curves.through(9), context)
    assert reason == "train/loss has 9 of the 12 finite points that this rule needs"
    reason = skip_reason(RULE, curves.through(100), context)
    assert reason == "a late course needs 12 points or evaluations, there are 5"


def test_a_running_job_whose_schedule_brings_the_rate_down_is_left_alone() -> None:
    for seed in SEEDS:
        curves, context = run("bouncing_plateau", seed)
        half = Curves({**curves, "lr": make_curve("lr", *_falling(curves["lr"].steps))}).through(900)
        assert isinstance(verdict(RULE, half, replace(context, state="running")), Clear)


def test_on_a_running_job_a_constant_rate_may_still_be_cut() -> None:
    for seed in SEEDS:
        curves, context = run("bouncing_plateau", seed)
        running = replace(context, state="running")
        assert finding(RULE, curves.through(900), running).severity == "info"
        told = replace(running, schedule="constant")
        assert finding(RULE, curves.through(900), told).severity == "warning"
        assert finding(RULE, without(curves, "lr").through(900), running).severity == "info"


def test_the_steps_that_are_left_get_a_schedule_that_can_be_made() -> None:
    for seed in SEEDS:
        curves, context = run("bouncing_plateau", seed)
        (advice,) = finding(RULE, curves.through(900), replace(context, state="running")).recommendations
        args = advice.args
        assert context.planned_steps is not None
        left = context.planned_steps - float(args["at_step"])
        assert (args["factor"], args["kind"], args["steps"]) == (0.1, "linear", left)
        course = rates(str(args["kind"]), float(args["lr"]), int(args["steps"]))
        assert course[0] == curves.through(900)["lr"].values[-1]
        assert course[-1] < 0.01 * course[0]
        assert f"over the {left:.6g} steps" in advice.text


@pytest.mark.parametrize("planned", [None, 300.0, 1205.0])
def test_a_running_job_without_steps_that_are_left_gets_a_tenth_at_once(planned: float | None) -> None:
    curves, context = run("bouncing_plateau", 0)
    told = replace(context, planned_steps=planned, state="running", schedule="constant")
    (advice,) = finding(RULE, curves, told).recommendations
    rate = float(curves["lr"].values[-1])
    at = float(curves["val/loss"].steps[-1])
    assert advice.args == {"at_step": at, "factor": 0.1, "kind": "constant", "lr": pytest.approx(0.1 * rate)}
    assert advice.text == f"Decay the learning rate to a tenth from step {at:g}."


@pytest.mark.parametrize("planned", [None, 300.0, 1205.0])
def test_a_run_that_is_over_is_to_go_on_for_a_fifth_of_its_length_along_a_line(planned: float | None) -> None:
    curves, context = run("bouncing_plateau", 0)
    (advice,) = finding(RULE, curves, replace(context, planned_steps=planned)).recommendations
    rate, at = float(curves["lr"].values[-1]), float(curves["val/loss"].steps[-1])
    assert advice.args == {"at_step": at, "factor": 0.1, "kind": "linear", "lr": rate, "steps": round(at / 5)}
    assert advice.text.startswith(f"Train on for {round(at / 5)} steps")


def test_without_a_rate_no_schedule_can_be_said() -> None:
    curves, context = run("bouncing_plateau", 0)
    (advice,) = finding(RULE, without(curves, "lr").through(900), replace(context, state="running")).recommendations
    assert set(advice.args) == {"at_step", "factor"}


def _falling(steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    return steps, 0.25 * (1 + np.cos(np.pi * np.clip(steps / steps[-1] - 0.25, 0, 1)))
