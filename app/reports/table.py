"""The diagnosis as a table for the terminal."""

import io
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.diagnosis import Diagnosis
from app.reports import words
from app.rules.verdict import Finding

_SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def render(diagnosis: Diagnosis, width: int = 80) -> str:
    """One diagnosis as plain text without control codes, at most `width` characters a line."""
    return _as_text(layout(diagnosis), width)


def render_many(diagnoses: Sequence[Diagnosis], width: int = 80) -> str:
    """Many runs as one plain table."""
    return _as_text(layout_many(diagnoses), width)


def layout(diagnosis: Diagnosis) -> RenderableType:
    """One diagnosis for a console, which decides itself about width and colour."""
    parts: list[RenderableType] = [Text(words.heading(diagnosis), style="bold")]
    if diagnosis.findings:
        table = _table()
        for finding in diagnosis.findings:
            parts.append(Text(f"{finding.code} {words.plain(finding.summary)}"))
            table.add_row(*_cells(finding))
        parts.append(table)
    else:
        parts.append(Text("Nothing was found.", style="green"))
    if clear := words.clear(diagnosis):
        parts.append(Text(f"Clear: {clear}"))
    for reason, rules in words.skipped(diagnosis).items():
        parts.append(Text(f"Could not judge {', '.join(rules)}: {reason}", style="dim"))
    return Group(*parts)


def layout_many(diagnoses: Sequence[Diagnosis]) -> RenderableType:
    """Many runs in one table: a row a finding, and one for each run without any."""
    table = _table("run")
    for diagnosis in diagnoses:
        name = Text(words.plain(diagnosis.run or ""))
        for place, finding in enumerate(diagnosis.findings):
            table.add_row(name if place == 0 else Text(), *_cells(finding))
        if not diagnosis.findings:
            table.add_row(name, Text("nothing found", style="green"))
    return table


def _table(*leading: str) -> Table:
    table = Table(show_lines=True, header_style="bold")
    for title in leading:
        table.add_column(title, overflow="fold")
    table.add_column("finding", overflow="fold", min_width=11)
    table.add_column("since\nstep", justify="right", overflow="fold")
    table.add_column("key evidence", overflow="fold", ratio=2)
    table.add_column("conf.", justify="right", no_wrap=True)
    table.add_column("what to do", overflow="fold", ratio=3)
    return table


def _cells(finding: Finding) -> tuple[Text, ...]:
    return (
        Text(f"{finding.code}\n{words.plain(finding.rule)}", style=_SEVERITY_STYLE[finding.severity]),
        Text(words.step(finding.onset_step)),
        Text(words.evidence(finding.evidence)),
        Text(words.confidence(finding.confidence)),
        Text(words.advice(finding)),
    )


def _as_text(content: RenderableType, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(content)
    return file.getvalue()
