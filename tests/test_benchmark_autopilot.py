"""The comparison of the autopilot with the usual policies: its parts, and a small form of the whole."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from piloting.campaign import KINDS, Kept, configurations
from piloting.page import page
from piloting.policies import AUTOPILOT, OPPONENT, Fixed, Patient, policies
from piloting.summary import kept, summary
from prescribing.tasks import TASKS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_the_rate_is_cut_after_patience_and_again_and_the_run_ends_later() -> None:
    policy = Patient(1.0, cut_after=2, stop_after=5)
    rates = []
    for step, val in enumerate([3.0, 2.0, math.nan, 2.0, 1.9, 1.9, 1.89999, 1.9, 1.9, 1.9]):
        policy.evaluated(step, val)
        rates.append(policy.rate(step))
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert policy.over
    best = Patient(1.0, cut_after=None, stop_after=2)
    for step in range(20):
        best.evaluated(step, 1 / (step + 1))
    assert not best.over


def test_half_a_cosine_begins_at_the_rate_and_ends_at_nothing() -> None:
    cosine = Fixed(0.2, 100, cosine=True)
    assert [cosine.rate(step) for step in (0, 50, 100)] == pytest.approx([0.2, 0.1, 0.0])
    assert set(policies(0.2, 100)) > {OPPONENT, "no schedule"}


def test_every_task_has_one_configuration_of_each_kind_whose_rate_is_left_to_the_policies() -> None:
    drawn = configurations()
    assert [(c.spoiled, c.task) for c in drawn] == [(kind, task) for kind in KINDS for task in TASKS]
    assert {c.schedule for c in drawn} == {"constant"}
    assert configurations(50) == [replace(c, updates=50) for c in drawn]
    fresh = configurations(drawn=2)
    assert [(c.spoiled, c.task) for c in fresh] == [(c.spoiled, c.task) for c in drawn]
    assert not {c.data_seed for c in fresh} & {c.data_seed for c in drawn}


def flight(policy: str, seed: int, test: list[float], named: float | None = None) -> dict[str, object]:
    steps = [0, 10, 20]
    made = {"policy": policy, "seed": seed, "updates": 20, "steps": steps, "val": [2.0, 1.0, math.nan], "test": test}
    return {**made, "named": named, "acts": []}


def test_val_chooses_the_checkpoint_unless_one_was_named_and_test_decides() -> None:
    assert kept(flight(AUTOPILOT, 0, [3.0, 2.0, 1.0])) == (10, 1.0, 2.0)
    assert kept(flight(AUTOPILOT, 0, [3.0, 2.0, 1.0], named=0.0)) == (0, 2.0, 3.0)
    rng = np.random.default_rng(0)
    c = configurations(20)[0]
    flights = []
    for seed in range(6):
        level = float(rng.uniform(0.5, 1.0))
        for policy, share in ((AUTOPILOT, 0.8), ("worse", 1.0), ("better", 0.5), ("alike", 0.8)):
            flights.append(flight(policy, seed, [3.0, level * share * float(rng.uniform(0.99, 1.01)), 0.0]))
    record = {"key": c.name, "configuration": c.as_json(), "classes": 10, "flights": flights}
    against = summary([record])["against"]
    counted = {name: max(tally["all"], key=tally["all"].get) for name, tally in against.items()}
    assert counted == {"worse": "better", "better": "worse", "alike": "alike"}, "of the autopilot"
    assert against["worse"]["mean"] == pytest.approx(-0.2, abs=0.01)


@pytest.mark.parametrize(("updates", "verdict"), [(20, "alike"), (18, "better"), (19, "alike"), (23, "worse")])
def test_where_the_losses_are_alike_the_updates_decide_beside_them(updates: int, verdict: str) -> None:
    rng = np.random.default_rng(0)
    c = configurations(20)[0]
    flights = []
    for seed in range(6):
        for policy, used in ((AUTOPILOT, updates), ("other", 20), ("worse", 10)):
            loss = float(rng.uniform(0.99, 1.01)) * (1.3 if policy == "worse" else 1.0)
            flights.append({**flight(policy, seed, [3.0, loss, 0.0]), "updates": used})
    figures = summary([{"key": c.name, "configuration": c.as_json(), "classes": 10, "flights": flights}])
    said = figures["configurations"][0]["against"]
    assert (said["other"]["verdict"], said["other"]["both"]) == ("alike", verdict)
    assert (said["worse"]["verdict"], said["worse"]["both"]) == ("better", "better"), "the loss comes first"
    assert figures["against"]["other"]["all_both"][verdict] == 1


def test_a_small_comparison_flies_keeps_and_writes(tmp_path: Path) -> None:
    command = [sys.executable, BENCHMARKS / "autopilot.py", "--small", "--folder", tmp_path, "--json"]
    figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    (record,) = Kept(tmp_path).records.values()
    assert json.loads(json.dumps(summary([record]))) == figures
    by_policy = {(one["policy"], one["seed"]): one for one in record["flights"]}
    assert len(by_policy) == 12
    for seed in (0, 1):
        alone, flown = by_policy["no schedule", seed], by_policy[AUTOPILOT, seed]
        assert alone["updates"] == record["configuration"]["updates"]
        seen = len(flown["steps"]) if not flown["acts"] else flown["steps"].index(flown["acts"][0]["step"]) + 1
        assert flown["val"][:seen] == alone["val"][:seen], "the same training until something is done"
        assert by_policy["cosine", seed]["val"] != alone["val"]
    assert by_policy["no schedule", 0]["val"] != by_policy["no schedule", 1]["val"]
    text = page(figures, figures, {"first": figures, "second": figures})
    assert "Never worse beyond noise" in text
    assert sum(line.startswith(("| first | 1 |", "| second | 1 |", "| today")) for line in text.splitlines()) == 3
    assert "What was changed" not in page(figures)
    assert "Without a checkpoint" in text
