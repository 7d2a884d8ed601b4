"""The one order of a report, and that what it says of gain, of what is fine and of what is missing is so."""

import ast
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import app.rules
from app.curves.curve import Curve
from app.demo.replay import recorded_runs
from app.diagnosis import Diagnosis, judge
from app.reports import fine, missing, words
from app.reports.audit import action, audit
from app.rules.catalogue import CATALOGUE
from app.rules.context import Context
from app.rules.verdict import Clear, Evidence, Finding, Skipped

RUNS = {run.name: run for run in recorded_runs()}
OTHERWISE = missing.log_this(Skipped(code="CW001", rule="bad_init_plateau", reason="for no reason at all"))


def diagnosed(name: str) -> Diagnosis:
    return judge(RUNS[name].curves, replace(RUNS[name].context, state="finished"))


def gain_of(name: str, code: str) -> str:
    return next(found.gain for found in audit(diagnosed(name)).findings if found.finding.code == code)


@pytest.mark.parametrize("name", RUNS)
def test_every_verdict_is_told_once_and_findings_keep_their_rank(name: str) -> None:
    diagnosis = diagnosed(name)
    told = audit(diagnosis)
    assert [found.finding for found in told.findings] == list(diagnosis.findings)
    codes = [*(f.finding.code for f in told.findings), *(one.code for one in (*told.fine, *told.unjudged))]
    assert codes == [verdict.code for verdict in diagnosis.verdicts]
    assert sorted(codes) == [rule.code for rule in CATALOGUE]
    assert sum(one.rules.count("CW") for one in told.alike()) == len(told.unjudged)


@pytest.mark.parametrize("name", RUNS)
def test_the_action_to_copy_is_the_first_recommendation(name: str) -> None:
    for found in audit(diagnosed(name)).findings:
        first = found.finding.recommendations[0]
        assert json.loads(found.action) == {"action": first.action, "args": first.args}
        assert "\n" not in found.action
        assert not re.search(r"\d\.0\b", found.action)  # whole numbers are written as such


def test_a_finding_without_a_recommendation_has_no_action() -> None:
    (finding,) = diagnosed("mlp-300-samples").findings
    assert action(replace(finding, recommendations=())) == ""


def test_the_gain_of_training_on_is_what_the_rule_expects() -> None:
    (finding,) = diagnosed("mlp-800-updates").findings
    args = finding.recommendations[0].args
    expected, low, high = (f"{float(args[key]):.0%}"[:-1] for key in ("expected_gain", "gain_low", "gain_high"))
    gain = gain_of("mlp-800-updates", "CW004")
    assert gain == f"val loss {expected} % ({low} to {high} %) lower after 800 more steps"


def test_the_gain_of_the_best_checkpoint_is_in_the_curve() -> None:
    gain = gain_of("mlp-300-samples", "CW005")
    val = RUNS["mlp-300-samples"].curves["val/loss"]
    at_best = float(val.values[val.steps == 250][0])
    at_end = float(val.values[-6:].mean())
    assert f"lower by {(at_end - at_best) / at_best:.0%}".replace("%", " %") in gain
    assert "step 250" in gain


def test_the_gain_of_a_decay_is_the_bounce_that_shows_in_the_curve() -> None:
    run = RUNS["mlp-rate-0.06-b8"].curves["val/loss"]
    late = run.values[run.steps >= 2050]
    line = np.polyval(np.polyfit(np.arange(late.size), late, 1), np.arange(late.size))
    bounce = float(np.std(late - line) / late.mean())
    said = float(gain_of("mlp-rate-0.06-b8", "CW002").split()[3])
    assert said == pytest.approx(100 * bounce, rel=0.2)


def test_a_wrong_start_is_said_in_nats() -> None:
    assert "nats lower, at about 2.3" in gain_of("mlp-head-x20", "CW007")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("mlp-drop-at-0.08", "CW003"),
        ("mlp-drop-at-0.08", "CW006"),
        ("mlp-2-units", "CW006"),
        ("mlp-rate-1e-6", "CW009"),
    ],
)
def test_what_no_number_says_is_not_estimated_and_the_reason_is_given(name: str, code: str) -> None:
    assert gain_of(name, code).startswith("not estimated: ")


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_a_finding_of_unknown_evidence_claims_no_gain(rule: object) -> None:
    (finding,) = diagnosed("mlp-300-samples").findings
    bare = replace(finding, code=rule.code, evidence=(), recommendations=(), severity="warning")  # type: ignore[attr-defined]
    (found,) = audit(replace(diagnosed("mlp-300-samples"), verdicts=(bare,))).findings
    assert found.gain.startswith("not estimated: ")


@pytest.mark.parametrize("name", RUNS)
def test_what_is_fine_is_told_by_a_number_that_misses_its_limit(name: str) -> None:
    for verdict in diagnosed(name).verdicts:
        if isinstance(verdict, Clear):
            said = fine.says(verdict)
            assert "(limit" not in said, "no condition of this rule was worded"
            if "a finding takes" in said:
                missed = [c for c in fine._CONDITIONS[verdict.code] for e in verdict.evidence if misses(c, e)]
                # The words before the number, or those for a number below zero.
                starts = [text.split("{}")[0] for c in missed for text in (c.says, c.below_zero) if text]
                assert any(said.startswith(start) for start in starts), said


def misses(condition: fine.Condition, item: Evidence) -> bool:
    if condition.name != item.name or item.limit is None:
        return False
    value = abs(item.value) if item.name == "slowed" else item.value
    return value < item.limit if condition.least else value > item.limit


