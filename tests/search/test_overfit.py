"""Step 2: a small sample is overfitted or not, and what is to blame: the rate or the initialisation."""

from typing import Any

import numpy as np
import pytest

from app.search import initial, overfit
from app.search.answers import StepReport
from app.search.causes import Cause, Reading, read
from app.search.trial import Trial
from tests.search.runs import falling, flat, placed, run
from tests.search.training import train

NAN_LATER = np.r_[flat(1.4, 10), np.full(90, np.nan)]


def report(*trials: Trial) -> StepReport:
    where = placed(*trials)
    return overfit.report(where, initial.expected_loss(where.looks[0].search, where.looks) if where.looks else None)


def reading(trial: Trial, *others: Trial) -> Reading:
    where = placed(trial, *others)
    own = next(look for look in where.looks if look.run == trial.run)
    return read(own, where.looks, initial.expected_loss(own.search, where.looks))


def sample(name: str, lr: float | None = 0.01, **more: Any) -> Trial:
    return run(name, lr, step=2, **more)


def test_a_sample_that_is_overfitted_is_said_with_the_step() -> None:
    said = report(sample("a", train=falling(), accuracy=[0.5] * 49 + [1.0]), sample("b", train=flat()))
    assert said.status == "done"
    assert "100 % train accuracy by step 50 at a rate of 0.01" in said.says
    by_loss = report(sample("a", None, train=falling(end=0.0, noise=0.0)))
    assert "a hundredth of its initial loss by step" in by_loss.says


def test_real_trainings_overfit_twenty_examples_and_a_tiny_rate_does_not() -> None:
    runs = [train(f"r{lr:g}", {"lr": lr}, 300, declared=2, settings={"sample_size": 20}) for lr in (1e-6, 1e-2)]
    assert report(*runs).status == "done"
    failed = report(runs[0])
    assert failed.status == "failed"
    assert reading(*runs).cause == "rate too low"


def test_real_trainings_at_too_high_a_rate_and_from_too_small_weights_are_told() -> None:
    high, low = (train(f"r{lr:g}", {"lr": lr}, 200, declared=2, settings={"sample_size": 20}) for lr in (30.0, 1e-2))
    assert reading(high, low).cause == "rate too high"
    assert "while r0.01 trains at 0.01" in reading(high, low).words
    tiny = train("t", {"lr": 3e-2}, 400, declared=2, settings={"sample_size": 20}, init_scale=1e-3, head_scale=1.0)
    assert reading(tiny).cause == "initialisation"
    assert "stood still" in reading(tiny).words


@pytest.mark.parametrize(
    ("trial", "others", "cause", "words"),
    [
        (sample("a", train=[np.nan] * 5), [], "initialisation", "before any update"),
        (sample("a", 1.0, train=NAN_LATER), [sample("b", 0.1, train=falling())], "rate too high", "b trains at 0.1"),
        (
            sample("a", 1.0, train=NAN_LATER),
            [sample("b", 0.01, train=NAN_LATER)],
            "initialisation",
            "not the rate alone",
        ),
        (sample("a", 1.0, train=10 * NAN_LATER), [], "initialisation", "did not begin where a sane model does"),
        (sample("a", 1.0, train=np.r_[falling(), [np.nan]]), [], "rate too high", "after it had learnt"),
        (sample("a", 1.0, train=NAN_LATER), [], "unknown", "a run at 0.1 would tell"),
        (sample("a", None, train=NAN_LATER), [], "unknown", "a run at a tenth of the rate would tell"),
        (sample("a", train=[1.4, 1.3]), [], "too short", "2 finite points"),
        (sample("a", 1e-3, train=flat()), [sample("b", 1e-2, train=falling())], "rate too low", "b learns at 0.01"),
        (sample("a", 1.0, train=flat()), [sample("b", 1e-2, train=falling())], "rate too high", "b learns at 0.01"),
        (sample("a", 1e-3, train=flat()), [sample("b", 1e-1, train=flat())], "initialisation", "nor does b at 0.1"),
        (sample("a", train=flat(14.0)), [], "initialisation", "did not begin where a sane model does"),
        (sample("a", train=1.4 - 1e-4 * np.arange(100)), [], "rate too low", "but surely falls"),
        (
            sample("a", train=np.r_[[1.4] * 3, flat(2.0, 97, noise=0.3)]),
            [],
            "rate too high",
            "jumps about above its start",
        ),
        (sample("a", train=flat()), [], "unknown", "a run at 0.1 would tell"),
        (sample("a", None, train=flat()), [], "unknown", "a run at ten times the rate would tell"),
        (sample("a", train=1.4 - 0.009 * np.arange(100)), [], "too short", "still falling: train it longer"),
        (sample("a", train=np.r_[falling(), flat(0.3, 300)]), [], "rate too low", "hardly falls any more"),
        (sample("a", train=[1.4, 1.2, 1.0, 0.8, 0.6]), [], "too short", "still falling"),
        (sample("a", train=falling(points=6, noise=0, end=0.5)), [], "unknown", "does not go down beyond noise"),
        (
            sample("a", train=np.r_[flat(1.4, 60, noise=0.001), falling(points=40)]),
            [],
            "initialisation",
            "stood still at first and then fell",
        ),
    ],
)
def test_the_cause_is_read_from_what_shows_it(trial: Trial, others: list[Trial], cause: Cause, words: str) -> None:
    found = reading(trial, *others)
    assert found.cause == cause
    assert words in found.words


def test_runs_on_their_way_leave_it_open_and_what_they_reached_is_evidence() -> None:
    said = report(sample("a", train=falling(), state="running"))
    assert (said.status, said.missing) == ("open", "the end of the runs that are on their way")
    assert said.evidence[0].name == "loss_left"
    assert report(sample("a", train=[np.nan] * 3)).evidence == ()


def test_a_run_on_all_the_data_that_learns_answers_as_well() -> None:
    learns = report(run("a", train=falling(), val=[1.0] * 5))
    assert learns.status == "skipped"
    assert "a learns on the whole training data" in learns.says
    fits = report(run("a", train=falling(end=0.0, noise=0), val=[1.0] * 5))
    assert "a fits its whole training data" in fits.says
    assert report(run("a", train=flat(), val=[1.0] * 5)).status == "open"
    assert overfit.report(placed(), None).missing == "a run on a few batches of data, with regularisation off"
