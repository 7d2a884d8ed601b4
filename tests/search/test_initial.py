"""Step 1: the initial loss against log C, the entropy of the priors, or the targets' variance."""

import math
from typing import Any

import numpy as np
import pytest

from app.search import initial
from app.search.answers import StepReport
from app.search.trial import Trial
from tests.search.runs import falling, flat, placed, run

PRIORS = (0.97, 0.01, 0.01, 0.01)  # their entropy is 0.168, and log 4 is 1.386


def report(*trials: Trial, **facts: Any) -> StepReport:
    where = placed(*trials, **facts)
    search = where.looks[0].search if where.looks else None
    return initial.report(where, initial.expected_loss(search, where.looks) if search else None)


def start(name: str, level: float, **more: Any) -> Trial:
    return run(name, train=flat(level, 10, noise=0.01), **{"step": 1, **more})


def test_log_of_the_classes_is_a_sane_start_and_ten_times_that_is_not() -> None:
    sane, wrong = report(start("a", 1.39)), report(start("a", 13.9))
    assert (sane.status, wrong.status) == ("done", "failed")
    assert "1.39" in sane.says
    assert "log 4 = 1.39" in sane.says
    assert "10 times that" in wrong.says
    assert wrong.evidence[0].value > (wrong.evidence[0].limit or 0)


@pytest.mark.parametrize(
    ("level", "status", "words"),
    [
        (1.39, "done", "a sane start"),
        (0.168, "done", "know the priors"),
        (0.02, "failed", "less than"),
        (4.0, "failed", ""),
    ],
)
def test_with_priors_anything_from_their_entropy_to_log_c_is_sane(level: float, status: str, words: str) -> None:
    said = report(start("a", level), class_priors=PRIORS, num_classes=None)
    assert said.status == status
    assert words in said.says
    assert "entropy 0.168" in said.says


@pytest.mark.parametrize(
    ("level", "status", "words"), [(9.0, "done", "a sane start"), (4.6, "done", "halved"), (90.0, "failed", "10 times")]
)
def test_a_regression_begins_at_the_variance_of_its_targets(level: float, status: str, words: str) -> None:
    said = report(start("a", level), target_variance=9.0, num_classes=None)
    assert said.status == status
    assert words in said.says


def test_facts_of_a_run_stand_in_for_those_of_the_search() -> None:
    assert report(start("a", math.log(10), num_classes=10), num_classes=None).status == "done"
    assert report(start("a", 0.17, class_priors=PRIORS), num_classes=None).status == "done"


def test_what_is_missing_is_said() -> None:
    unknown = report(start("a", 1.39), num_classes=None)
    assert unknown.status == "skipped"
    assert "num_classes, class_priors or target_variance" in str(unknown.missing)
    assert unknown.says.startswith("Runs begin at a train loss of 1.39")
    assert report(run("a", step=1)).status == "open"
    nothing = initial.report(placed(), None)
    assert (nothing.status, nothing.says) == ("open", "What an untrained model should lose is not known.")
    late = run("a", train=flat(points=10, noise=0), step=1, width=1.0)
    curve = late.curves["train/loss"]
    late.curves["train/loss"] = type(curve)("train/loss", curve.steps + 500, curve.values)  # type: ignore[index]
    said = report(late)
    assert (said.status, said.missing) == ("open", "train/loss of the first updates")
    assert "step 501" in said.says


def test_a_first_loss_that_is_not_finite_accuses_the_initialisation() -> None:
    said = report(run("a", train=[np.nan, np.nan], step=1))
    assert said.status == "failed"
    assert "before any update" in said.says


def test_one_right_start_answers_and_the_wrong_one_is_named() -> None:
    said = report(start("a", 20.0), start("b", 1.39))
    assert said.status == "done"
    assert "a began elsewhere, at up to 20" in said.says
    assert said.runs == ("b",)


def test_without_runs_of_step_1_the_later_ones_are_read_and_most_decide() -> None:
    grid = [run(f"r{k}", train=falling(start=1.39, points=60), val=[1.0] * 3) for k in range(3)]
    odd = run("x", train=falling(start=14, points=60), val=[1.0] * 3)
    assert report(*grid, odd).status == "done"
    assert report(*grid, odd).inferred == ("r0", "r1", "r2")
    assert report(odd).status == "failed"


def test_weight_decay_in_the_loss_is_said() -> None:
    assert "Weight decay was on" in report(start("a", 1.39, config={"lr": 0.1, "weight_decay": 1e-4})).says


def test_noise_of_single_batches_widens_what_is_held_sane() -> None:
    noisy = run("a", train=flat(2.6, 30, noise=0.6, seed=3), step=1)
    said = report(noisy)
    assert said.status == "done"


def test_means_over_intervals_are_extrapolated_before_they_are_judged() -> None:
    averaged = run("a", train=falling(start=1.3, points=40), step=1, caveats=("interval-mean: each epoch",))
    assert report(averaged).status == "done"
    assert initial.wrong_start(placed(averaged).looks[0], None) is None
