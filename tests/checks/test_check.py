"""Pass, investigate, fail: each for its reason."""

from dataclasses import replace

import pytest

from app.checks.check import check, worst
from app.checks.comparison import Baseline
from app.checks.condition import parse
from app.checks.level import levels
from app.checks.target import Target
from app.curves.curve import Curves
from app.diagnosis import Diagnosis, diagnose
from app.rules.context import Context
from tests import builders

TARGET = Target(name="p/r1", identity="p/job", location="src/train.py")


def judged(shape: str, seed: int) -> Diagnosis:
    curves, context = builders.run(shape, seed)
    return replace(diagnose(curves, context), project="p", run="r1")


@pytest.mark.parametrize("seed", range(20))
def test_a_healthy_run_passes(seed: int) -> None:
    found = check(TARGET, judged("healthy_cosine", seed))
    assert (found.outcome, found.reasons) == ("pass", ())
    assert (found.name, found.identity, found.location) == ("p/r1", "p/job", "src/train.py")


@pytest.mark.parametrize("seed", range(20))
def test_a_finding_fails_where_the_conditions_name_it(seed: int) -> None:
    diagnosis = judged("overfit", seed)
    (finding,) = (finding for finding in diagnosis.findings if finding.rule == "overfitting")
    assert check(TARGET, diagnosis).outcome == "pass"
    failed = check(TARGET, diagnosis, conditions=parse("overfitting"))
    assert failed.outcome == "fail"
    assert failed.fails_by(finding)
    assert not failed.fails_by(replace(finding, code="CW001"))
    assert [(reason.kind, reason.about) for reason in failed.reasons] == [("finding", "CW005")]
    assert failed.reasons[0].text == f"CW005 overfitting ({finding.severity}): {finding.summary}"


@pytest.mark.parametrize("seed", range(20))
def test_a_job_that_exploded_and_failed_fails_for_both(seed: int) -> None:
    found = check(TARGET, judged("explodes", seed))
    assert [(reason.kind, reason.about) for reason in found.reasons] == [("finding", "CW008"), ("job_failed", "state")]


def test_a_run_that_goes_on_is_not_passed() -> None:
    found = check(TARGET, replace(judged("healthy_cosine", 1), state="running"))
    assert (found.outcome, found.reasons[0].about) == ("investigate", "state")


def test_a_run_that_no_rule_could_judge_is_not_passed() -> None:
    found = check(TARGET, diagnose(Curves({}), Context(state="finished")))
    assert found.outcome == "investigate"
    assert found.reasons[0].text.startswith("no rule could judge: ")
    assert found.reasons[0].text.count("train/loss was not logged") == 1


def test_a_rule_that_was_asked_for_and_could_not_judge_is_not_passed() -> None:
    curves, context = builders.run("healthy_cosine", 1)
    unknown = diagnose(Curves({"train/loss": curves["train/loss"]}), context)
    assert check(TARGET, unknown).outcome == "pass"
    found = check(TARGET, unknown, conditions=parse("overfitting:warning,exploding"))
    assert [(reason.kind, reason.about) for reason in found.reasons] == [("unclear", "CW005")]
    assert "val/loss was not logged" in found.reasons[0].text


def baseline(shape: str, seed: int, ref: str) -> Baseline:
    return Baseline(ref=ref, name=f"p/{shape}", levels=levels(builders.run(shape, seed)[0]))


@pytest.mark.parametrize("seed", range(20))
def test_a_run_is_held_against_every_baseline(seed: int) -> None:
    curves, context = builders.run("healthy_cosine", 1)
    diagnosis = diagnose(curves, context)
    itself = Baseline(ref="main", name="p/r0", levels=levels(curves))
    same = check(TARGET, diagnosis, levels=levels(curves), baselines=[itself])
    assert (same.outcome, same.comparisons[0].relation) == ("pass", "same")
    poor = levels(builders.run("underfit", seed)[0])
    worse = check(TARGET, diagnosis, levels=poor, baselines=[itself, baseline("underfit", seed, "release")])
    assert worse.outcome == "fail"
    assert [comparison.relation for comparison in worse.comparisons] == ["worse", "same"]
    assert [(reason.kind, reason.about) for reason in worse.reasons] == [("regression", "main")]
    assert worse.reasons[0].text.startswith("against main (p/r0): val/loss 1.")
    better = check(TARGET, diagnosis, levels=levels(curves), baselines=[baseline("underfit", seed, "main")])
    assert (better.outcome, better.comparisons[0].relation) == ("pass", "better")


def test_nothing_to_compare_with_is_not_passed_but_a_failure_comes_first() -> None:
    nothing = Baseline(ref="main", name=None)
    found = check(TARGET, judged("healthy_cosine", 1), baselines=[nothing])
    assert [(reason.kind, reason.about) for reason in found.reasons] == [("unclear", "main")]
    both = check(TARGET, replace(judged("explodes", 1), state="running"), baselines=[nothing])
    assert both.outcome == "fail"
    assert [reason.kind for reason in both.reasons] == ["finding", "unclear", "unclear"]


def test_the_worst_outcome_is_that_of_all() -> None:
    passed = check(TARGET, judged("healthy_cosine", 1))
    failed, doubtful = replace(passed, outcome="fail"), replace(passed, outcome="investigate")
    assert worst([]) == "pass"
    assert worst([passed, doubtful, passed]) == "investigate"
    assert worst([doubtful, failed, passed]) == "fail"
