"""Checks as GitLab's Code Quality report: what a merge request makes new, and what it fixes."""

from collections.abc import Sequence

from pydantic_core import to_json

from app.checks.check import Check
from app.reports.issues import issues

_SEVERITIES = {"error": "critical", "warning": "major", "info": "minor"}


def render(checks: Sequence[Check]) -> str:
    """One JSON array. GitLab compares fingerprints between branches, so they hold no step and no number."""
    rows = [
        {
            "description": f"{issue.title}: {issue.text.splitlines()[0]}",
            "check_name": issue.rule,
            "fingerprint": issue.fingerprint,
            "severity": "blocker" if issue.fails else _SEVERITIES[issue.severity],
            "location": {"path": issue.location, "lines": {"begin": 1}},
        }
        for issue in issues(checks)
    ]
    return to_json(rows, indent=2).decode() + "\n"
