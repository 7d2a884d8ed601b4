"""The benchmarks' small forms run anywhere and count rightly."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latency
from accuracy import judge_all
from app.curves.curve import Curve
from app.curves.roles import to_roles
from app.diagnosis import diagnose, judge
from app.rules.context import Context
from figures import replay_figures
from forms import FORMS, FULL
from labelled import LABELS, SAMPLE, load, per_epoch
from reliability import calibration_error, reliability
from replay import Replay, replay
from scores import Answer, Counts, Score, by_task, score, true_onset

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def runs() -> list[dict[str, Any]]:
    return list(load(SAMPLE))


@pytest.fixture(scope="module")
def answers(runs: list[dict[str, Any]]) -> list[Answer]:
    return judge_all(runs, [FORMS["per epoch"]])["per epoch"]


def run(*arguments: object) -> str:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_accuracy_runs_without_arguments() -> None:
    figures = json.loads(run(BENCHMARKS / "accuracy.py", "--json"))
    assert set(figures["forms"]) == set(FORMS)
    for name, form in figures["forms"].items():
        assert set(form["rules"]) == FORMS[name].shows
        assert set(form["by_task"]) <= {"blobs", "charlm", "digits", "mnist1d", "regress"}
        assert form["macro_f1"] == pytest.approx(np.mean([r["f1"] for r in form["rules"].values() if r["runs"]]))
    calibration = figures["calibration"]["everything logged"]
    right = sum(rule["tp"] for name in FULL for rule in figures["forms"][name]["rules"].values())
    assert sum(part["findings"] * part["right"] for part in calibration["bins"]) == pytest.approx(right)
    assert 0 <= calibration["error"] <= 1
    assert figures["onset"]["everything logged"]["all"]["findings"] >= 20
    for name in FULL:  # what the first measured judgement promises, on any labelled runs
        assert all(rule["runs"] >= 3 for rule in figures["forms"][name]["rules"].values())
        assert figures["forms"][name]["macro_f1"] >= 0.75
        assert len(figures["forms"][name]["alarmed"]) <= figures["forms"][name]["healthy"] / 10


def test_accuracy_prints_a_table_a_form_and_its_misses() -> None:
    printed = run(BENCHMARKS / "accuracy.py", "--misses", "--replay", "--jobs", 2, "--forms", "per epoch;train alone")
    assert printed.count("healthy runs with a finding of severity warning or above") == 1
    assert "F1 by form" in printed
    assert "macro F1 by task" in printed
    assert "expected calibration error" in printed
    assert printed.count("at most 2 changes after the first finding") == 2
    assert "wrong, logged train alone:" in printed


def test_accuracy_names_the_forms_there_are() -> None:
    command = [sys.executable, BENCHMARKS / "accuracy.py", "--forms", "by hand"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such form: by hand" in done.stderr


def test_scores_are_precision_recall_and_their_harmonic_mean() -> None:
    counts = Counts(tp=6, fp=2, fn=3)
    assert (counts.precision, counts.recall) == (0.75, pytest.approx(2 / 3))
    assert counts.f1 == pytest.approx(2 * 0.75 * (2 / 3) / (0.75 + 2 / 3))
    assert (Counts().precision, Counts().recall, Counts().f1) == (0, 0, 0)
    assert Score().macro_f1 == 0


def test_an_absent_label_is_not_scored_and_a_wrong_answer_is_listed(runs: list[dict[str, Any]]) -> None:
    overfitted = next(r for r in runs if r["labels"].get("overfitting") == "yes")
    diagnosis = diagnose(*per_epoch(overfitted))
    assert "overfitting" in {f.rule for f in diagnosis.findings}
    form = FORMS["per epoch"]
    nothing = score([Answer({"id": "absent", "labels": {}}, form, diagnosis)])
    assert all(c.tp + c.fp + c.fn + c.tn == 0 for c in nothing.rules.values())
    labels = {"overfitting": "no", "healthy": "yes", "exploding": "yes"}
    wrong = score([Answer({"id": "wrong", "labels": labels}, form, diagnosis)])
    assert wrong.rules["overfitting"].fp == 1
    assert wrong.rules["exploding"].fn == 1
    assert (wrong.healthy, wrong.alarmed) == (1, ["wrong"])
    assert [miss.split(",")[0] for miss in wrong.misses] == ["wrong: no overfitting", "wrong: exploding"]
    blind = score([Answer({"id": "blind", "labels": labels}, FORMS["train alone"], diagnosis)])
    assert blind.rules["overfitting"].fp == 0


def test_shuffled_labels_score_far_lower(answers: list[Answer]) -> None:
    labels = [answer.run["labels"] for answer in answers]
    random.Random(0).shuffle(labels)
    shuffled = [
        Answer({**a.run, "labels": wrong}, a.form, a.diagnosis) for a, wrong in zip(answers, labels, strict=True)
    ]
    assert score(shuffled).macro_f1 < score(answers).macro_f1 - 0.3


def test_tasks_add_up_to_the_whole(answers: list[Answer]) -> None:
    tasks = by_task(answers)
    assert list(tasks) == sorted({a.run["config"]["task"] for a in answers})
    for label in LABELS:
        assert sum(s.rules[label].tp for s in tasks.values()) == score(answers).rules[label].tp


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_a_form_logs_what_it_says(form: Any, runs: list[dict[str, Any]]) -> None:
    logged = [(r, *form.log(r)) for r in runs if form.applies(r)]
    assert logged
    for original, raw, context in logged:
        everything = per_epoch(original)[0]
        curves = to_roles(raw, {})
        assert len(curves) == len(raw)  # every name is understood, and no two mean the same
        missing = set(everything) - set(curves)
        assert ("val/loss" in missing) == (form.shows <= set(LABELS) - {"overfitting", "keep_training", "underfitting"})
        assert ("lr" in missing) == ("no rate" in form.name or form.name == "train alone")
        assert (context.num_classes is None) == (form.name == "no classes" or original["kind"] == "reg")
        assert (context.planned_steps is None) == (form.name == "no plan")
        if form.unit == "epoch":
            kept = curves["train/loss"].values
            np.testing.assert_allclose(kept, everything["train/loss"].values)
        assert curves["train/loss"].steps[-1] <= everything["train/loss"].steps[-1] * form.steps_per_epoch(original)
        for name in {"train/accuracy", "val/accuracy"} & set(curves):
            assert curves[name].values.max() <= 1  # per cent was understood as such


def test_forms_thin_and_smooth_as_they_say(runs: list[dict[str, Any]]) -> None:
    long = next(r for r in runs if r["config"]["epochs"] == 80 and r["labels"].get("exploding") == "no")
    per_update, _ = FORMS["per update"].log(long)
    means, _ = FORMS["running means"].log(long)
    smooth, _ = FORMS["exponential mean"].log(long)
    sparse, _ = FORMS["sparse val"].log(long)
    first, _ = FORMS["val at step 0"].log(long)
    losses = per_update["train_loss_step"].values
    window = max(5, len(losses) // 100)
    assert means["loss"].values[0] == pytest.approx(losses[:window].mean())
    assert len(means["eval_loss"]) == 27
    assert means["eval_loss"].steps[-1] == per_update["val_loss"].steps[-1]
    assert smooth["train_loss"].values[:2] == pytest.approx([losses[0], (0.98 * losses[0] + losses[1]) / 1.98])
    assert len(sparse["Loss/valid"]) == 16
    assert (first["eval/loss"].steps[0], first["eval/loss"].values[0]) == (0, long["curve"]["init_val_loss"])


def test_a_true_onset_counts_in_the_steps_of_the_form(runs: list[dict[str, Any]]) -> None:
    known = next(r for r in runs if r["onset"].get("overfitting"))
    epoch = known["onset"]["overfitting"]
    assert true_onset(known, FORMS["per epoch"], "overfitting") == epoch
    assert true_onset(known, FORMS["per update"], "overfitting") == epoch * known["steps_per_epoch"]
    assert true_onset(known, FORMS["per epoch"], "exploding") is None


def test_findings_fall_into_equal_bins_and_the_error_is_their_mean_distance() -> None:
    said = [(0.9, True)] * 30 + [(0.6, True)] * 10 + [(0.6, False)] * 10
    bins = reliability(said, bins=2)
    assert [(b.findings, b.confidence) for b in bins] == [(25, pytest.approx(0.66)), (25, pytest.approx(0.9))]
    assert bins[1].right == 1
    assert calibration_error(bins) == pytest.approx((abs(0.66 - 0.6) + abs(0.9 - 1)) / 2)
    sure_and_wrong = [(confidence, not right) for confidence, right in said]
    assert (calibration_error(reliability(sure_and_wrong)) or 0) > 0.5
    assert len(reliability(said[:12])) == 1  # too few for more
    assert reliability([]) == []
    assert calibration_error([]) is None


def replayed(found: str, **due: tuple[float, float]) -> Replay:
    """A replay of ten prefixes, each 10 steps, whose overfitting verdicts are written as `.` and `x`."""
    verdicts = np.array([one == "x" for one in found])
    nothing = np.zeros(10, dtype=bool)
    rules = {label: verdicts if label == "overfitting" else nothing for label in LABELS}
    return Replay({"id": "built", "labels": {"healthy": "yes"}}, np.arange(10, 101, 10.0), rules, verdicts, due)


def test_changes_count_from_the_first_finding() -> None:
    assert [replayed(f).changes("overfitting") for f in ("..........", "xxxxxxxxxx", "...xxxxxxx")] == [0, 0, 0]
    assert [replayed(f).changes("overfitting") for f in ("xx..xx....", "..x.x.x.x.", ".........x")] == [3, 7, 0]


def test_named_early_is_named_from_the_onset_to_when_it_is_due() -> None:
    for found, early in (("....x.....", True), (".....x....", True), ("..xx......", False), ("......xxxx", False)):
        assert replayed(found, overfitting=(45, 55)).named_early("overfitting") is early


def test_replay_figures_tell_flicker_and_false_alarms() -> None:
    three = [replayed(f, overfitting=(45, 55)) for f in ("..x.x.x.x.", "....xxxxxx", "..........")]
    figures = replay_figures({"built": three})["built"]
    assert (figures["steady_pairs"], figures["steady_runs"]) == (0.5, 0.5)
    assert figures["rules"] == {"overfitting": {"runs": 2, "steady": 0.5, "most": 7}}
    assert figures["named_early"]["overfitting"] == {"runs": 3, "share": pytest.approx(2 / 3)}
    assert figures["named_early"]["exploding"] == {"runs": 0, "share": None}
    assert figures["alarmed_ever"] == pytest.approx(2 / 3)
    assert figures["alarmed_at_end"] == pytest.approx(1 / 3)


def test_a_replay_ends_in_the_diagnosis_of_the_finished_run(runs: list[dict[str, Any]]) -> None:
    form = FORMS["per epoch"]
    overfitted = next(r for r in runs if r["labels"].get("overfitting") == "yes")
    whole = replay(overfitted, form, prefixes=20)
    said = {finding.rule for finding in form.judge(overfitted).findings}
    assert {rule for rule, found in whole.found.items() if found[-1]} == said
    assert not any(found[0] for found in whole.found.values())
    onset, due = whole.due["overfitting"]
    assert onset == overfitted["onset"]["overfitting"]
    assert due == pytest.approx(onset + overfitted["config"]["epochs"] / 10)
    assert "exploding" not in whole.due


def test_importing_times_every_format_beside_its_floors() -> None:
    figures = {row["format"]: row for row in json.loads(run(BENCHMARKS / "importing.py", "--small", "--json"))}
    assert set(figures) == {"CSV", "JSON lines", "TensorBoard events"}
    for kind, row in figures.items():
        assert row["total_s"] >= row["read_s"] > row["bytes_s"] > 0
        assert ("parsed_s" in row) == (kind != "TensorBoard events")
    assert "one log read and diagnosed, seconds" in run(BENCHMARKS / "importing.py", "--small")


def test_latency_prints_both_tables() -> None:
    printed = run(BENCHMARKS / "latency.py", "--small")
    assert "median / floor" in printed
    assert "a diagnosis after 100 points more" in printed


def test_latency_times_the_whole_judgement() -> None:
    made = latency.arrays(100)
    curves = {name: Curve(name, *arrays) for name, arrays in made.items()}
    diagnosis = judge(curves, Context(num_classes=10, planned_steps=100, state="finished"))
    assert [v for v in diagnosis.verdicts if v.verdict == "skipped"] == []
