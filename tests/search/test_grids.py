"""Steps 4, 5 and 6: how far the grids are, and what their curves have in common."""

from typing import Any

import numpy as np
import pytest

from app.curves.curve import Curves
from app.diagnosis import Diagnosis, diagnose
from app.rules.context import Context
from app.search import grids, overview
from app.search.answers import StepReport
from app.search.ranking import standing
from app.search.trial import Trial
from tests.search.runs import SPACE, falling, placed, run, search
from tests.search.test_ranking import level


def report(trials: list[Trial], step: int, **facts: Any) -> StepReport:
    where = placed(*trials, **facts)
    known = search(**facts)
    return grids.report(known, where, step, standing(known, where.at(step), step))


def looked_at(trials: list[Trial], step: int = 5, **facts: Any) -> StepReport:
    where = placed(*trials, **facts)
    one = standing(search(**facts), where.at(step), step)
    return overview.report(search(**facts), where, [one] if one.groups else [])


@pytest.mark.parametrize(
    ("space", "facts", "coarse", "refined"),
    [
        (SPACE, {}, 9, 5),
        (SPACE, {"most_runs": 10}, 4, 3),
        ({"a": {"kind": "choice", "options": [1, 2]}, "n": {"kind": "integer", "low": 1, "high": 2}}, {}, 4, 4),
        (SPACE | {f"p{k}": {"kind": "uniform", "low": 0, "high": 1} for k in range(9)}, {}, 16, 5),
    ],
)
def test_a_grid_is_as_large_as_the_space_and_the_budget_ask(
    space: dict[str, Any], facts: dict[str, Any], coarse: int, refined: int
) -> None:
    known = search(space, **facts)
    assert (grids.wanted(known, 4), grids.wanted(known, 5)) == (coarse, refined)


def test_a_grid_says_how_far_it_is_and_what_is_best_so_far() -> None:
    some = [level(f"r{k}", 0.01 * (k + 1), 0.5 + 0.2 * k, step=4) for k in range(3)]
    said = report([*some, level("r9", 0.9, 1, step=4, state="running")], 4)
    assert (said.status, said.missing) == ("open", "6 configurations more, 1 of them on their way")
    assert (
        "3 configurations ended so far; 9 make this step. The best, lr 0.01, weight_decay 0, reaches val/loss 0.5"
        in said.says
    )
    assert said.evidence[0].limit == 9
    done = report([level(f"r{k}", 0.01 * (k + 1), 0.5, step=4) for k in range(9)], 4)
    assert (done.status, done.missing) == ("done", None)
    assert "noise does not tell it from 8 others" in done.says
    assert report([], 4).says == "No run yet."


def test_a_grid_of_which_nothing_stays_finite_failed() -> None:
    said = report([level(f"r{k}", 0.01 * (k + 1), 0.5, step=4, train=[np.nan]) for k in range(9)], 4)
    assert said.status == "failed"
    assert "Of none is there a finite val/loss" in said.says


def test_what_makes_a_comparison_unfair_is_said() -> None:
    short = run("short", 0.3, val=[2.0, 1.0, 0.9], step=5)
    faded = level("faded", 0.2, 0.5, rates=np.geomspace(0.2, 0.01, 50))
    odd = level("odd", 0.1, 0.5, config={"lr": 0.1})
    gone = level("gone", 0.4, 0.5, train=[np.nan])
    said = report([short, faded, odd, gone], 5)
    assert "The rate of faded decayed" in said.says
    assert "odd lack a parameter" in said.says
    assert "gone diverged" in said.says
    assert "Their lengths differ (60 to 240 steps)" in said.says


def test_later_steps_make_a_grid_needless() -> None:
    assert report([level("r", 0.1, 0.5)], 4).status == "skipped"
    assert report([level("r", 0.1, 0.5), level("s", 0.1, 0.5, step=4)], 4).status == "done"


