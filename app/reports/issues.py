"""What dashboards list of checks: each finding and each other reason not to pass, as one issue, worst first."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.checks.check import Check, Kind, Reason
from app.reports import words
from app.reports.audit import Found, audit
from app.rules.verdict import Severity

# What a check can be told of beside the rules of the catalogue: id -> what it means.
OTHER_RULES: Mapping[Kind, str] = {
    "regression": "The run is worse than its baseline, beyond noise.",
    "job_failed": "The job failed before it was done.",
    "unclear": "Whether the run may pass cannot be told yet: a person should look.",
}
_SEVERITY: Mapping[Kind, Severity] = {"regression": "error", "job_failed": "error", "unclear": "warning"}
_ORDER: Sequence[Severity] = ("error", "warning", "info")


@dataclass(frozen=True)
class Issue:
    """One thing to look at; every text is plain.

    rule: its code, or a key of OTHER_RULES. fails: whether it fails the check. title: one line. text: lines. location:
    a file. fingerprint: the same in every pipeline for the same thing; no step and no number is part of it.
    """

    rule: str
    severity: Severity
    fails: bool
    title: str
    text: str
    location: str
    fingerprint: str


def issues(checks: Sequence[Check]) -> list[Issue]:
    """Those that fail first, then by severity, else in the order of the checks."""
    found = [issue for check, identity in with_identities(checks) for issue in _of(check, identity)]
    return sorted(found, key=lambda issue: (not issue.fails, _ORDER.index(issue.severity)))


def with_identities(checks: Sequence[Check]) -> Iterator[tuple[Check, str]]:
    """Each check and what it is called in every pipeline; of several that are called the same, the later numbered."""
    seen: Counter[str] = Counter()
    for check in checks:
        identity = words.plain(check.identity)
        seen[identity] += 1
        yield check, identity if seen[identity] == 1 else f"{identity} ~{seen[identity]}"


def told(found: Found) -> str:
    """A finding in plain lines: what, since when, how sure, on what evidence, what to gain, and what to do."""
    finding = found.finding
    lines = (
        words.plain(finding.summary),
        f"since step {words.step(finding.onset_step)}, confidence {words.confidence(finding.confidence)}",
        words.evidence(finding.evidence, most=4),
        f"expected gain: {found.gain}",
        words.advice(finding),
        found.action,
    )
    return "\n".join(line for line in lines if line)


def _of(check: Check, identity: str) -> Iterator[Issue]:
    for found in audit(check.diagnosis).findings:
        finding = found.finding
        yield Issue(
            rule=finding.code,
            severity=finding.severity,
            fails=check.fails_by(finding),
            title=words.plain(f"{finding.code} {finding.rule} in {check.name}"),
            text=told(found),
            location=words.plain(check.location),
            fingerprint=_fingerprint(identity, finding.code),
        )
    for reason in check.reasons:
        if reason.kind != "finding":
            yield _other(check, identity, reason)


def _other(check: Check, identity: str, reason: Reason) -> Issue:
    return Issue(
        rule=reason.kind,
        severity=_SEVERITY[reason.kind],
        fails=reason.kind != "unclear",
        title=words.plain(f"{reason.kind.replace('_', ' ')}: {check.name}"),
        text=words.plain(reason.text),
        location=words.plain(check.location),
        fingerprint=_fingerprint(identity, reason.kind, words.plain(reason.about)),
    )


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
