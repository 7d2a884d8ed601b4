"""`curvewise schedule`: a learning-rate schedule, step by step, drawn, or as code for a training script."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from app.reports import pictures, schedule_code, schedules
from app.schedules.kinds import KINDS
from app.schedules.make import course, parsed

Kind = StrEnum("Kind", {name.upper(): name for name in KINDS})  # type: ignore[misc] # made from the table of kinds


class ScheduleFormat(StrEnum):
    """How a schedule is told."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    TORCH = "torch"
    KERAS = "keras"
    SVG = "svg"
    PNG = "png"
    VEGA = "vega"


def schedule(
    kind: Annotated[Kind, typer.Argument(help="The kind of schedule.", show_default=False)],
    lr: Annotated[float, typer.Option(help="The highest rate.", show_default=False)],
    steps: Annotated[int, typer.Option(help="How many updates or epochs.", show_default=False)],
    warmup: Annotated[float | None, typer.Option(help="Steps over which the rate rises first.")] = None,
    min_lr: Annotated[float | None, typer.Option(help="The rate at the end; 0.")] = None,
    start_lr: Annotated[float | None, typer.Option(help="one_cycle: the rate at the start; lr / 25.")] = None,
    factor: Annotated[float | None, typer.Option(help="step, exponential: what the rate is multiplied with.")] = None,
    every: Annotated[float | None, typer.Option(help="step, exponential: after how many steps; 0.3 of all.")] = None,
    at: Annotated[list[float] | None, typer.Option(help="step: at this step instead; may be repeated.")] = None,
    decay: Annotated[
        float | None, typer.Option(help="warmup_stable_decay: steps of the fall at the end; 0.2 of all.")
    ] = None,
    shape: Annotated[str | None, typer.Option(help="warmup_stable_decay: linear, cosine or sqrt.")] = None,
    cycle: Annotated[float | None, typer.Option(help="cosine_restarts: length of the first cycle; 0.2 of all.")] = None,
    growth: Annotated[int | None, typer.Option(help="cosine_restarts: each cycle so many times as long.")] = None,
    schedule_format: Annotated[ScheduleFormat, typer.Option("--format", help="How to tell it.")] = ScheduleFormat.TEXT,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file in place of stdout.")] = None,
) -> None:
    """Print a learning-rate schedule: its values, a drawing, a picture, or code for PyTorch or Keras.

    `torch` prints a function for LambdaLR, `keras` one for LearningRateScheduler; both need nothing but `math`.
    """
    given = {
        "warmup": warmup, "min_lr": min_lr, "start_lr": start_lr, "factor": factor, "every": every, "at": at or None,
        "decay": decay, "shape": shape, "cycle": cycle, "growth": growth,
    }  # fmt: skip
    told = _tell(kind.value, schedule_format, lr=lr, steps=steps, **{k: v for k, v in given.items() if v is not None})
    if output is not None:
        output.write_bytes(told)
    elif schedule_format is ScheduleFormat.PNG:
        sys.stdout.buffer.write(told)
    else:
        sys.stdout.write(told.decode())


def _tell(kind: str, form: ScheduleFormat, **given: Any) -> bytes:
    """The schedule in this format. Raises InvalidInput."""
    p = parsed(kind, **given)
    values = course(kind, np.arange(p.steps, dtype=np.float64), p)
    match form:
        case ScheduleFormat.TEXT:
            text = schedules.text(kind, p, values)
        case ScheduleFormat.JSON:
            text = _json({"kind": kind, "parameters": p.model_dump(mode="json"), "values": values.tolist()})
        case ScheduleFormat.CSV:
            text = schedules.to_csv(values)
        case ScheduleFormat.TORCH:
            text = schedule_code.torch(kind, p)
        case ScheduleFormat.KERAS:
            text = schedule_code.keras(kind, p)
        case ScheduleFormat.SVG:
            text = pictures.svg(schedules.chart(kind, p, values))
        case ScheduleFormat.PNG:
            return pictures.png(schedules.chart(kind, p, values))
        case ScheduleFormat.VEGA:
            text = _json(schedules.chart(kind, p, values))
    return text.encode()


def _json(value: object) -> str:
    return json.dumps(value) + "\n"
