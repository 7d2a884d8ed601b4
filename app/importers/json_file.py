"""JSON documents: the trainer state of Transformers, a list of rows, or lists by name such as Keras' `history`.

A trainer state's `loss` is a mean over the steps since the row before, its last row sums the whole run up.
"""

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.curves.curve import Curve
from app.errors import UnreadableFile
from app.importers.imported import ImportedRun
from app.importers.jsonl import read_rows, row_numbers
from app.rules.caveats import Lie
from app.rules.context import Context

_MEAN = "loss is a mean over the {} steps before each point, so it lags (Transformers)"
_FILTERED = (
    "unless logging_nan_inf_filter was off, a loss that was NaN or infinite was replaced by a mean: an explosion may "
    "not show (Transformers)"
)
_DECIMALS = 4  # of a loss, in versions before 5
_ROUNDED = "loss has four decimals (Transformers before version 5)"
# What the last row says of the whole run; `train_loss` there is the mean over all of it and no point of a curve.
_SUMMARY = "train_runtime"
_OF_THE_MACHINE = ("runtime", "samples_per_second", "steps_per_second", "total_flos")


def read(path: str, text: str) -> ImportedRun:
    """Read one JSON document; `path` is for messages. Raises UnreadableFile with the line and the reason."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableFile(path, f"{error.msg} (column {error.colno})", error.lineno) from error
    except RecursionError as error:
        raise UnreadableFile(path, "nested too deep") from error
    except ValueError as error:
        raise UnreadableFile(path, "an integer of thousands of digits, which no float64 holds") from error
    if isinstance(document, dict) and isinstance(document.get("log_history"), list):
        return _trainer_state(path, document)
    if isinstance(document, dict) and isinstance(document.get("history"), dict):
        document = document["history"]
    if isinstance(document, list):
        return _rows(path, document)
    if isinstance(document, dict) and any(isinstance(column, list) for column in document.values()):
        return _columns(path, document)
    raise UnreadableFile(path, "JSON, but neither a trainer state, nor a list of rows, nor lists of numbers by name")


def _trainer_state(path: str, state: Mapping[str, Any]) -> ImportedRun:
    history = [row for row in state["log_history"] if isinstance(row, dict)]
    points = [
        {name: value for name, value in row.items() if not name.endswith(_OF_THE_MACHINE)}
        for row in history
        if _SUMMARY not in row
    ]
    run = _rows(path, points)
    ended = len(points) < len(history) or _number(state, "global_step") >= _number(state, "max_steps", float("inf"))
    planned = _number(state, "max_steps")
    return ImportedRun(
        curves=run.curves,
        context=Context(
            state="finished",
            planned_steps=planned if planned > 0 else None,
            caveats=tuple(_caveats(run.curves.get("loss"), state.get("logging_steps"))),
        ),
        state="finished" if ended else "running",
        notes=run.notes,
        source="Transformers trainer state",
    )


def _caveats(loss: Curve | None, every: object) -> Iterator[str]:
    """What is known of a Trainer's loss, as far as the losses themselves do not say otherwise."""
    if loss is None:
        return
    if every != 1:
        yield Lie.INTERVAL_MEAN.said(_MEAN.format(every if isinstance(every, int) and every > 1 else "logging_steps"))
    if np.isfinite(loss.values).all():  # else the filter was off
        yield Lie.NON_FINITE_HIDDEN.said(_FILTERED)
    finite = loss.finite().values
    with np.errstate(over="ignore"):  # the largest cannot be rounded so, and then are not equal to it
        rounded = np.round(finite, _DECIMALS)
    if (finite == rounded).all():
        yield Lie.ROUNDED.said(_ROUNDED)


def _number(state: Mapping[str, Any], name: str, otherwise: float = 0.0) -> float:
    value = state.get(name)
    return float(value) if isinstance(value, int | float) and -1e300 < value < 1e300 else otherwise


def _rows(path: str, document: Sequence[object]) -> ImportedRun:
    rows = []
    for place, row in enumerate(document):
        try:
            rows.append(row_numbers(row))
        except ValueError as error:
            raise UnreadableFile(path, f"row {place}: {error}") from error
    return read_rows(path, rows, array("q", range(len(rows))))


def _columns(path: str, document: Mapping[str, Any]) -> ImportedRun:
    """Lists by name: the place in a list is the row."""
    columns = {name: column for name, column in document.items() if isinstance(column, list)}
    rows: list[dict[str, object]] = [{} for _ in range(max(map(len, columns.values())))]
    for name, column in columns.items():
        for row, value in zip(rows, column, strict=False):
            row[name] = value
    return _rows(path, rows)
