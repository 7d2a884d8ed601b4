"""The benchmarks' small forms run anywhere and count rightly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from accuracy import Counts, Score, judge
from app.diagnosis import diagnose
from labelled import FORMS, SAMPLE, load

ACCURACY = Path(__file__).parent.parent / "benchmarks" / "accuracy.py"


def test_accuracy_runs_without_arguments() -> None:
    done = subprocess.run([sys.executable, ACCURACY, "--json"], capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    assert set(figures) == {"per epoch", "per update"}
    for form in figures.values():
        assert len(form["rules"]) == 9
        assert all(rule["runs"] >= 3 for rule in form["rules"].values())
        assert form["macro_f1"] >= 0.75  # what the first measured judgement promises, on any labelled runs
        assert len(form["alarmed"]) <= form["healthy"] / 10


def test_accuracy_prints_a_table_a_form_and_its_misses() -> None:
    done = subprocess.run([sys.executable, ACCURACY, "--misses"], capture_output=True, text=True, check=True)
    assert done.stdout.count("macro F1") == 2
    assert "healthy runs with a finding of severity warning or above" in done.stdout


def test_scores_are_precision_recall_and_their_harmonic_mean() -> None:
    counts = Counts(tp=6, fp=2, fn=3)
    assert (counts.precision, counts.recall) == (0.75, pytest.approx(2 / 3))
    assert counts.f1 == pytest.approx(2 * 0.75 * (2 / 3) / (0.75 + 2 / 3))
    assert (Counts().precision, Counts().recall, Counts().f1) == (0, 0, 0)
    assert Score().macro_f1 == 0


def test_an_absent_label_is_not_scored_and_a_wrong_answer_is_listed() -> None:
    run = next(r for r in load(SAMPLE) if r["labels"].get("overfitting") == "yes")
    diagnosis = diagnose(*FORMS["per epoch"](run))
    assert "overfitting" in {f.rule for f in diagnosis.findings}
    score = Score()
    score.count({"id": "absent", "labels": {}}, diagnosis)
    assert all(c.tp + c.fp + c.fn + c.tn == 0 for c in score.rules.values())
    score.count({"id": "wrong", "labels": {"overfitting": "no", "healthy": "yes", "exploding": "yes"}}, diagnosis)
    assert score.rules["overfitting"].fp == 1
    assert score.rules["exploding"].fn == 1
    assert (score.healthy, score.alarmed) == (1, ["wrong"])
    assert [miss.split(",")[0] for miss in score.misses] == ["wrong: no overfitting", "wrong: exploding"]


def test_both_forms_of_a_run_are_judged() -> None:
    runs = list(load(SAMPLE))[:3]
    for form in FORMS.values():
        assert sum(c.tp + c.fn + c.fp + c.tn for c in judge(runs, form).rules.values()) > 0
