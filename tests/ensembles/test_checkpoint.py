"""Which checkpoint to keep, and why that cannot be said."""

import numpy as np
import pytest

from app.curves.curve import Curves, make_curve
from app.diagnosis import diagnose
from app.ensembles.checkpoint import choose, evaluations, goal_of
from app.errors import InvalidInput
from app.rules.verdict import Finding
from labelled import FORMS, SAMPLE, load
from tests.builders import run

STEPS = np.arange(0.0, 6000, 100)


def valley(seed: int = 0, noise: float = 0.01, flat: float = 0.0) -> Curves:
    rng = np.random.default_rng(seed)
    course = 1 + 2e-4 * np.maximum(2000 - STEPS, 0) + 2e-4 * np.maximum(STEPS - 2000 - flat, 0)
    return Curves({"val/loss": make_curve("val/loss", STEPS, course + noise * rng.normal(size=STEPS.size))})


@pytest.mark.parametrize("form", FORMS)
def test_it_never_disagrees_with_overfitting_on_labelled_runs(form: str) -> None:
    found = 0
    for labelled in load(SAMPLE):
        curves, context = FORMS[form](labelled)
        for verdict in diagnose(curves, context).verdicts:
            if isinstance(verdict, Finding) and verdict.rule == "overfitting":
                keep = choose(curves, "val/loss", "min").keep
                assert keep
                args = next(each.args for each in verdict.recommendations if each.action == "stop")
                assert (keep.step, keep.best_step) == (args["earliest_step"], args["best_step"])
                assert keep.best_step == verdict.onset_step
                found += 1
    assert found >= 5


@pytest.mark.parametrize("seed", range(20))
def test_of_a_flat_valley_the_beginning_is_kept(seed: int) -> None:
    choice = choose(valley(seed, flat=2000), "val/loss", "min")
    assert choice.keep
    assert 1500 <= choice.keep.step <= choice.keep.best_step <= 4300
    assert choice.keep.equivalents[0] == choice.keep.step
    assert choice.keep.best_step in choice.keep.equivalents
    behind = choice.evidence[0]
    assert behind.limit is not None
    assert behind.value <= behind.limit
    assert f"step {choice.keep.step:g}" in choice.says


def test_accuracy_is_better_high() -> None:
    curves, _ = run("overfit", 3)
    choice = choose(curves, "val/accuracy", "max")
    accuracy = curves["val/accuracy"].values
    assert choice.keep
    assert choice.keep.level == pytest.approx(accuracy.max(), abs=0.05)
    assert choice.keep.best_level >= choice.keep.level


def test_of_given_checkpoints_one_of_them_is_kept() -> None:
    choice = choose(valley(noise=0.002), "val/loss", "min", [5500.0, 2300.0, 1000.0, 99_000.0])
    assert choice.keep
    assert (choice.keep.step, choice.keep.best_step, choice.keep.equivalents) == (2300, 2300, (2300,))
    assert choice.not_judged == (99_000,)


def test_checkpoints_between_evaluations_are_judged_by_their_neighbours() -> None:
    choice = choose(valley(noise=0.0), "val/loss", "min", [1050.0, 1950.0])
    assert choice.keep
    assert choice.keep.step == 1950
    assert choice.keep.level == pytest.approx(1.01, abs=0.011)


@pytest.mark.parametrize(
    ("curves", "reason"),
    [
        (Curves({}), "was not logged"),
        (Curves({"val/loss": make_curve("val/loss", [], [])}), "was not logged"),
        (Curves({"val/loss": make_curve("val/loss", STEPS, np.full(STEPS.size, np.nan))}), "has 0 finite evaluations"),
        (Curves({"val/loss": make_curve("val/loss", [1], [1.0])}), "has 1 finite evaluation,"),
    ],
)
def test_it_says_what_is_missing(curves: Curves, reason: str) -> None:
    choice = choose(curves, "val/loss", "min")
    assert choice.keep is None
    assert choice.missing
    assert reason in choice.missing


def test_checkpoints_beyond_the_evaluations_cannot_be_judged() -> None:
    choice = choose(valley(), "val/loss", "min", [90_000.0])
    assert choice.keep is None
    assert choice.missing == "no checkpoint lies among the evaluations of val/loss, from step 0 to 5900"
    assert choice.not_judged == (90_000,)


def test_goals_are_known_by_role_or_said() -> None:
    assert goal_of("val/accuracy", None) == "max"
    assert goal_of("val/loss", None) == "min"
    assert goal_of("bleu", "max") == "max"
    with pytest.raises(InvalidInput, match="say goal=min or goal=max"):
        goal_of("bleu", None)


def test_val_loss_beside_train_loss_is_read_as_the_rules_read_it() -> None:
    curves, _ = run("overfit", 1)
    assert evaluations(curves, "val/loss").steps[0] > 0  # nothing was trained before step 0
    assert evaluations(Curves({"val/loss": curves["val/loss"]}), "val/loss").steps[0] == 0
