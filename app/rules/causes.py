"""How findings hang together: which follow from which, and that their advice does not contradict itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.rules.verdict import Finding, Verdict

# Effect -> causes, the nearest first. Weights that begin far too large blow a run up or leave it poor, and what threw a
# run off its start makes it look flat or poor; a rate that was cut too early leaves the loss high with no gap. Where
# nothing was learnt there is nothing to settle and nothing to overfit, and a rate too high to settle lifts validation
# loss above its best.
CAUSES = {
    "CW009": ("CW008", "CW007"),
    "CW008": ("CW007",),
    "CW006": ("CW007", "CW003", "CW001"),
    "CW005": ("CW009", "CW002"),
    "CW004": ("CW001",),
    "CW002": ("CW009",),
}
# Causes without whose cure an effect has none. The others let one train on or grow the model and gain by it.
CURED_FIRST = frozenset({"CW002", "CW007", "CW008", "CW009"})


def link(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The same verdicts, each finding that follows from a warning or an error naming it in `caused_by`.

    What follows from a cause that has to be cured first recommends that cure before its own. Where one finding asks for
    a lower rate none asks for a higher one: a rate that throws a run off shows more surely.
    """
    findings = {v.code: v for v in verdicts if isinstance(v, Finding)}
    too_high = any(r.action in ("lower_lr", "decay_lr") for f in findings.values() for r in f.recommendations)
    linked = [_linked(v, findings) if isinstance(v, Finding) else v for v in verdicts]
    return [_never_raising(v) if too_high and isinstance(v, Finding) else v for v in linked]


def _never_raising(finding: Finding) -> Finding:
    kept = tuple(r for r in finding.recommendations if r.action != "raise_lr")
    return replace(finding, recommendations=kept)


def _linked(finding: Finding, findings: Mapping[str, Finding]) -> Finding:
    """With its cause named, and that one's cure before its own where it has to be cured first."""
    cause = _cause(finding, findings)
    if cause is None:
        return finding
    advice = finding.recommendations
    if cause.code in CURED_FIRST:
        first = _linked(cause, findings).recommendations[0]
        advice = (first, *(own for own in advice if (own.action, own.args) != (first.action, first.args)))
    return replace(finding, caused_by=cause.code, recommendations=advice)


def _cause(finding: Finding, findings: Mapping[str, Finding]) -> Finding | None:
    found = [findings[code] for code in CAUSES.get(finding.code, ()) if code in findings]
    return next((cause for cause in found if cause.severity != "info"), None)
