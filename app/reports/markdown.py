"""The diagnosis as GitHub and GitLab flavoured Markdown, for merge requests and notes."""

import re

from app.diagnosis import Diagnosis
from app.reports import words

# Underscores stay: inside a word they mean nothing in this flavour, and every rule's name has one.
_MEANINGFUL = re.compile(r"([\\`*\[\]<>|~#&])")


def render(diagnosis: Diagnosis) -> str:
    """A heading, a table of findings, and which rules were clear or could not judge."""
    lines = [f"### Curvewise: {_escape(words.heading(diagnosis))}", ""]
    if diagnosis.findings:
        lines += ["| finding | since step | evidence | confidence | what to do |", "| --- | --- | --- | --- | --- |"]
        for finding in diagnosis.findings:
            cells = (
                f"**{finding.code} {finding.rule}** ({finding.severity}): {_escape(finding.summary)}",
                words.step(finding.onset_step),
                "<br>".join(_escape(line) for line in words.evidence(finding.evidence, most=4).splitlines()),
                words.confidence(finding.confidence),
                _escape(words.advice(finding)),
            )
            lines.append(f"| {' | '.join(cells)} |")
    else:
        lines.append("Nothing was found.")
    clear, skipped = words.clear(diagnosis), words.skipped(diagnosis)
    if clear:
        lines += ["", f"Clear: {_escape(clear)}."]
    if skipped:
        reasons = "; ".join(f"{', '.join(rules)} ({reason})" for reason, rules in skipped.items())
        lines += ["", f"Could not judge: {_escape(reasons)}."]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return _MEANINGFUL.sub(r"\\\1", words.plain(text))
