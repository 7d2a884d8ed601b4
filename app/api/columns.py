"""From the text of a body to points: all numbers of a column at once, and point by point where that cannot be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json

from app.api.body import readable, require_content
from app.api.wire import Column, Strictly
from app.curves.points import MAX_STEP, Points, Rejected, read_column, read_rows
from app.errors import UnreadableBody

Columns = Mapping[str, tuple[Any, Any]]  # name -> steps, values: float64 arrays, or lists of anything


class HasColumns(Strictly):
    """A body with curves in it."""

    curves: dict[str, Column] | None = None


Body = TypeVar("Body", bound=HasColumns)


@dataclass(frozen=True)
class Batch:
    """What one body said: its points, each curve's in the order they were written."""

    points: Sequence[Points]
    rejected: Sequence[Rejected]
    not_measured: int

    @property
    def accepted(self) -> int:
        """How many points were taken [points]."""
        return sum(int(part.steps.size) for part in self.points)


def read_columns(model: type[Body], body: bytes) -> tuple[Body, Batch]:
    """A JSON body with `curves` in it: everything else as `model`, and the points.

    Raises UnreadableBody when it is not JSON, RequestValidationError when it has another shape.
    """
    require_content(body)
    try:
        sent = model.model_validate_json(body)
        columns = _exact(sent.curves or {})
    except ValidationError:
        columns = None
    if columns is None:
        sent, columns = _read_tolerantly(model, body)
    return sent, _batch(columns)


def read_lines(body: bytes) -> Batch:
    """NDJSON rows, one a line. A line that is no JSON costs only itself. Raises UnreadableBody when none is."""
    require_content(body)
    rows: list[Any] = []
    places: list[int] = []
    torn: list[Rejected] = []
    for place, line in enumerate(body.split(b"\n")):
        if not line.strip():
            continue
        try:
            rows.append(from_json(line))
            places.append(place)
        except ValueError as error:
            torn.append(Rejected(place, None, "unreadable_line", f"the line is not JSON: {error}"))
    if not rows:
        raise UnreadableBody(f"none of the lines is JSON; line {torn[0].index}: {torn[0].reason}")
    points, rejected, not_measured = read_rows(rows, places)
    return Batch(points, sorted(torn + rejected, key=lambda r: r.index), not_measured)


def _exact(curves: Mapping[str, Column]) -> Columns | None:
    """The columns as float64, None where an integer in the text may have been rounded to get there.

    From 2**53 on a float64 does not hold every integer, and an integer of 400 digits reads as infinity.
    """
    columns = {}
    for name, column in curves.items():
        steps, values = np.array(column.steps, dtype=np.float64), np.array(column.values, dtype=np.float64)
        if (np.abs(steps) >= MAX_STEP).any() or (np.abs(values) >= MAX_STEP).any():
            return None
        columns[name] = (steps, values)
    return columns


def _read_tolerantly(model: type[Body], body: bytes) -> tuple[Body, Columns]:
    """The numbers are taken out as they are, to be judged one by one; the model judges what is left."""
    try:
        raw = from_json(body)
    except ValueError as error:
        raise UnreadableBody(f"the body is not JSON: {error}") from error
    columns: dict[str, tuple[Any, Any]] = {}
    if isinstance(raw, dict) and isinstance(raw.get("curves"), dict):
        for name, column in raw["curves"].items():
            if isinstance(column, dict):
                steps, values = column.get("steps"), column.get("values")
                if isinstance(steps, list) and isinstance(values, list):
                    columns[name] = (steps, values)
                    raw["curves"][name] = {**column, "steps": [], "values": []}
    try:
        return model.model_validate(raw), columns
    except ValidationError as error:
        raise readable(error) from error


def _batch(columns: Columns) -> Batch:
    points: list[Points] = []
    rejected: list[Rejected] = []
    not_measured = 0
    for name, (steps, values) in columns.items():
        column, refused, unmeasured = read_column(name, steps, values)
        if column.steps.size:
            points.append(column)
        rejected += refused
        not_measured += unmeasured
    return Batch(points, rejected, not_measured)
