"""Keep training: both losses still fall where the run stops."""

from dataclasses import replace

import numpy as np
import pytest

from app.curves.curve import FloatArray
from app.diagnosis import diagnose
from app.rules.keep_training import expected_gain, gain_interval
from tests.builders import CHANCE, Shape, build, constant, decay, run
from tests.judging import clear_on, finding, findings_on, skip_reason, without

RULE = "keep_training"


@pytest.mark.parametrize("per_update", [True, False])
def test_fires_when_both_still_fall(per_update: bool) -> None:
    for found in findings_on(RULE, "still_improving", per_update=per_update):
        assert found.severity == "warning"
        advice = found.recommendations[0]
        assert advice.action == "continue"
        assert 0.1 < float(advice.args["expected_gain"]) < 0.5


def test_a_running_job_is_told_not_to_stop() -> None:
    curves, context = run("still_improving", 0)
    found = finding(RULE, curves, replace(context, state="running"))
    assert found.severity == "info"
    assert found.recommendations[0].text.startswith("Do not stop yet")


def test_without_a_rate_the_schedule_may_have_run_out() -> None:
    curves, context = run("still_improving", 0)
    found = finding(RULE, without(curves, "lr"), context)
    assert found.severity == "info"
    assert found.confidence < finding(RULE, curves, context).confidence


@pytest.mark.parametrize(
    "shape", ["healthy_cosine", "healthy_steps", "overfit", "underfit", "bouncing_plateau", "flat"]
)
def test_clear_when_done_or_stuck(shape: str) -> None:
    assert clear_on(RULE, shape)


def test_skips_without_validation() -> None:
    curves, context = run("still_improving", 0)
    assert skip_reason(RULE, without(curves, "val/loss"), context) == "val/loss was not logged"


def test_expected_gain_follows_the_power_law() -> None:
    # Halving from step 100 to 200 is an exponent of -1: the next doubling halves again.
    assert expected_gain(-0.6931471805599453, 100, 200) == pytest.approx(0.5)
    assert expected_gain(0.0, 100, 200) == 0
    assert 0 < expected_gain(-0.1, 0, 200) < 0.1


def test_never_beside_the_advice_to_cut_the_rate() -> None:
    """A loss that still falls a little but bounces at a high rate gets one advice, not two that disagree."""
    judged = set()
    for seed in range(60):
        floor, fall, noise = np.random.default_rng(seed).uniform([0.5, 0.05, 0.002], [0.6, 0.3, 0.03])

        def level(x: FloatArray, floor: float = floor, fall: float = fall) -> FloatArray:
            return decay(CHANCE, floor, 12)(x) * (1 - fall * x)

        shape = Shape(train=level, val=level, rate=constant(0.5), batch_noise=0.08, eval_noise=noise)
        found = {f.rule for f in diagnose(*build(shape, seed)).findings}
        judged |= found
        assert not {RULE, "decay_needed"} <= found
    assert {RULE, "decay_needed"} <= judged


def test_the_interval_holds_the_expected_gain_and_widens_with_it_and_with_the_scatter() -> None:
    low, high = gain_interval(0.1, 0.0)
    assert (low, high) == pytest.approx((0.04, 0.16))
    assert gain_interval(0.0, 0.0) == (0, 0)
    noisy = gain_interval(0.1, 0.05)
    assert noisy[0] < low < high < noisy[1]
    assert gain_interval(0.9, 0.5)[1] == 1


def test_the_advice_gives_the_gain_with_its_interval() -> None:
    for found in findings_on(RULE, "still_improving"):
        args = found.recommendations[0].args
        assert float(args["gain_low"]) < float(args["expected_gain"]) < float(args["gain_high"])
