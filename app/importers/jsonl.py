"""JSON lines: `{"step": 12, "train/loss": 0.5}`, one object a line, as most home-made training loops write them.

Bare NaN and Infinity are measurements, as are the same words as strings; null was not measured. Nested objects are
flattened with `/`. Other strings, booleans and lists are no curves and are left out; but a row that says which split it
is of (`"mode": "val"`) has its names put below that, and `{"key": ..., "value": ..., "step": ...}` is one point.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.curves.roles import names_split
from app.errors import UnreadableFile
from app.importers import detr, openmmlab
from app.importers.imported import Column, ImportedRun, run_from_columns

_NUMBER_WORDS = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
_SPLIT_KEYS = ("mode", "split", "phase", "stage", "subset")
_POINT_KEYS = ("key", "name", "metric", "tag")
_FORMATS = (openmmlab, detr)


def read(path: str, lines: Iterable[str]) -> ImportedRun:
    """Read the lines of a JSONL file; `path` is for messages. Raises UnreadableFile with the line and the reason."""
    rows: list[Mapping[str, float]] = []
    line_of_row: array[int] = array("q")
    notes = []
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            rows.append(_measured(line))
        except ValueError as error:
            if line.endswith(("\n", "\r")):
                raise UnreadableFile(path, str(error), number) from error
            notes.append(f"line {number} is torn: left out")
            break
        line_of_row.append(number)
    return read_rows(path, rows, line_of_row, notes)


def read_rows(
    path: str, rows: Sequence[Mapping[str, float]], line_of_row: "array[int]", notes: Iterable[str] = ()
) -> ImportedRun:
    """Rows of numbers by name -> a run, with what is known of the framework that writes such rows."""
    known = next((one for one in _FORMATS if one.recognises(rows)), None)
    if known is not None:
        rows = known.prepare(rows)
    cells: dict[str, tuple[array[int], array[float]]] = {}
    for row, measured in enumerate(rows):
        for name, value in measured.items():
            places, values = cells.setdefault(name, (array("q"), array("d")))
            places.append(row)
            values.append(value)
    columns = {
        name: Column(np.array(places, dtype=np.int64), np.array(values)) for name, (places, values) in cells.items()
    }
    run = run_from_columns(path, columns, line_of_row, tuple(notes))
    return replace(known.adapt(run), source=known.SOURCE) if known else replace(run, source="plain rows")


def _measured(line: str) -> dict[str, float]:
    """Every number of one line under its flattened name. Raises ValueError with the reason."""
    try:
        row = json.loads(line.strip())
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return row_numbers(row)


def row_numbers(row: object) -> dict[str, float]:
    """The numbers of one decoded row, its split before their names. Raises ValueError when it is no object."""
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the caller turns every ValueError into path:line: reason
    for key in _POINT_KEYS:
        if isinstance(row.get(key), str) and "value" in row:
            row = {name: value for name, value in row.items() if name not in (key, "value")} | {row[key]: row["value"]}
            break
    split = next((row[key] for key in _SPLIT_KEYS if isinstance(row.get(key), str)), "")
    if not split or names_split(split) is None:
        return dict(numbers(row))
    return {name if _is_place(name) or names_split(name) else f"{split}/{name}": n for name, n in numbers(row)}


def _is_place(name: str) -> bool:
    return name.lower() in ("step", "global_step", "iter", "iteration", "epoch")


def numbers(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every number of a decoded object under its flattened name. Raises ValueError for one that no float64 holds."""
    waiting = [("", row)]
    while waiting:
        prefix, members = waiting.pop()
        for key, value in members.items():
            name = prefix + key
            if isinstance(value, dict):
                waiting.append((name + "/", value))
            elif isinstance(value, float) or (isinstance(value, str) and value.strip().lower() in _NUMBER_WORDS):
                yield name, float(value)
            elif isinstance(value, int) and not isinstance(value, bool):
                yield name, _exact(name, value)


def _exact(name: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is larger than any float64") from error
