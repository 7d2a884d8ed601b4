"""How findings hang together: which follow from which, and that their advice does not contradict itself."""

from collections.abc import Sequence
from dataclasses import replace

from app.rules.verdict import Finding, Verdict

# Effect -> causes, the nearest first. A run that was thrown off its start by a bad initialisation or a blow-up looks
# flat or poor because of it; a rate that was cut too early leaves the loss high with no gap.
CAUSES = {
    "CW009": ("CW008",),
    "CW006": ("CW003", "CW001"),
    "CW004": ("CW001",),
}


def link(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The same verdicts, each finding that follows from another one naming it in `caused_by`.

    Where one finding asks for a lower rate none asks for a higher one: a rate that throws a run off shows more surely.
    """
    findings = [v for v in verdicts if isinstance(v, Finding)]
    found = {f.code for f in findings}
    too_high = any(r.action in ("lower_lr", "decay_lr") for f in findings for r in f.recommendations)
    linked = [_with_cause(v, found) if isinstance(v, Finding) else v for v in verdicts]
    return [_never_raising(v) if too_high and isinstance(v, Finding) else v for v in linked]


def _never_raising(finding: Finding) -> Finding:
    kept = tuple(r for r in finding.recommendations if r.action != "raise_lr")
    return replace(finding, recommendations=kept)


def _with_cause(finding: Finding, found: set[str]) -> Finding:
    cause = next((code for code in CAUSES.get(finding.code, ()) if code in found), None)
    return replace(finding, caused_by=cause) if cause else finding