def test_values_that_are_no_numbers_are_named_as_they_are() -> None:
    space = {"act": {"kind": "choice", "options": ["relu", "tanh", None]}}
    said = report([level("r", 0, 0.5, config={"act": "relu"})], 5, space=space)
    assert "The best, act relu, reaches" in said.says


def overfitting(seed: int = 0) -> Diagnosis:
    steps = np.arange(1, 61.0)
    rise = np.r_[np.geomspace(1, 0.3, 20), np.linspace(0.3, 0.9, 40)]
    one = run("d", train=falling(end=0.01, points=60, noise=0.002, seed=seed), val=rise, width=20.0)
    curves = Curves({name: type(c)(name, steps * 20, c.values) for name, c in one.curves.items()})
    return diagnose(curves, Context(num_classes=4, state="finished"))


def test_the_curves_are_summed_up_over_the_search() -> None:
    found = overfitting()
    assert any(finding.rule == "overfitting" for finding in found.findings)
    clean = Diagnosis(through_step=1.0, state="finished", catalogue="x", verdicts=())
    trials = [level(f"r{k}", 0.01 * (k + 1), 0.5, diagnosis=found if k < 3 else clean) for k in range(4)]
    said = looked_at(trials)
    assert said.status == "done"
    assert "3 of 4 runs: overfitting, so it is the search's own: regularise" in said.says
    assert any(one.name == "overfitting" and one.value == 0.75 for one in said.evidence)
    few = looked_at(
        [*trials[3:], level("q", 0.5, 0.5, diagnosis=clean), trials[0], level("p", 0.6, 0.5, diagnosis=clean)]
    )
    assert "1 of 4 runs: overfitting." in few.says
    assert looked_at(trials[3:]).says == "None of 1 run shows a pathology."
    assert looked_at([level("r", 0.1, 0.5)]).missing == "their diagnoses"
    assert looked_at([]).missing == "runs of steps 4 and 5"
    lost = looked_at([level("r", 0.1, 0.5, diagnosis=clean, train=[np.nan])])
    assert lost.status == "done"


@pytest.mark.parametrize(
    ("space", "values", "words"),
    [
        (
            {"lr": {"kind": "log_uniform", "low": 1e-3, "high": 1}},
            [0.9, 0.01],
            "The best lr (0.9) lies at the upper end",
        ),
        ({"lr": {"kind": "log_uniform", "low": 1e-3, "high": 1}}, [1e-3, 0.1], "lr (0.001) lies at the lower end"),
        ({"lr": {"kind": "log_uniform", "low": 1e-3, "high": 1}}, [-1, 0.1], "lr (-1) lies at the lower end"),
        ({"lr": {"kind": "log_uniform", "low": 1e-3, "high": 1}}, [0.03, 0.1], ""),
        ({"lr": {"kind": "log_uniform", "low": 1e-3, "high": 1}}, [1.0], ""),
        ({"wd": {"kind": "choice", "options": [0, 1, 2]}}, [2, 1], "wd (2) lies at the upper end"),
        ({"wd": {"kind": "choice", "options": [0, 1, 2]}}, [0, 1], ""),
        ({"wd": {"kind": "choice", "options": [0, 1, 2]}}, [7, 1], ""),
        ({"wd": {"kind": "choice", "options": [0, 1]}}, [1, 0], ""),
        ({"act": {"kind": "choice", "options": ["a", "b", "c"]}}, ["a", "b"], ""),
    ],
)
def test_a_best_value_at_the_edge_of_the_space_asks_for_a_wider_one(
    space: dict[str, Any], values: list[Any], words: str
) -> None:
    clean = Diagnosis(through_step=1.0, state="finished", catalogue="x", verdicts=())
    (name,) = space
    trials = [level(f"r{k}", 0, 0.3 + k, config={name: value}, diagnosis=clean) for k, value in enumerate(values)]
    said = looked_at(trials, space=space)
    assert words in said.says
    assert ("widen" in said.says) == bool(words)
