"""`curvewise diagnose PATH`: the same judgement as the server's, without a server."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app import diagnosis
from app.cli.facts import NumClasses, PlannedSteps, State, context_of
from app.cli.reading import tell
from app.diagnosis import Diagnosis
from app.importers.runs import read_path
from app.reports import json, markdown, table


class ReportFormat(StrEnum):
    """How a diagnosis is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def diagnose(
    path: Annotated[
        Path,
        typer.Argument(
            help="A log that a training job left: a file, or a folder of one run or many.", show_default=False
        ),
    ],
    report_format: Annotated[ReportFormat, typer.Option("--format", help="How to print it.")] = ReportFormat.TABLE,
    num_classes: NumClasses = None,
    planned_steps: PlannedSteps = None,
    state: State = None,
) -> None:
    """Diagnose logs on disk. Exit code 0 when they could be read, 2 when not, with the line and the reason.

    Read are TensorBoard events, Keras, Lightning, Transformers, timm, Ultralytics, OpenMMLab and DETR-style logs,
    MLflow, W&B offline runs, DVCLive, and any CSV, TSV or JSON lines with a column of steps or epochs.
    """
    logs = read_path(path)
    tell(logs)
    many = path.is_dir() or len(logs.runs) > 1
    found = []
    for named in logs.runs:
        judged = diagnosis.judge(named.run.curves, context_of(named.run, num_classes, planned_steps, state))
        found.append(replace(judged, run=named.name) if many else judged)
    _show(found, report_format)


def _show(found: Sequence[Diagnosis], report_format: ReportFormat) -> None:
    match report_format:
        case ReportFormat.JSON:
            sys.stdout.write(json.render(found[0]) if len(found) == 1 else json.render_many(found))
        case ReportFormat.MARKDOWN:
            sys.stdout.write("\n".join(map(markdown.render, found)))
        case ReportFormat.TABLE:
            Console().print(table.layout(found[0]) if len(found) == 1 else table.ManyRuns(found))
