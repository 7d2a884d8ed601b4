"""The whole judgement: every rule answers, findings are ranked and linked, params are checked."""

from dataclasses import replace

import pytest

from app.curves.curve import Curves
from app.diagnosis import diagnose, judge, resolve_params
from app.errors import InvalidParams
from app.rules.catalogue import CATALOGUE, CATALOGUE_VERSION
from app.rules.context import Context
from app.rules.verdict import Clear, Finding, Skipped
from tests.builders import SHAPES, run


def test_every_rule_answers_once() -> None:
    diagnosis = diagnose(*run("healthy_cosine", 0))
    assert sorted(v.code for v in diagnosis.verdicts) == [rule.code for rule in CATALOGUE]
    assert {v.code: v.rule for v in diagnosis.verdicts} == {rule.code: rule.name for rule in CATALOGUE}
    assert diagnosis.catalogue == CATALOGUE_VERSION


def test_nothing_logged_is_skipped_with_reasons() -> None:
    diagnosis = diagnose(Curves({}), Context())
    assert all(isinstance(v, Skipped) and v.reason for v in diagnosis.verdicts)
    assert diagnosis.through_step is None


@pytest.mark.parametrize("shape", [name for name, (_, rule) in SHAPES.items() if rule])
def test_the_finding_that_matters_stands_first(shape: str) -> None:
    for seed in range(20):
        diagnosis = diagnose(*run(shape, seed))
        assert diagnosis.findings[0].rule == SHAPES[shape][1]
        assert diagnosis.verdicts[: len(diagnosis.findings)] == diagnosis.findings


def test_findings_then_clear_then_skipped() -> None:
    curves, context = run("bouncing_plateau", 0)
    kinds = [type(v) for v in diagnose(curves, replace(context, num_classes=None)).verdicts]
    assert kinds == sorted(kinds, key=[Finding, Clear, Skipped].index)
    assert set(kinds) == {Finding, Clear, Skipped}


def test_an_effect_names_its_cause_and_ranks_after_it() -> None:
    first, second = diagnose(*run("early_cut", 0)).findings
    assert (first.rule, first.caused_by) == ("decay_too_early", None)
    assert (second.rule, second.caused_by) == ("underfitting", "CW003")


def test_params_replace_defaults() -> None:
    curves, context = run("overfit", 0)
    strict = diagnose(curves, context, {"overfitting": {"min_rise": 50.0}})
    assert "overfitting" not in {f.rule for f in strict.findings}
    assert "overfitting" in {f.rule for f in diagnose(curves, context).findings}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"overfit": {}}, "params name no such rule: overfit"),
        ({"overfitting": {"min_ris": 1}}, "params.overfitting.min_ris: "),
        ({"overfitting": {"min_rise": -1}}, "params.overfitting.min_rise: "),
        ({"overfitting": {"min_rise": float("nan")}}, "params.overfitting.min_rise: "),
        ({"overfitting": {"min_rise": True}}, "params.overfitting.min_rise: "),
        ({"overfitting": {"min_rise": "1"}}, "params.overfitting.min_rise: "),
    ],
)
def test_bad_params_are_named(params: dict[str, dict[str, object]], says: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        resolve_params(params)
    assert str(caught.value).startswith(says)


def test_same_points_same_diagnosis() -> None:
    curves, context = run("overfit", 3)
    assert diagnose(curves, context) == diagnose(curves, context)


def test_a_run_is_judged_as_it_was_logged() -> None:
    curves, context = run("overfit", 0)
    logged = {name.replace("/", "_"): curve for name, curve in curves.items()}
    assert judge(logged, context) == diagnose(curves, context)
    logged["q"] = logged.pop("val_loss")
    unmapped = judge(logged, context)
    assert "overfitting" not in {f.rule for f in unmapped.findings}
    named = judge(logged, context, roles={"q": "val/loss"})
    assert named.findings == diagnose(curves, context).findings


def test_a_run_can_be_judged_as_it_stood() -> None:
    curves, context = run("overfit", 0)
    then = judge(curves, context, at_step=200)
    assert (then.through_step, then.state) == (200, "running")
    now = judge(curves, context, at_step=1e9)
    assert now == judge(curves, context)
    assert judge({}, context, at_step=5).through_step is None
