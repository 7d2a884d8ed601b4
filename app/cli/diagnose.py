"""`curvewise diagnose FILE`: the same judgement as the server's, without a server."""

import sys
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app import diagnosis
from app.cli.console import say
from app.curves.roles import role_of
from app.importers.imported import ImportedRun
from app.importers.read import read
from app.reports import json, markdown, table
from app.rules.context import RunState


class ReportFormat(StrEnum):
    """How a diagnosis is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


_TEXT: dict[ReportFormat, Callable[[diagnosis.Diagnosis], str]] = {
    ReportFormat.JSON: json.render,
    ReportFormat.MARKDOWN: markdown.render,
}


def diagnose(
    file: Annotated[Path, typer.Argument(help="A CSV or JSONL file of metrics.", show_default=False)],
    report_format: Annotated[ReportFormat, typer.Option("--format", help="How to print it.")] = ReportFormat.TABLE,
    num_classes: Annotated[
        int | None, typer.Option(min=2, help="Classes of the task; for a language model, its vocabulary.")
    ] = None,
    planned_steps: Annotated[
        float | None, typer.Option(help="How long the run was meant to be, in the file's step unit.")
    ] = None,
    state: Annotated[
        RunState, typer.Option(help="Whether the job still runs, has finished, or has failed.")
    ] = "finished",
) -> None:
    """Diagnose a file of metrics. Exit code 0 when it could be read, 2 when not, with the line and the reason."""
    if planned_steps is not None and not 0 < planned_steps < float("inf"):
        raise typer.BadParameter("must be above zero and finite", param_hint="--planned-steps")
    run = read(file)
    context = replace(run.context, num_classes=num_classes, planned_steps=planned_steps, state=state)
    for note in (*run.notes, _mapping(run)):
        say(f"note: {note}")
    found = diagnosis.judge(run.curves, context)
    if report_format in _TEXT:
        sys.stdout.write(_TEXT[report_format](found))
    else:
        Console().print(table.layout(found))


def _mapping(run: ImportedRun) -> str:
    """Which columns became which curves: the first thing to check when a diagnosis looks odd."""
    roles = {name: role_of(name).name for name in run.curves}
    used = [name if name == role else f"{name} as {role}" for name, role in roles.items() if role]
    unused = [name for name, role in roles.items() if not role]
    parts = [
        f"read {', '.join(used)}" if used else "no column has a name that is known, such as train_loss or val_loss"
    ]
    if unused:
        parts.append(f"not used: {', '.join(unused)}")
    return "; ".join(parts)
