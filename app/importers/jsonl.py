"""JSON lines: `{"step": 12, "train/loss": 0.5}`, one object a line, as most home-made training loops write them.

Bare NaN and Infinity are measurements, as are the same words as strings; null was not measured. Nested objects are
flattened with `/`. Other strings, booleans and lists are no curves and are left out.
"""

import json
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from app.errors import UnreadableFile
from app.importers.imported import Column, ImportedRun, run_from_columns

_NUMBER_WORDS = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})


def read(path: str, lines: Iterable[str]) -> ImportedRun:
    """Read the lines of a JSONL file; `path` is for messages. Raises UnreadableFile with the line and the reason."""
    cells: dict[str, tuple[array[int], array[float]]] = {}
    line_of_row: array[int] = array("q")
    notes = []
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            measured = list(_measured(line))
        except ValueError as error:
            if line.endswith(("\n", "\r")):
                raise UnreadableFile(path, str(error), number) from error
            notes.append(f"line {number} is torn: left out")
            break
        for name, value in measured:
            rows, values = cells.setdefault(name, (array("q"), array("d")))
            rows.append(len(line_of_row))
            values.append(value)
        line_of_row.append(number)
    columns = {name: Column(np.array(rows, dtype=np.int64), np.array(values)) for name, (rows, values) in cells.items()}
    return run_from_columns(path, columns, line_of_row, notes)


def _measured(line: str) -> Iterator[tuple[str, float]]:
    """Every number of one line under its flattened name. Raises ValueError with the reason."""
    try:
        row = json.loads(line.strip())
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the caller turns every ValueError into path:line: reason
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
