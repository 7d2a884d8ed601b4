"""`curvewise diagnose PATH`: the same judgement as the server's, without a server."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app import diagnosis
from app.cli.facts import (
    ClassPriors,
    DatasetSize,
    NumClasses,
    PlannedSteps,
    Pretrained,
    State,
    TargetVariance,
    context_of,
    with_facts,
)
from app.cli.reading import tell
from app.curves.curve import Curve
from app.diagnosis import Diagnosis
from app.errors import InvalidInput
from app.importers.runs import read_path
from app.reports import html, json, markdown, pictures, table
from app.reports.chart import Spec, report_chart

Judged = tuple[Diagnosis, Mapping[str, Curve]]


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
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Also write a report for browsers, one file that needs no other.")
    ] = None,
    svg_file: Annotated[
        Path | None, typer.Option("--svg", help="Also write the curves of one run with its findings on them.")
    ] = None,
    png_file: Annotated[Path | None, typer.Option("--png", help="The same in pixels.")] = None,
    num_classes: NumClasses = None,
    planned_steps: PlannedSteps = None,
    state: State = None,
    class_priors: ClassPriors = None,
    target_variance: TargetVariance = None,
    dataset_size: DatasetSize = None,
    pretrained: Pretrained = None,
) -> None:
    """Diagnose logs on disk. Exit code 0 when they could be read, 2 when not, with the line and the reason.

    Read are TensorBoard events, Keras, Lightning, Transformers, timm, Ultralytics, OpenMMLab and DETR-style logs,
    MLflow, W&B offline runs, DVCLive, and any CSV, TSV or JSON lines with a column of steps or epochs.
    Files that are written replace what is there.
    """
    for file in (html_file, svg_file, png_file):
        _check(file, path)
    logs = read_path(path)
    tell(logs)
    many = path.is_dir() or len(logs.runs) > 1
    found: list[Judged] = []
    for named in logs.runs:
        context = context_of(named.run, num_classes, planned_steps, state)
        context = with_facts(context, class_priors, target_variance, dataset_size, pretrained)
        judged = diagnosis.judge(named.run.curves, context)
        found.append((replace(judged, run=named.name) if many else judged, named.run.curves))
    if html_file:
        html_file.write_text(html.render_many(found), encoding="utf-8")
    _draw(found, svg_file, lambda spec: pictures.svg(spec).encode())
    _draw(found, png_file, pictures.png)
    _show([judged for judged, _ in found], report_format)


def _check(file: Path | None, source: Path) -> None:
    """Raise InvalidInput before anything is read when a file cannot be written, or is the log itself."""
    if file is None:
        return
    if not file.absolute().parent.is_dir():
        raise InvalidInput(f"there is no folder {file.parent}")
    if file.is_dir():
        raise InvalidInput(f"{file} is a folder; name a file")
    if file.exists() and source.exists() and file.samefile(source):
        raise InvalidInput(f"{file} is the log that is read; name another file")


def _draw(found: Sequence[Judged], file: Path | None, picture: Callable[[Spec], bytes]) -> None:
    if file is None:
        return
    if len(found) != 1:
        raise InvalidInput(f"a picture is of one run, and {len(found)} were read; name one of them, or write --html")
    file.write_bytes(picture(report_chart(*found[0])))


def _show(found: Sequence[Diagnosis], report_format: ReportFormat) -> None:
    match report_format:
        case ReportFormat.JSON:
            sys.stdout.write(json.render(found[0]) if len(found) == 1 else json.render_many(found))
        case ReportFormat.MARKDOWN:
            sys.stdout.write("\n".join(map(markdown.render, found)))
        case ReportFormat.TABLE:
            Console().print(table.layout(found[0]) if len(found) == 1 else table.ManyRuns(found))
