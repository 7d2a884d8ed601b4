"""Configurations compared within noise over seeds, and what the best of many owes to luck."""

import math
from typing import Any

import numpy as np
import pytest

from app.search.looks import looks_at
from app.search.ranking import Standing, best_level, ranked, reached, standing
from app.search.trial import Trial
from tests.search.runs import look, run, search

LEVELS = {1e-3: 0.6, 1e-2: 0.5, 1e-1: 0.52}


def level(name: str, lr: float, value: float, **more: Any) -> Trial:
    """A run of step 5 whose validation loss comes down to a level."""
    return run(name, lr, val=value * np.r_[3.0, 2.0, 1.5, 1.1, np.ones(8)], **{"step": 5, **more})


def seeds(spread: float, count: int = 3, scale: float = 1.0, levels: dict[float, float] = LEVELS) -> list[Trial]:
    """Three configurations with several seeds, whose levels differ by a spread."""
    rng = np.random.default_rng(5)
    return [
        level(f"{lr:g}-{seed}", lr, scale * value * math.exp(spread * rng.normal()))
        for lr, value in levels.items()
        for seed in range(count)
    ]


def stand(trials: list[Trial], **facts: Any) -> Standing:
    known = search(**facts)
    return standing(known, looks_at(known, trials), 5)


def test_noise_over_seeds_decides_which_configurations_are_told_apart() -> None:
    quiet, loud = stand(seeds(0.005)), stand(seeds(0.15))
    assert [quiet.equivalent(group) for group in quiet.groups] == [True, False, False]
    assert all(loud.equivalent(group) for group in loud.groups)
    assert quiet.free == loud.free == 6
    assert quiet.spread == pytest.approx(0.005, rel=0.6)


def test_the_pooled_spread_is_the_textbooks() -> None:
    one = stand([level("a1", 0.1, 1.0), level("a2", 0.1, 1.2), level("b1", 0.2, 2.0), level("b2", 0.2, 2.2)])
    within = [np.var(np.log([1.0, 1.2]), ddof=1), np.var(np.log([2.0, 2.2]), ddof=1)]
    assert one.spread == pytest.approx(math.sqrt(np.mean(within)))
    assert one.free == 2
    rows = ranked(search(), one)
    assert rows[0].level == pytest.approx(math.sqrt(1.2))
    assert rows[0].interval is not None
    reach = 4.3027 * one.spread / math.sqrt(2)  # t of two degrees of freedom
    assert rows[0].interval == pytest.approx(
        (rows[0].level * math.exp(-reach), rows[0].level * math.exp(reach)), rel=1e-3
    )


def test_intervals_cover_the_truth_and_the_true_best_is_seldom_ruled_out() -> None:
    rng, covered, kept = np.random.default_rng(1), [], []
    for _ in range(80):
        made = {0.01 * (k + 1): 0.5 + 0.01 * k for k in range(5)}
        trials = [
            level(f"{lr:g}-{s}", lr, v * math.exp(0.05 * rng.normal())) for lr, v in made.items() for s in range(3)
        ]
        one = stand(trials)
        rows = {row.config["lr"]: row for row in ranked(search(), one)}
        covered += [row.interval[0] <= made[lr] <= row.interval[1] for lr, row in rows.items() if row.interval]
        kept.append(rows[0.01].equivalent_to_best)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(kept) >= 0.95


def test_without_repetition_noise_is_assumed_and_no_interval_given() -> None:
    one = stand(seeds(0.0, count=1))
    rows = ranked(search(), one)
    assert [row.interval for row in rows] == [None] * 3
    assert [row.equivalent_to_best for row in rows] == [True, True, False]
    assert "noise assumed, 5.1 %: no configuration was run with several seeds" in rows[0].says


def test_the_best_of_equals_is_said_to_be_lucky_and_by_how_much() -> None:
    rng = np.random.default_rng(0)
    won, said = [], []
    for _ in range(120):
        trials = [
            level(f"{lr:g}-{s}", lr, math.exp(0.1 * rng.normal())) for lr in (0.1, 0.2, 0.3, 0.4) for s in range(2)
        ]
        one = stand(trials)
        won.append(-one.groups[0].score)
        said.append(one.luck)
    assert np.mean(said) == pytest.approx(np.mean(won), rel=0.2)
    assert "expected to be lucky by" in ranked(search(), one)[0].says


