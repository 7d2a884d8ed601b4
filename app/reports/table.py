"""The diagnosis as a table for the terminal."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import HORIZONTALS
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.diagnosis import Diagnosis
from app.reports import words
from app.reports.audit import Found, audit
from app.rules.verdict import Finding

_INDENT = 2  # below a heading [characters]
_WIDEST_NAME = 24  # of what stands at the left of a pair [characters]
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
    told = audit(diagnosis)
    parts: list[RenderableType] = [Text(words.heading(diagnosis), style="bold"), Text("")]
    if told.findings:
        parts.append(Text("Findings", style="bold"))
        parts += [part for found in told.findings for part in (*_finding(found), Text(""))]
    else:
        parts += [Text("Nothing was found.", style="green"), Text("")]
    if told.fine:
        rows = [(f"{one.code} {one.rule}", one.says) for one in told.fine]
        parts += [Text("Checked and fine", style="bold"), _pairs(rows), Text("")]
    if told.unjudged:
        rows = [(one.rules, f"{one.reason}\nto log: {one.log_this}") for one in told.alike()]
        parts += [Text("Could not be judged", style="bold"), _pairs(rows), Text("")]
    return Group(*parts[:-1])


def _finding(found: Found) -> Iterator[RenderableType]:
    finding = found.finding
    title = Text(f"{words.SIGNS[finding.severity]} {finding.severity}  {finding.code} {words.plain(finding.rule)}")
    title.stylize(_SEVERITY_STYLE[finding.severity])
    yield title
    yield Padding(Text(words.plain(finding.summary)), (0, 0, 0, _INDENT))
    rows = [
        ("gain", found.gain),
        ("since", f"step {words.step(finding.onset_step)}, {words.confidence(finding.confidence)} sure"),
        ("evidence", words.evidence(finding.evidence, most=4)),
        ("to do", words.advice(finding)),
        ("action", found.action),
    ]
    yield _pairs([row for row in rows if row[1]])


def _pairs(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """What, and beside it what is said of it, indented; narrow consoles fold both."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", max_width=_WIDEST_NAME, style="dim")
    table.add_column(overflow="fold", ratio=1)
    for name, said in rows:
        table.add_row(Text(name), Text(said))
    return Padding(table, (0, 0, 0, _INDENT))


@dataclass(frozen=True)
class ManyRuns:
    """Many runs in one table, a row a finding and one for each run without any; below it, what could not be judged."""

    diagnoses: Sequence[Diagnosis]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
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
        if unjudged := list(_unjudged(self.diagnoses)):
            yield Text("Could not be judged", style="bold")
            yield _pairs(unjudged)


def _unjudged(diagnoses: Sequence[Diagnosis]) -> Iterator[tuple[str, str]]:
    """What is to be logged, a line each for all runs that lack it, with the rules that wait for it."""
    waiting: dict[str, tuple[dict[str, None], set[int]]] = {}
    for index, diagnosis in enumerate(diagnoses):
        for one in audit(diagnosis).unjudged:
            rules, runs = waiting.setdefault(one.log_this, ({}, set()))
            rules[f"{one.code} {one.rule}"] = None
            runs.add(index)
    for log_this, (rules, runs) in waiting.items():
        yield ", ".join(rules), f"in {len(runs)} of {len(diagnoses)} runs; to log: {log_this}"


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
