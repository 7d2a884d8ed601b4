"""One run held against what a pipeline asks of it: pass, investigate or fail, and why.

fail         a finding that the conditions name, a job that failed, or a level beyond noise worse than a baseline
investigate  nothing of that, but it cannot be ruled out: the run still goes on, no rule or not one that was asked for
             could judge, there is nothing to compare with, or the level is worse by no more than noise explains
pass         the rest; a level that is the same within noise passes, for that is what an unchanged training gives
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from app.checks.comparison import Baseline, Comparison, compare
from app.checks.condition import DEFAULT, Condition, parse
from app.checks.level import Level
from app.checks.target import Target
from app.diagnosis import Diagnosis
from app.rules.verdict import Finding, Skipped

Outcome = Literal["pass", "investigate", "fail"]
Kind = Literal["finding", "job_failed", "regression", "unclear"]
OUTCOMES: Sequence[Outcome] = ("pass", "investigate", "fail")  # from the best


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a check does not pass."""

    kind: Annotated[
        Kind,
        Field(description="`unclear` asks for a look; the others fail the check."),
    ]
    about: Annotated[str, Field(description="The code of the finding, the baseline, or the state of the run.")]
    text: Annotated[str, Field(description="One sentence, with its numbers.")]


@dataclass(frozen=True, kw_only=True)
class Check:
    """What came of it."""

    name: Annotated[str, Field(description="The run or log that was checked.")]
    identity: Annotated[str, Field(description="The same in every pipeline.")]
    location: Annotated[str, Field(description="The file that dashboards show findings at.")]
    outcome: Annotated[Outcome, Field(description="pass, investigate or fail.")]
    reasons: Annotated[tuple[Reason, ...], Field(description="Why it does not pass; none when it does.")]
    comparisons: Annotated[tuple[Comparison, ...], Field(description="How it stands to each baseline.")]
    levels: Annotated[Mapping[str, Level], Field(description="Its best levels by curve.")]
    diagnosis: Annotated[Diagnosis, Field(description="All verdicts on it.")]

    def fails_by(self, finding: Finding) -> bool:
        """Whether this finding of its diagnosis is one that fails it."""
        return any(reason.kind == "finding" and reason.about == finding.code for reason in self.reasons)


def check(
    target: Target,
    diagnosis: Diagnosis,
    *,
    levels: Mapping[str, Level] | None = None,
    baselines: Iterable[Baseline] = (),
    conditions: Sequence[Condition] | None = None,
) -> Check:
    """Hold one diagnosed run against conditions (when None, any finding of severity error) and baselines."""
    conditions = parse(DEFAULT) if conditions is None else conditions
    levels = levels or {}
    comparisons = tuple(compare(levels, baseline) for baseline in baselines)
    reasons = (
        *_failures(diagnosis, conditions),
        *_doubts(diagnosis, conditions),
        *(_against(comparison) for comparison in comparisons if comparison.relation not in ("same", "better")),
    )
    failed = any(reason.kind != "unclear" for reason in reasons)
    return Check(
        name=target.name,
        identity=target.identity,
        location=target.location,
        outcome="fail" if failed else "investigate" if reasons else "pass",
        reasons=tuple(sorted(reasons, key=lambda reason: reason.kind == "unclear")),
        comparisons=comparisons,
        levels=levels,
        diagnosis=diagnosis,
    )


def worst(checks: Iterable[Check]) -> Outcome:
    """The outcome of them all; pass when there are none."""
    return max((check.outcome for check in checks), key=OUTCOMES.index, default="pass")


def _failures(diagnosis: Diagnosis, conditions: Sequence[Condition]) -> Iterator[Reason]:
    for finding in diagnosis.findings:
        if any(condition.met_by(finding) for condition in conditions):
            text = f"{finding.code} {finding.rule} ({finding.severity}): {finding.summary}"
            yield Reason(kind="finding", about=finding.code, text=text)
    if diagnosis.state == "failed":
        yield Reason(kind="job_failed", about="state", text="the job failed before it was done")


def _doubts(diagnosis: Diagnosis, conditions: Sequence[Condition]) -> Iterator[Reason]:
    if diagnosis.state == "running":
        text = "the run still goes on, so what was found may change: close it, or check it again later"
        yield Reason(kind="unclear", about="state", text=text)
    skipped = [verdict for verdict in diagnosis.verdicts if isinstance(verdict, Skipped)]
    if len(skipped) == len(diagnosis.verdicts):
        reasons = "; ".join(dict.fromkeys(verdict.reason for verdict in skipped))
        yield Reason(kind="unclear", about="rules", text=f"no rule could judge: {reasons}")
        return
    asked = {condition.code for condition in conditions}
    for verdict in skipped:
        if verdict.code in asked:
            text = f"{verdict.code} {verdict.rule} could not judge: {verdict.reason}"
            yield Reason(kind="unclear", about=verdict.code, text=text)


def _against(comparison: Comparison) -> Reason:
    kind: Kind = "regression" if comparison.relation == "worse" else "unclear"
    which = f" ({comparison.baseline})" if comparison.baseline not in (None, comparison.ref) else ""
    return Reason(kind=kind, about=comparison.ref, text=f"against {comparison.ref}{which}: {comparison.reason}")
