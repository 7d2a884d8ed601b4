"""Checks as workflow commands of GitHub Actions: annotations of the job and of the changed file."""

from collections.abc import Sequence

from app.checks.check import Check
from app.reports.issues import Issue, issues

MOST = 10  # of each kind in a step; GitHub leaves out the rest without a word
_KINDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(checks: Sequence[Check]) -> str:
    """One command a line, the worst first, to be printed. Findings that fail a check are errors, no other is."""
    lines: list[str] = []
    found = issues(checks)
    for kind in ("error", "warning", "notice"):
        group = [issue for issue in found if _kind(issue) == kind]
        shown = group if len(group) <= MOST else group[: MOST - 1]
        lines += [_command(kind, issue.title, issue.text, issue.location) for issue in shown]
        if len(group) > MOST:
            rest = f"{len(group) - len(shown)} more like these are not shown here: the job's summary has them all"
            lines.append(_command(kind, "Curvewise", rest, group[0].location))
    return "".join(f"{line}\n" for line in lines)


def _kind(issue: Issue) -> str:
    if issue.fails:
        return "error"
    return "warning" if issue.severity == "error" else _KINDS[issue.severity]


def _command(kind: str, title: str, text: str, file: str) -> str:
    return f"::{kind} file={_property(file)},line=1,title={_property(title)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
