"""Which of the seven steps a run belongs to: declared, else inferred from its shape, and said why."""

import numpy as np
import pytest

from app.search.places import fitted_at, place
from app.search.trial import Trial
from tests.search.runs import PER_EPOCH, falling, flat, look, run

SHORT, LONG = falling(points=100), falling(points=200)


@pytest.mark.parametrize(
    ("trial", "step", "why"),
    [
        (run("r"), None, "nothing was logged yet"),
        (run("r", train=SHORT, rates=np.geomspace(1e-5, 1, 100)), 3, "its rate grows to the end"),
        (run("r", train=SHORT, config={"sample_size": 20}), 2, "its configuration names a sample (sample_size)"),
        (run("r", train=falling(end=0.0, noise=0), accuracy=[0.5, 1.0]), 2, "no validation and fits its training data"),
        (run("r", train=falling(end=0.0, noise=0)), 2, "no validation and fits its training data"),
        (run("r", train=falling(points=8)), 1, "it has 8 steps"),
        (run("r", train=falling(points=14)), 3, "it is 0.7 epochs long"),
        (run("r", train=SHORT, val=[1.0] * 5), 4, "it is 5 epochs long"),
        (run("r", train=LONG, val=[1.0] * 10), 5, "it is 10 epochs long"),
        (run("r", train=SHORT, val=[1.0] * 5, state="running", planned_steps=300.0), 5, "it is 15 epochs long"),
    ],
)
def test_a_run_that_declares_nothing_is_placed_by_its_shape(trial: Trial, step: int | None, why: str) -> None:
    one = place(look(trial))
    assert (one.search_step, one.inferred) == (step, True)
    assert why in one.why


@pytest.mark.parametrize(
    ("trial", "step", "why"),
    [
        (run("r", train=falling(points=8)), 1, "it has 8 steps"),
        (run("r", train=SHORT), 3, "it has 100 steps and no validation"),
        (run("r", train=falling(points=400, end=0.5)), None, "its length in epochs is not known"),
        (run("r", train=SHORT, val=[1.0] * 5), 4, "5 epochs long, taking each evaluation for one"),
        (run("r", train=LONG, val=[1.0] * 10, state="running", planned_steps=400.0), 5, "20 epochs long, taking"),
    ],
)
def test_without_steps_per_epoch_evaluations_stand_for_epochs(trial: Trial, step: int | None, why: str) -> None:
    one = place(look(trial, steps_per_epoch=None))
    assert one.search_step == step
    assert why in one.why


@pytest.mark.parametrize("epochs", [3, 12])
def test_a_run_is_placed_alike_whether_it_counts_updates_or_epochs(epochs: int) -> None:
    updates = run("r", train=flat(points=PER_EPOCH * epochs), val=[1.0] * epochs)
    counted = run("r", train=flat(points=epochs), val=[1.0] * epochs)
    val = counted.curves["val/loss"]
    in_epochs = Trial(
        "r",
        {},
        "finished",
        None,
        {**counted.curves, "val/loss": type(val)("val/loss", val.steps / PER_EPOCH, val.values)},
        counted.context,
        None,
    )
    assert place(look(updates)).search_step == place(look(in_epochs, steps_per_epoch=1)).search_step


@pytest.mark.parametrize(("declared", "step"), [(1, 1), (5, 5), (7, 7)])
def test_what_the_job_declares_is_believed(declared: int, step: int) -> None:
    one = place(look(run("r", train=SHORT, step=declared)))
    assert (one.search_step, one.inferred, one.why) == (step, False, "declared by the job")


def test_a_sample_is_fitted_at_the_first_perfect_accuracy_or_at_next_to_no_loss() -> None:
    assert fitted_at(look(run("r", train=SHORT, accuracy=[0.5, 1.0, 0.9]))) == 2
    assert fitted_at(look(run("r", train=SHORT, accuracy=[0.5, 0.999]))) is None
    assert fitted_at(look(run("r", train=[2.0, 1.0, 0.01, 0.001]))) == 3
    assert fitted_at(look(run("r", train=[np.nan, 0.1]))) is None
    assert fitted_at(look(run("r", train=[-1.0, -2.0]))) is None
