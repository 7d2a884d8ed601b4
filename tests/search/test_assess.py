"""The procedure as a whole, walked with real trainings; and what must not change its answers, or break them."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.curves.curve import Curve
from app.errors import InvalidInput
from app.search.assess import Assessment, assess
from app.search.proposals import Desk, find_rate
from app.search.search import Search
from app.search.trial import Trial
from tests.search.runs import PER_EPOCH, SPACE, falling, flat, placed, run, search
from tests.search.test_ranking import level, seeds
from tests.search.training import make, train

WIDE = {"lr": {"kind": "log_uniform", "low": 1e-5, "high": 10.0}, "weight_decay": SPACE["weight_decay"]}


def walk(known: Search, count: int = 8, rounds: int = 40, **how: Any) -> tuple[list[Trial], list[Assessment]]:
    """Do what the search says until it says to stop."""
    trials: list[Trial] = []
    seen = [assess(known, trials, count)]
    while seen[-1].next.proposals and len(seen) < rounds:
        trials += [make(known, proposal, **how) for proposal in seen[-1].next.proposals]
        seen.append(assess(known, trials, count))
    return trials, seen


@pytest.fixture(scope="module")
def walked() -> tuple[Search, list[Trial], list[Assessment]]:
    known = search(WIDE, most_runs=45)
    return (known, *walk(known, head_scale=30.0))


Walked = tuple[Search, list[Trial], list[Assessment]]


def test_the_steps_come_in_order_from_a_wrong_start_to_a_stop(walked: Walked) -> None:
    _, _, seen = walked
    order = [one.next.search_step for one in seen]
    firsts = sorted({step: order.index(step) for step in order}.items(), key=lambda pair: pair[1])
    assert [step for step, _ in firsts] == [1, 2, 3, 4, 5, 7]
    assert seen[-1].next.stop
    assert not any(one.next.stop for one in seen[:-1])
    assert [report.status for report in seen[-1].steps] == ["done"] * 7
    assert "Take that of" in seen[-1].next.why
    assert seen[1].steps[0].status == "failed"


def test_no_configuration_is_proposed_twice_but_for_its_seeds(walked: Walked) -> None:
    _, trials, seen = walked
    assert len({trial.run for trial in trials}) == len(trials)
    for step in (3, 4):
        configs = [str(p.config) for one in seen for p in one.next.proposals if p.search_step == step]
        assert len(set(configs)) == len(configs)
    repeats = [(str(p.config), p.settings["seed"]) for one in seen for p in one.next.proposals if p.search_step == 5]
    assert len(set(repeats)) == len(repeats)


def test_the_walk_ends_well_and_what_it_calls_equal_is_equal_on_new_seeds(walked: Walked) -> None:
    _, _, seen = walked
    best = seen[-1].ranking[0]
    fresh = [train("f", best.config, 300, settings={"seed": seed}) for seed in range(10, 14)]
    levels = [float(one.curves["val/loss"].values.min()) for one in fresh]
    assert best.interval is not None
    assert best.interval[0] * 0.9 < np.mean(levels) < best.interval[1] * 1.1
    assert best.equivalent_to_best
    assert best.seeds >= 3


def test_every_proposal_can_be_run_as_it_is(walked: Walked) -> None:
    known, _, seen = walked
    for one in seen:
        for proposal in one.next.proposals:
            assert set(known.space.read(proposal.config)) == set(known.space.parameters)
            assert proposal.planned_epochs is not None
            assert proposal.planned_steps == pytest.approx(proposal.planned_epochs * PER_EPOCH)
            assert proposal.why
            assert isinstance(proposal.settings["seed"], int)


def test_the_order_of_trials_does_not_matter(walked: Walked) -> None:
    known, trials, _ = walked
    for many in (3, 12, 20, len(trials)):
        some = trials[:many]
        shuffled = random.Random(many).sample(some, many)
        assert assess(known, shuffled) == assess(known, some)


def test_scaling_the_metric_changes_no_order_and_no_next_step(walked: Walked) -> None:
    known, trials, seen = walked

    def scaled(trial: Trial) -> Trial:
        val = trial.curves.get("val/loss")
        return (
            trial
            if val is None
            else replace(trial, curves={**trial.curves, "val/loss": Curve(val.name, val.steps, 1e3 * val.values)})
        )

    other = assess(known, [scaled(trial) for trial in trials])
    assert [row.config for row in other.ranking] == [row.config for row in seen[-1].ranking]
    assert [row.equivalent_to_best for row in other.ranking] == [row.equivalent_to_best for row in seen[-1].ranking]
    assert other.next.stop


def test_jobs_that_count_epochs_get_the_same_grid_and_the_same_order(walked: Walked) -> None:
    known, trials, seen = walked

    def in_epochs(trial: Trial) -> Trial:
        context = replace(trial.context, planned_steps=None)
        curves = {name: Curve(name, c.steps / PER_EPOCH, c.values) for name, c in trial.curves.items()}
        return replace(trial, curves=curves, context=context)

    counted = replace(known, steps_per_epoch=1.0)
    grid = [trial for trial in trials if trial.declared in (4, 5)]
    one, other = assess(known, grid), assess(counted, [in_epochs(trial) for trial in grid])
    assert [row.config for row in one.ranking] == [row.config for row in other.ranking]
    assert (one.next.search_step, one.next.stop) == (other.next.search_step, other.next.stop)
    assert len(one.ranking) == len(seen[-1].ranking)


def test_runs_that_declare_nothing_are_placed_by_their_shape_and_the_walk_ends_too() -> None:
    trials, seen = walk(search(WIDE, most_runs=40), declare=False)
    assert seen[-1].next.stop
    by_name = {place.run: place for place in seen[-1].places}
    assert all(place.inferred and place.why for place in by_name.values())
    wrong = {one.run[:3] for one in trials if by_name[one.run].search_step != int(one.run.split("-")[1])}
    # Of so few examples 100 updates are five epochs, and the last run differs by its schedule alone.
    assert wrong <= {"s-3", "s-7"}


def test_scarce_runs_are_honoured_and_a_ramp_stands_in_for_the_sweep() -> None:
    known = search(WIDE, most_runs=14)
    trials, seen = walk(known)
    assert len(trials) <= 14
    assert seen[-1].next.stop
    assert sum(trial.declared == 3 for trial in trials) < 5
    assert "ramp_from" in next(p.settings for one in seen for p in one.next.proposals if p.search_step == 3)
    spent = assess(known, [replace(trial, run=f"x{k}") for k, trial in enumerate(trials + trials[:14])][:14])
    assert spent.next.stop
    assert not spent.next.proposals
    running = assess(
        known, [replace(trial, run=f"x{k}", state="running") for k, trial in enumerate((trials * 14)[:14])]
    )
    assert not running.next.stop
    assert "still train" in running.next.why


def test_however_few_are_asked_for_at_a_time_the_steps_are_the_same() -> None:
    count = 2
    trials, seen = walk(search(WIDE, most_runs=30), count, rounds=30)
    assert {one.next.search_step for one in seen[:-1]} >= {1, 2, 3, 4}
    assert all(len(one.next.proposals) <= count for one in seen)
    assert len({trial.run for trial in trials}) == len(trials)


def test_running_trials_count_as_taken() -> None:
    known = search()
    first = assess(known, []).next.proposals[0]
    waits = assess(known, [run(first.run, train=[1.4], step=1, state="running")])
    assert waits.next.search_step in (1, 2)
    nothing = assess(known, [run(first.run, step=1, state="running")])
    assert nothing.next.proposals == ()
    assert "1 of its runs still train" in nothing.next.why
    sweep = [run(f"r{k}", 10.0**-k, train=falling(end=0.1 + abs(k - 2)), step=3) for k in range(5)]
    done = [run("a", train=flat(1.39, 9), step=1), run("b", train=falling(), accuracy=[1.0], step=2), *sweep]
    grid = assess(known, done).next
    assert grid.search_step == 4
    running = [run(p.run, config=p.config, step=4, state="running") for p in grid.proposals[:5]]
    more = assess(known, [*done, *running]).next
    assert not {str(p.config) for p in more.proposals} & {str(p.config) for p in grid.proposals[:5]}
    assert len(more.proposals) == 4
    leaders = [level(f"l{k}", 0.01 * (k + 1), 0.5) for k in range(5)]
    seeds_wanted = assess(known, leaders).next
    assert seeds_wanted.search_step == 7
    away = [level(p.run, float(p.config["lr"]), 0.5, state="running") for p in seeds_wanted.proposals]
    assert "on their way" in assess(known, [*leaders, *away]).next.why


def test_a_search_that_begins_with_a_grid_goes_on_there() -> None:
    grid = [level(f"r{k}", 0.01 * (k + 1), 0.5 + k, step=4) for k in range(9)]
    said = assess(search(), grid)
    assert said.next.search_step == 5
    assert [report.status for report in said.steps[:4]] == ["skipped", "skipped", "skipped", "done"]
    assert "Later steps have runs" in said.steps[1].says


def test_another_round_is_made_where_it_pays_and_near_the_leaders() -> None:
    apart = seeds(0.01, levels={0.001 * 2**k: 2.0 - 0.3 * k for k in range(6)})
    said = assess(search(), apart)
    assert said.next.search_step == 5
    assert all(0.01 <= float(p.config["lr"]) <= 0.1 for p in said.next.proposals)


def test_a_small_space_is_gone_through_and_then_it_is_over() -> None:
    space = {"act": {"kind": "choice", "options": ["relu", "tanh"]}}
    trials, seen = walk_choices(search(space))
    assert seen[-1].next.stop
    assert {str(trial.config) for trial in trials} == {"{'act': 'relu'}", "{'act': 'tanh'}"}
    assert "Every configuration of the space has been refined" in seen[-1].next.why


def walk_choices(known: Search) -> tuple[list[Trial], list[Assessment]]:
    trials, seen = [], [assess(known, [])]
    while seen[-1].next.proposals and len(seen) < 20:
        for p in seen[-1].next.proposals:
            how: dict[str, Any] = {"train": falling(), "accuracy": [1.0], "config": p.config, "step": p.search_step}
            if p.search_step >= 4:
                how["val"] = np.linspace(1.0, 0.5, int(p.planned_epochs or 3))
            if p.search_step == 1:
                how["train"] = flat(1.39, 9)
            trials.append(run(p.run, **how))
        seen.append(assess(known, trials))
    return trials, seen


def odd_configs() -> list[dict[str, Any]]:
    rate = [None, True, "0.1", {"a": 1}, [1], -1, 0, float("nan"), 10**400, 0.1]
    return [{}, *({"lr": lr, "weight_decay": 0} for lr in rate), {"lr": 0.1, "weight_decay": 7}]


HOSTILE: dict[str, Sequence[Trial]] = {
    "nothing": [],
    "no points": [run("r")],
    "one": [run("r", val=[1.0, 0.9, 0.8])],
    "all NaN": [run(f"r{k}", 0.1 * (k + 1), train=[np.nan] * 50, val=[np.nan] * 5) for k in range(12)],
    "constant": [run(f"r{k}", 0.01 * (k + 1), train=[1.0] * 200, val=[1.0] * 10) for k in range(8)],
    "zero": [run(f"r{k}", 0.01 * (k // 2 + 1), train=[0.0] * 200, val=[0.0] * 10) for k in range(12)],
    "below zero": [
        run(f"r{k}", 0.01 * (k // 2 + 1), train=-falling(points=200), val=-falling(points=10)) for k in range(12)
    ],
    "huge": [run(f"r{k}", 0.01 * (k + 1), train=1e300 * falling(), val=1e300 * falling(points=10)) for k in range(8)],
    "tiny": [run(f"r{k}", 0.01 * (k + 1), train=1e-200 * falling(), val=1e-90 * falling(points=10)) for k in range(8)],
    "the same again": [run(f"r{k}", 0.01, train=flat(seed=k), val=flat(1.0, 10, seed=k)) for k in range(8)],
    "infinite": [run(f"r{k}", 0.01 * (k + 1), train=[np.inf, 1.0, -np.inf] * 30, val=[np.inf, 1.0]) for k in range(8)],
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("step", [None, 1, 2, 3, 4, 5, 7])
def test_nothing_that_runs_may_post_breaks_an_answer(name: str, step: int | None) -> None:
    said = assess(search(most_runs=100), [replace(trial, declared=step) for trial in HOSTILE[name]])
    assert len(said.steps) == 7
    numbers = [one.value for report in said.steps for one in report.evidence] + [row.level for row in said.ranking]
    assert np.isfinite(numbers).all()
    assert all("nan" not in report.says.lower().replace("finance", "") for report in said.steps)
    assert said.next.proposals or said.next.stop or said.next.why


@pytest.mark.parametrize("step", [None, 1, 2, 3, 4, 5])
def test_odd_configurations_are_left_out_of_what_needs_them(step: int | None) -> None:
    trials = [
        run(f"r{k}", config=config, train=falling(seed=k), val=falling(points=5), step=step)
        for k, config in enumerate(odd_configs())
    ]
    said = assess(search(), trials)
    assert len(said.places) == len(trials)
    for row in said.ranking:
        assert isinstance(row.config["lr"], int | float)


def test_two_trials_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same name"):
        assess(search(), [run("a"), run("a")])


@pytest.mark.parametrize(
    "space",
    [
        {"n": {"kind": "integer", "low": 1, "high": 4}},
        {"lr": {"kind": "choice", "options": [0.1, 0.01, 0.001]}, "wd": {"kind": "uniform", "low": 0, "high": 0.1}},
        {"lr": {"kind": "uniform", "low": 0.01, "high": 0.1}, "a.b": {"kind": "choice", "options": ["x", None]}},
        {
            "lr": {"kind": "log_uniform", "low": 0.1, "high": 0.11},
            "wd": {"kind": "log_uniform", "low": 1e-6, "high": 1},
        },
        {"wd": {"kind": "uniform", "low": 0.5, "high": 0.6}},
        {"lr": {"kind": "choice", "options": [0.1]}},
    ],
)
def test_a_space_of_any_kind_is_walked_to_its_end(space: dict[str, Any]) -> None:
    known = search(space, most_runs=40)
    _, seen = walk_choices(known)
    assert seen[-1].next.stop or seen[-1].next.why
    assert max(one.next.search_step for one in seen) >= 3


def test_a_start_that_stays_wrong_or_unread_is_not_asked_for_for_ever() -> None:
    wrong = [run(f"w{k}", train=flat(20.0, 9), step=1) for k in range(4)]
    said = assess(search(), wrong).next
    assert (said.search_step, said.proposals) == (1, ())
    assert "look at the output layer" in said.why
    unread = run("u", train=flat(points=9), step=1)
    late = replace(unread, curves={"train/loss": Curve("train/loss", np.arange(500, 509.0), flat(points=9))})
    assert assess(search(), [late]).next.search_step == 2


def test_a_sample_that_is_never_overfitted_asks_for_what_its_causes_say() -> None:
    begun = run("a", train=flat(1.39, 9), step=1)

    def asked(*samples: Trial, **facts: Any) -> list[Any]:
        known = search(**facts)
        given = [begun, *(replace(one, declared=2) for one in samples)]
        found = assess(known, given).next
        assert found.search_step == 2
        return [(p.config.get("lr"), p.settings.get("initialisation"), p.planned_steps) for p in found.proposals]

    gone = np.r_[flat(1.4, 10), np.full(20, np.nan)]
    assert asked(run("x", 0.1, train=gone)) == [(0.01, None, 500)]
    assert asked(run("x", 1e-3, train=flat())) == [(0.01, None, 500)]
    assert asked(run("x", 1e-3, train=flat()), run("y", 1e-2, train=flat(), state="running")) == []
    assert asked(run("x", 0.1, train=flat(20.0))) == [(0.1, "kaiming", 500)]
    assert asked(run("x", 0.1, train=1.4 - 0.009 * np.arange(100))) == [(1.0, None, 500), (0.1, None, 1000)]
    assert asked(
        run("x", None, train=1.4 - 0.009 * np.arange(100), config={"n": 1}),
        space={"n": {"kind": "integer", "low": 1, "high": 3}},
    ) == [(None, None, 1000)]
    assert (
        asked(run("x", None, train=flat(), config={"n": 1}), space={"n": {"kind": "integer", "low": 1, "high": 3}})
        == []
    )
    assert asked(*(run(f"x{k}", 0.1, train=flat(20.0)) for k in range(12))) == []
    no_rate = run("x", None, train=1.4 - 0.009 * np.arange(100), config={"weight_decay": 0})
    assert asked(no_rate)[-1][2] == 1000
    assert asked(run("x", 1.0, train=flat(20.0)), run("y", 0.1, train=gone), run("z", 0.3, train=gone)) != []


def test_a_sample_that_wants_more_time_gets_it_once() -> None:
    linear = 1.4 - 0.009 * np.arange(100)
    begun = run("a", train=flat(1.39, 9), step=1)
    short, long = run("x", 1.0, train=linear, step=2), run("y", 1.0, train=linear, step=2, width=20.0, state="running")
    assert [p.planned_steps for p in assess(search(), [begun, short]).next.proposals] == [1000]
    assert assess(search(), [begun, short, long]).next.proposals == ()


def test_a_space_without_a_rate_has_no_rates_to_find() -> None:
    known = search({"n": {"kind": "integer", "low": 1, "high": 3}})
    desk = Desk(known, placed(), None, 8)
    find_rate(desk, None)
    assert desk.made == []


def test_at_the_end_one_plain_winner_is_named_and_the_edge_that_it_lies_at() -> None:
    plain = seeds(0.001, levels={0.9: 0.3, 0.5: 0.5, 0.1: 0.8})
    why = assess(search(most_runs=9), plain).next.why
    assert "Take that of 0.9-0 (val/loss 0.2998), and train it with a decaying rate." in why
    assert "Its lr lies at an end of the space" in why


def test_what_mended_a_sample_is_kept_by_later_runs() -> None:
    begun = run("a", train=flat(1.39, 9), step=1)
    stood = run("x", 0.1, train=np.r_[flat(1.4, 60, noise=0.001), falling(points=40)], step=2)
    fits = run("y", 0.1, train=falling(), accuracy=[1.0], step=2)
    said = assess(search(), [begun, stood, fits]).next
    assert said.search_step == 3
    assert {p.settings["initialisation"] for p in said.proposals} == {"kaiming"}
    wrong = run("w", train=flat(20.0, 9), step=1)
    both = assess(search(), [begun, wrong, replace(stood, config={"lr": 0.1, "weight_decay": 0})]).next
    assert both.search_step == 2
    assert {p.settings["initialisation"] for p in both.proposals} == {"small_output_layer+kaiming"}


def test_rates_that_never_work_do_not_hold_up_a_grid_that_has_results() -> None:
    sweep = [run(f"r{lr}", lr, train=flat(), step=3) for lr in (1e-5, 1e-2, 1.0)]
    grid = [level(f"g{k}", 0.01 * (k + 1), 0.5, step=4) for k in range(3)]
    said = assess(search(), [*sweep, *grid])
    assert said.steps[2].status == "failed"
    assert said.next.search_step == 4
    assert (
        assess(
            search(), [run("a", train=flat(1.39, 9), step=1), run("b", train=falling(), accuracy=[1.0], step=2), *sweep]
        ).next.search_step
        == 3
    )


def test_without_steps_per_epoch_lengths_are_in_epochs_alone() -> None:
    known = search(steps_per_epoch=None)
    grid = [level(f"g{k}", 0.01 * (k + 1), 0.5, step=4) for k in range(3)]
    proposal = assess(known, grid).next.proposals[0]
    assert (proposal.planned_epochs, proposal.planned_steps) == (3.0, None)
    start = assess(known, []).next.proposals[0]
    assert (start.planned_epochs, start.planned_steps) == (None, 10)
    counted = assess(search(steps_per_epoch=1.0), []).next.proposals[0]
    assert (counted.planned_epochs, counted.planned_steps) == (1.0, 1.0)


def test_all_runs_spent_without_any_result_is_said() -> None:
    said = assess(search(most_runs=2), [run("a", train=[np.nan]), run("b", train=[np.nan])]).next
    assert (said.stop, said.proposals) == (True, ())
    assert said.why == "All 2 runs that there may be are made."