def test_scaling_a_loss_changes_no_order_and_no_noise() -> None:
    one, scaled = stand(seeds(0.05)), stand(seeds(0.05, scale=1e6))
    assert one.spread == pytest.approx(scaled.spread)
    assert [g.values for g in one.groups] == [g.values for g in scaled.groups]
    assert [one.equivalent(g) for g in one.groups] == [scaled.equivalent(g) for g in scaled.groups]


def test_a_metric_that_is_to_be_high_is_ranked_downwards() -> None:
    trials = [
        Trial(t.run, t.config, t.state, 5, {"val/accuracy": t.curves["val/loss"]}, t.context, None)
        for t in (
            run(f"r{lr}", lr, val=[0.1, 0.5, value, value]) for lr, value in ((0.1, 0.9), (0.2, 0.95), (0.3, 0.6))
        )
    ]
    one = stand(trials, metric="val/accuracy", goal="max")
    rows = ranked(search(metric="val/accuracy", goal="max"), one)
    assert [row.config["lr"] for row in rows] == [0.2, 0.1, 0.3]
    assert one.spread == pytest.approx(0.06 * 0.1)
    assert "worse than the best by 0.35, beyond noise" in rows[2].says
    many = stand(
        [*trials, Trial("z", trials[0].config, "finished", 5, trials[1].curves, trials[0].context, None)],
        metric="val/accuracy",
        goal="max",
    )
    interval = ranked(search(metric="val/accuracy", goal="max"), many)[0].interval
    assert interval is not None
    assert interval[0] < interval[1]


def test_a_metric_of_any_sign_is_compared_as_it_is() -> None:
    one = stand([run(f"r{k}", 0.1 * (k + 1), val=[1.0, -2.0 + k, -2.1 + k, -2.0 + k], step=5) for k in range(3)])
    assert not one.scale.logarithmic
    assert one.groups[0].values["lr"] == 0.1
    assert 0 < one.spread < 1.5


def test_a_configuration_that_diverged_with_a_seed_is_not_held_as_good_as_the_best() -> None:
    gone = level("gone", 1e-3, 0.4, train=[1.0, np.nan])
    one = stand([level("best", 1e-3, 0.4), gone, level("sound", 1e-2, 0.5), level("lost", 1e-1, 0.3, train=[np.nan])])
    rows = ranked(search(), one)
    assert [row.config["lr"] for row in rows] == [1e-2, 1e-3]
    assert not rows[1].equivalent_to_best
    assert "1 more that diverged" in rows[1].says
    assert rows[1].runs == ("best", "gone")
    assert {each.run for each in one.lost} == {"gone", "lost"}
    alone = ranked(search(), stand([level("best", 1e-3, 0.4), gone]))
    assert alone[0].equivalent_to_best


def test_runs_that_go_on_or_lack_a_parameter_are_left_out_and_numbers_are_one_to_six_digits() -> None:
    one = stand(
        [
            level("a", 0.1, 0.5),
            level("b", 0.1 + 1e-9, 0.5),
            level("c", 0.2, 0.1, state="running"),
            level("d", 0.3, 0.1, config={"lr": 0.1}),
        ]
    )
    assert [len(group.scores) for group in one.groups] == [2]
    assert not stand([]).groups
    assert stand([]).spread == 0.0


def test_one_lucky_evaluation_is_no_level() -> None:
    lucky = np.r_[np.ones(20), 0.2, np.ones(20)]
    assert best_level(lucky, "min") == pytest.approx(0.8)
    assert best_level(np.array([1.0, 0.5, 0.6]), "min") == 0.5
    assert best_level(np.array([1.0, 0.5, 0.6, 0.6]), "max") == 0.75
    assert reached(look(run("a", val=[1.0, np.nan])), "val/loss", "min") is None
    assert reached(look(run("a", val=[])), "val/loss", "min") is None
    assert reached(look(run("a")), "val/loss", "min") is None


def test_seeds_that_differ_beyond_all_measure_overflow_nowhere() -> None:
    one = stand([level("a", 0.1, 1e-90), level("b", 0.1, 1e90), level("c", 0.2, 1.0), level("d", 0.2, 1e-99)])
    rows = ranked(search(), one)
    assert all(row.interval and np.isfinite(row.interval).all() for row in rows)
