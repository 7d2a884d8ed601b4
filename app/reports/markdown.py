"""The diagnosis as GitHub and GitLab flavoured Markdown, for merge requests and notes."""

from collections.abc import Iterator

from app.diagnosis import Diagnosis
from app.reports import words
from app.reports.audit import Audit, Found, audit
from app.reports.escaping import in_markdown


def render(diagnosis: Diagnosis) -> str:
    """A heading, a table of findings with one action each to copy, what is fine, and what could not be judged."""
    told = audit(diagnosis)
    lines = [f"### Curvewise: {in_markdown(words.heading(diagnosis))}", ""]
    if told.findings:
        lines += ["| finding | since step | evidence | confidence | expected gain | what to do |"]
        lines += ["| --- | --- | --- | --- | --- | --- |", *map(_row, told.findings)]
    else:
        lines.append("Nothing was found.")
    return "\n".join([*lines, *_rest(told)]) + "\n"


def _row(found: Found) -> str:
    finding = found.finding
    cells = (
        f"**{finding.code} {finding.rule}** ({finding.severity}): {in_markdown(finding.summary)}",
        words.step(finding.onset_step),
        "<br>".join(in_markdown(line) for line in words.evidence(finding.evidence, most=4).splitlines()),
        words.confidence(finding.confidence),
        in_markdown(found.gain),
        in_markdown(words.advice(finding)) + (f"<br>{_code(found.action)}" if found.action else ""),
    )
    return f"| {' | '.join(cells)} |"


def _rest(told: Audit) -> Iterator[str]:
    if told.fine:
        yield from ("", "**Checked and fine**", "")
        yield from (f"- {one.code} {one.rule}: {in_markdown(one.says)}" for one in told.fine)
    if told.unjudged:
        yield from ("", "**Could not be judged**", "")
        for one in told.alike():
            yield f"- {one.rules}: {in_markdown(one.reason)}. To log: {in_markdown(one.log_this)}"


def _code(text: str) -> str:
    """Code in a cell: a bar would end the cell even there, and a backquote the code."""
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"
