"""The diagnosis as a table for the terminal."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import HORIZONTALS
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.diagnosis import Diagnosis
from app.reports import words
from app.rules.verdict import Finding

_WIDE = 110  # from here on a run, its finding, evidence and advice stand side by side [characters]
_SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def render(diagnosis: Diagnosis, width: int = 80) -> str:
    """One diagnosis as plain text without control codes, at most `width` characters a line."""
    return _as_text(layout(diagnosis), width)


def render_many(diagnoses: Sequence[Diagnosis], width: int = 80) -> str:
    """Many runs as one plain table."""
    return _as_text(ManyRuns(diagnoses), width)


def layout(diagnosis: Diagnosis) -> RenderableType:
    """One diagnosis for a console, which decides itself about width and colour."""
    parts: list[RenderableType] = [Text(words.heading(diagnosis), style="bold")]
    if diagnosis.findings:
        table = _table("finding")
        for finding in diagnosis.findings:
            parts.append(Text(f"{finding.code} {words.plain(finding.summary)}"))
            table.add_row(*_cells(finding, evidence=2))
        parts.append(table)
    else:
        parts.append(Text("Nothing was found.", style="green"))
    if clear := words.clear(diagnosis):
        parts.append(Text(f"Clear: {clear}"))
    for reason, rules in words.skipped(diagnosis).items():
        parts.append(Text(f"Could not judge {', '.join(rules)}: {reason}", style="dim"))
    return Group(*parts)


@dataclass(frozen=True)
class ManyRuns:
    """Many runs in one table: a row a finding, and one for each run without any."""

    diagnoses: Sequence[Diagnosis]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Lay it out for the width there is: on a narrow terminal the finding stands below its run, not beside it."""
        stacked = options.max_width < _WIDE
        table = _table("run, finding") if stacked else _table("run", "finding")
        for diagnosis in self.diagnoses:
            run = Text(words.plain(diagnosis.run or ""))
            for finding in diagnosis.findings:
                name, *cells = _cells(finding, evidence=1)
                table.add_row(*((Text("\n").join((run, name)),) if stacked else (run, name)), *cells)
                run = Text("" if not stacked else run.plain)
            if not diagnosis.findings:
                nothing = Text("nothing found", style="green")
                table.add_row(*((Text("\n").join((run, nothing)),) if stacked else (run, nothing)))
        yield table


def _table(*leading: str) -> Table:
    # No vertical lines: they would take a sixth of a narrow terminal.
    table = Table(show_lines=True, header_style="bold", box=HORIZONTALS, pad_edge=False)
    for title in leading:
        table.add_column(title, overflow="fold")
    table.add_column("since\nstep", justify="right", overflow="fold")
    table.add_column("key evidence", overflow="fold", ratio=2)
    table.add_column("conf.", justify="right", no_wrap=True)
    table.add_column("what to do", overflow="fold", ratio=3)
    return table


def _cells(finding: Finding, evidence: int) -> tuple[Text, ...]:
    return (
        Text(f"{finding.code} {words.plain(finding.rule)}", style=_SEVERITY_STYLE[finding.severity]),
        Text(words.step(finding.onset_step)),
        Text(words.evidence(finding.evidence, evidence)),
        Text(words.confidence(finding.confidence)),
        Text(words.advice(finding)),
    )


def _as_text(content: RenderableType, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(content)
    return file.getvalue()
