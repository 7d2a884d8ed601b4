"""Checks of recorded runs, with every outcome among them, and the same with texts of strangers in every place."""

from collections.abc import Sequence
from dataclasses import replace

from app.checks.check import Check, check
from app.checks.comparison import Baseline
from app.checks.condition import parse
from app.checks.level import levels
from app.checks.target import Target
from app.curves.roles import to_roles
from app.demo.replay import recorded_runs
from app.diagnosis import Diagnosis, judge
from app.rules.context import Context
from app.rules.verdict import Finding, Recommendation, Skipped
from tests.hostile import TEXTS

RUNS = {run.name: run for run in recorded_runs()}


def diagnosed(name: str, **facts: object) -> Diagnosis:
    context = Context(**{"num_classes": 10, "state": "finished"} | facts)
    return replace(judge(RUNS[name].curves, context), project="mnist", run=name)


def baseline(name: str, ref: str = "main") -> Baseline:
    return Baseline(ref=ref, name=f"mnist/{name}", levels=levels(to_roles(RUNS[name].curves, {})))


def checked(name: str, *baselines: Baseline, fail_on: str = "any:error", **facts: object) -> Check:
    return check(
        Target(name=f"mnist/{name}", identity=f"mnist/{name}", location="src/train.py"),
        diagnosed(name, **facts),
        levels=levels(to_roles(RUNS[name].curves, {})),
        baselines=baselines,
        conditions=parse(fail_on),
    )


def each_outcome() -> list[Check]:
    """Two that pass, one of them with a finding; one to investigate; three that fail, each for another reason."""
    return [
        checked("mlp-warmup-linear", baseline("mlp-warmup-linear", "release")),
        checked("mlp-300-samples"),
        checked("mlp-cosine", baseline("mlp-step-decay")),
        checked("mlp-rate-3.0", Baseline(ref="main", name=None)),
        checked("mlp-300-samples", baseline("mlp-step-decay"), fail_on="overfitting"),
        checked("mlp-2-units", state="failed"),
    ]


def hostile() -> Sequence[Check]:
    """A check for every text, which stands wherever a stranger's text can."""
    return [_spoiled(text) for text in TEXTS]


def _spoiled(text: str) -> Check:
    before = Baseline(ref=text, name=text, levels=baseline("mlp-step-decay").levels)
    plain = checked("mlp-300-samples", before, fail_on="overfitting")
    verdicts = tuple(
        replace(verdict, summary=text, recommendations=(Recommendation(text, "stop", {"why": text}),))
        if isinstance(verdict, Finding)
        else replace(verdict, reason=text)
        if isinstance(verdict, Skipped)
        else verdict
        for verdict in plain.diagnosis.verdicts
    )
    return check(
        Target(name=text, identity=text, location=text),
        replace(plain.diagnosis, project=text, run=text, verdicts=verdicts),
        levels=plain.levels,
        baselines=[before],
        conditions=parse("overfitting"),
    )
