"""Which findings follow from which: what to fix first, and what that will make go away."""

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
    """The same verdicts, each finding that follows from another one naming it in `caused_by`."""
    found = {v.code for v in verdicts if isinstance(v, Finding)}
    return [_with_cause(v, found) if isinstance(v, Finding) else v for v in verdicts]


def _with_cause(finding: Finding, found: set[str]) -> Finding:
    cause = next((code for code in CAUSES.get(finding.code, ()) if code in found), None)
    return replace(finding, caused_by=cause) if cause else finding