def test_conditions_name_evidence_that_their_rules_give() -> None:
    given: dict[str, set[str]] = {}
    for name in RUNS:
        for verdict in diagnosed(name).verdicts:
            if not isinstance(verdict, Skipped):
                given.setdefault(verdict.code, set()).update(item.name for item in verdict.evidence)
    rare = {"peak", "end"}  # of CW008: only where a loss climbed
    for code, conditions in fine._CONDITIONS.items():
        assert {c.name for c in conditions} - rare <= given[code]


def test_clear_for_another_reason_than_its_numbers_says_so() -> None:
    steps = np.linspace(0, 3000, 61)
    val = 2.0 * (1 + steps / 300) ** -0.5
    curves = {"train/loss": Curve("train/loss", steps, val), "val/loss": Curve("val/loss", steps, val * 1.2)}
    not_learned = judge({**curves, "train/loss": Curve("train/loss", steps, np.full(61, 2.3))}, Context(num_classes=10))
    for verdict in not_learned.verdicts:
        if isinstance(verdict, Clear):
            assert fine.says(verdict)
    assert fine.says(Clear(code="CW005", rule="overfitting")) == "judged, and nothing was found"
    met = Evidence("gap", 0.05, 0.1, "share of val"), Evidence("loss_left", 0.9, 0.2, "share of start")
    assert "not_decreasing and decay_needed judge" in fine.says(Clear(code="CW006", evidence=met))


def curves(points: int = 61, **given: object) -> dict[str, Curve]:
    steps = np.linspace(0, 3000, points)
    loss = 0.3 + 2 * np.exp(-steps / 500)
    found = {
        "train/loss": Curve("train/loss", steps, loss),
        "val/loss": Curve("val/loss", steps, loss * 1.1),
        "lr": Curve("lr", steps, np.full(points, 0.1)),
    }
    return {name: curve for name, curve in found.items() if name not in given.get("without", ())}  # type: ignore[operator]


FINISHED = Context(num_classes=10, state="finished")
# What a run lacks; which rule could not judge for it; a word of what is to be done; and the run once it was done.
LACKS = {
    "num_classes": (curves(), replace(FINISHED, num_classes=None), "CW007", "context.num_classes", curves(), FINISHED),
    "planned_steps": (
        curves(),
        Context(num_classes=10),
        "CW006",
        "context.planned_steps",
        curves(),
        Context(num_classes=10, planned_steps=3000),
    ),
    "val": (curves(without=["val/loss"]), FINISHED, "CW005", '"val/loss", at 6 steps or more', curves(), FINISHED),
    "train": (curves(without=["train/loss"]), FINISHED, "CW008", 'log "train/loss"', curves(), FINISHED),
    "lr": (curves(without=["lr"]), FINISHED, "CW003", '"lr"', curves(), FINISHED),
    "points": (curves(5), FINISHED, "CW001", "at 8 finite points or more", curves(8), FINISHED),
    "evaluations": (curves(5), FINISHED, "CW005", "6 of them or more", curves(6), FINISHED),
    "late course": (
        {**curves(61), "val/loss": curves(5)["val/loss"]},
        FINISHED,
        "CW002",
        "val/loss at 12 evaluations",
        curves(12),
        FINISHED,
    ),
    "start": (
        {name: Curve(name, c.steps + 500, c.values) for name, c in curves().items()},
        FINISHED,
        "CW007",
        "from the first update on",
        curves(),
        FINISHED,
    ),
}


@pytest.mark.parametrize("lack", LACKS)
def test_a_rule_judges_once_that_was_logged_which_it_asked_for(lack: str) -> None:
    before, context, code, word, after, then = LACKS[lack]
    told = {one.code: one for one in audit(judge(before, context)).unjudged}
    assert word in told[code].log_this
    assert code not in {one.code for one in audit(judge(after, then)).unjudged}


def reasons() -> Iterator[str]:
    """Every reason that stands in the rules' source, with a number in each of its gaps."""
    tell = {"missing", "blurred", "hidden_divergence", "_not_yet"}
    for path in Path(app.rules.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Skipped":
                yield from (worded(k.value) for k in node.keywords if not isinstance(k.value, ast.Name | ast.IfExp))
            if isinstance(node, ast.FunctionDef) and node.name in tell:
                yield from (worded(n.value) for n in ast.walk(node) if isinstance(n, ast.Return) and is_text(n.value))


def is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def worded(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr), ast.dump(node) if node else ""
    gaps = {"need.curve": "val/loss", "kind": "finite points", "met": "3 of the 6 steps"}
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else gaps.get(ast.unparse(part.value), "3")  # type: ignore[attr-defined]
        for part in node.values
    )


def test_every_reason_that_rules_give_has_an_instruction() -> None:
    found = list(reasons())
    assert len(found) >= 15
    for reason in found:
        told = missing.log_this(Skipped(code="CW005", rule="overfitting", reason=reason))
        assert told != OTHERWISE, reason
        assert "{" not in told.replace('{"', ""), told


def test_numbers_without_bound_are_not_read_as_powers() -> None:
    assert words.evidence((Evidence("certainty", 1e100, 2.0, "standard errors"),)) == (
        "certainty \N{INFINITY} standard errors (limit 2)"
    )
    assert words.evidence((Evidence("x", math.nan, None, ""),)) == "x nan"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0938, "9.4 %"), (0.34, "34 %"), (0.0, "0 %"), (1.2, "120 %"), (0.0996, "10 %")]
)
def test_shares_are_said_in_per_cent(value: float, text: str) -> None:
    assert words.per_cent(value) == text


def test_counts_name_the_worst_first() -> None:
    (finding,) = diagnosed("mlp-300-samples").findings
    many: tuple[Finding, ...] = (finding, replace(finding, severity="error"), finding)
    assert words.counted(replace(diagnosed("mlp-300-samples"), verdicts=many)) == "1 error, 2 notes"
    assert words.counted(diagnosed("mlp-cosine")) == "nothing found"
