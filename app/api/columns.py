"""From the text of a body to points: all numbers of a column at once, and point by point where that cannot be."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from app.api.body import FACTS_LIMIT_BYTES, readable, require_content
from app.api.wire import Column, Strictly
from app.curves.points import MAX_STEP, Points, Rejected, read_column, read_rows
from app.errors import TooLarge, UnreadableBody

# A value of a few bytes of JSON becomes up to a hundred bytes of objects, and several hundred when it is refused: these
# limits keep one hostile body from costing gigabytes and minutes. Half a million points are more than a job sends.
MOST_VALUES = 1_000_000
MOST_CURVES = 10_000
_MOST_QUOTES = 100_000


@dataclass(frozen=True)
class Most:
    """How much one body may hold: numbers, and curves."""

    values: int = MOST_VALUES
    curves: int = MOST_CURVES


_USUAL = Most()

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


def read_columns(model: type[Body], body: bytes, most: Most = _USUAL) -> tuple[Body, Batch]:
    """A JSON body with `curves` in it: everything else as `model`, and the points.

    Raises UnreadableBody when it is not JSON, RequestValidationError when it has another shape, TooLarge.
    """
    require_content(body)
    _require_few_values(body, b",]}", most)
    columns = None
    # With many names or strings in it, it is not plain columns, and pydantic would list everything that is wrong.
    if len(body) <= most.values or _count(body, b'"') <= _MOST_QUOTES:
        with suppress(ValidationError):
            sent = model.model_validate_json(body)
            columns = _exact(sent.curves or {})
    if columns is None:
        sent, columns = _read_tolerantly(model, body)
    return sent, _batch(columns, most)


def read_lines(body: bytes, most: Most = _USUAL) -> Batch:
    """NDJSON rows, one a line. A line that is no JSON costs only itself.

    Raises UnreadableBody when no line is JSON, TooLarge.
    """
    require_content(body)
    _require_few_values(body, b",]}\n", most)
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
    batch = read_points(rows, places, most)
    return replace(batch, rejected=sorted([*torn, *batch.rejected], key=lambda r: r.index))


def read_points(rows: Sequence[object], places: Sequence[int] | None = None, most: Most = _USUAL) -> Batch:
    """Rows, each named by its place where it is refused. Raises TooLarge when they are of too many curves."""
    points, rejected, not_measured = read_rows(rows, places)
    _require_few_curves(len(points), most)
    return Batch(points, rejected, not_measured)


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
    beside = {name: value for name, value in raw.items() if name != "points"} if isinstance(raw, dict) else None
    if len(to_json(beside)) > FACTS_LIMIT_BYTES:
        raise TooLarge(f"what the body says beside its numbers is over {FACTS_LIMIT_BYTES} bytes")
    try:
        return model.model_validate(raw), columns
    except ValidationError as error:
        raise readable(error) from error


def _batch(columns: Columns, most: Most) -> Batch:
    _require_few_curves(len(columns), most)
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


def _require_few_curves(count: int, most: Most) -> None:
    if count > most.curves:
        raise TooLarge(
            f"the body holds {count} curves, and may hold {most.curves} (CURVEWISE_BATCH_CURVES); "
            "send it in smaller parts"
        )


def _require_few_values(body: bytes, separators: bytes, most: Most) -> None:
    if len(body) <= most.values:
        return
    if (values := _count(body, separators)) > most.values:
        raise TooLarge(
            f"the body holds about {values} values, and may hold {most.values} (CURVEWISE_BATCH_VALUES); "
            "send it in smaller parts"
        )


def _count(body: bytes, characters: bytes) -> int:
    text = np.frombuffer(body, dtype=np.uint8)
    return sum(int(np.count_nonzero(text == character)) for character in characters)
