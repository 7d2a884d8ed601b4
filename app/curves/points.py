"""What a point means on its way in: which are taken, which are refused and why. Nothing is coerced. Pure."""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray

Column = Sequence[object] | NDArray[Any]

MAX_NAME_LENGTH = 250
# Beyond it float64 no longer tells neighbouring integers apart, and two steps would become one.
MAX_STEP = 2**53
NON_FINITE_WORDS = {
    "nan": math.nan,
    "inf": math.inf,
    "infinity": math.inf,
    "-inf": -math.inf,
    "-infinity": -math.inf,
}


@dataclass(frozen=True, eq=False)
class Points:
    """Accepted points of one curve in the order they were written; steps float64 [n], values float64 [n]."""

    name: str
    steps: FloatArray
    values: FloatArray


@dataclass(frozen=True)
class Rejected:
    """A point that was refused: where it stood in its column (or its row, or its line), and why."""

    index: int
    curve: str | None
    code: str
    reason: str


@dataclass(frozen=True)
class _Refusal:
    code: str
    reason: str


def read_column(name: str, steps: Column, values: Column) -> tuple[Points, list[Rejected], int]:
    """One curve sent as two columns -> its points, the refused ones, and how many were not measured.

    steps: finite numbers from 0 to 2**53. values: numbers, or "NaN", "Infinity", "-Infinity" (also "inf", any case);
    None is not measured. Raises nothing: whatever cannot be meant becomes one Rejected a point.
    """
    if problem := name_problem(name):
        refusal = _Refusal("name_invalid", problem)
        return _refuse_all(escaped(name), max(len(steps), len(values)), refusal)
    if len(steps) != len(values):
        refusal = _Refusal("lengths_differ", f"the column has {len(steps)} steps but {len(values)} values")
        return _refuse_all(name, max(len(steps), len(values)), refusal)
    x, y = _clean_steps(steps), _clean_floats(values)
    if x is not None and y is not None:
        return Points(name, x, y), [], 0
    return _read_one_by_one(name, steps, values, range(len(steps)))


def read_rows(rows: Sequence[object], indices: Sequence[int] | None = None) -> tuple[list[Points], list[Rejected], int]:
    """Rows such as {"step": 1, "train/loss": 0.5, "epoch": 0.1} -> points by curve, refused ones, count not measured.

    Every key but `step` is a curve. indices: what to call each row in a Rejected, such as its line number; its place
    among `rows` by default. A row whose step is bad is one Rejected whose curve is None. Raises nothing.
    """
    numbers = range(len(rows)) if indices is None else indices
    rejected: list[Rejected] = []
    columns: dict[str, tuple[list[object], list[object], list[int]]] = {}
    for index, row in zip(numbers, rows, strict=True):
        if not isinstance(row, Mapping):
            reason = f'a row must be an object such as {{"step": 1, "train/loss": 0.5}}, not {_kind(row)}'
            rejected.append(Rejected(index, None, "row_not_an_object", reason))
            continue
        step = _read_step(row.get("step"))
        if isinstance(step, _Refusal):
            rejected.append(Rejected(index, None, step.code, step.reason))
            continue
        for name, value in row.items():
            if name != "step":
                steps, values, places = columns.setdefault(name, ([], [], []))
                steps.append(step)
                values.append(value)
                places.append(index)
    points: list[Points] = []
    not_measured = 0
    for name, (steps, values, places) in columns.items():
        column, refused, unmeasured = _read_row_column(name, steps, values, places)
        rejected += refused
        not_measured += unmeasured
        if column.steps.size:
            points.append(column)
    return points, sorted(rejected, key=lambda r: r.index), not_measured


def name_problem(name: str) -> str | None:
    """Why a curve cannot have this name, None when it can."""
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        return f"a curve name has 1 to {MAX_NAME_LENGTH} characters, not {len(name)}"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "a curve name has no control characters and no lone surrogates"
    return None


def escaped(name: str) -> str:
    """A refused name in printable ASCII and at most 250 characters, so that it can be named in a reply."""
    return ascii(name[:MAX_NAME_LENGTH])[1:-1][:MAX_NAME_LENGTH]


def _read_row_column(
    name: str, steps: list[object], values: list[object], places: Sequence[int]
) -> tuple[Points, list[Rejected], int]:
    if not name_problem(name):
        y = _clean_floats(values)
        if y is not None:
            return Points(name, np.array(steps, dtype=np.float64), y), [], 0
        return _read_one_by_one(name, steps, values, places)
    points, refused, _ = read_column(name, steps, values)
    return points, [Rejected(places[r.index], r.curve, r.code, r.reason) for r in refused], 0


def _refuse_all(name: str, count: int, why: _Refusal) -> tuple[Points, list[Rejected], int]:
    nothing = Points(name, np.empty(0), np.empty(0))
    return nothing, [Rejected(index, name, why.code, why.reason) for index in range(count)], 0


def _read_one_by_one(
    name: str, steps: Column, values: Column, indices: Sequence[int]
) -> tuple[Points, list[Rejected], int]:
    taken: list[tuple[float, float]] = []
    rejected: list[Rejected] = []
    not_measured = 0
    for index, raw_step, raw_value in zip(indices, steps, values, strict=True):
        step, value = _read_step(raw_step), _read_value(raw_value)
        if isinstance(step, _Refusal):
            rejected.append(Rejected(index, name, step.code, step.reason))
        elif isinstance(value, _Refusal):
            rejected.append(Rejected(index, name, value.code, value.reason))
        elif value is None:
            not_measured += 1
        else:
            taken.append((step, value))
    table = np.array(taken, dtype=np.float64).reshape(-1, 2)
    return Points(name, table[:, 0].copy(), table[:, 1].copy()), rejected, not_measured


def _clean_steps(raw: Column) -> FloatArray | None:
    """All steps at once, None when one of them needs a closer look."""
    x = _clean_floats(raw)
    # Not `<=` and never NaN: an integer just above the limit rounds down onto it.
    if x is None or not bool(np.all((x >= 0) & (x < MAX_STEP))):
        return None
    x += 0.0  # -0.0 is step 0
    return x


def _clean_floats(raw: Column) -> FloatArray | None:
    """All numbers at once as float64, None when one of them needs a closer look."""
    if isinstance(raw, np.ndarray):
        whole, plain = raw.dtype.kind in "iu", raw.dtype.kind in "iuf" and raw.itemsize <= 8
        if not plain or raw.ndim != 1:
            return None
    else:
        kinds = set(map(type, raw))  # bool and float64's subclasses are not in the set: they are looked at one by one
        if not kinds <= {int, float}:
            return None
        whole = int in kinds
    try:
        numbers: FloatArray = np.array(raw, dtype=np.float64)
    except OverflowError:
        return None
    # Where integers are about, those that float64 may have rounded are looked at one by one.
    return None if whole and bool(np.any(np.abs(numbers) >= MAX_STEP)) else numbers


def _read_step(raw: object) -> float | _Refusal:
    raw = raw.item() if isinstance(raw, np.generic) else raw
    if raw is None:
        return _Refusal("step_missing", "the point has no step")
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return _Refusal("step_not_a_number", f"a step is a number, not {_kind(raw)}")
    if not isinstance(raw, int) and not math.isfinite(raw):
        return _Refusal("step_not_finite", f"a step is a finite number, not {raw}")
    if raw < 0:
        return _Refusal("step_negative", "a step is 0 or more")
    if raw > MAX_STEP:
        return _Refusal("step_too_large", "a step is at most 2**53, beyond which numbers cannot be told apart")
    return float(raw) + 0.0  # -0.0 is step 0


def _read_value(raw: object) -> float | _Refusal | None:
    raw = raw.item() if isinstance(raw, np.generic) else raw
    if raw is None:
        return None
    if isinstance(raw, str) and raw.lower() in NON_FINITE_WORDS:
        return NON_FINITE_WORDS[raw.lower()]
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return _Refusal(
            "value_not_a_number", f'a value is a number, "NaN", "Infinity" or "-Infinity", not {_kind(raw)}'
        )
    try:
        number = float(raw)
    except OverflowError:
        return _Refusal("value_out_of_range", "the integer is too large for a 64-bit float")
    if isinstance(raw, int) and int(number) != raw:
        return _Refusal("value_out_of_range", "a 64-bit float cannot hold this integer exactly")
    return number


def _kind(raw: object) -> str:
    """What was sent in the place of a number, in JSON's words."""
    if isinstance(raw, str):
        shown = raw if len(raw) <= 40 else raw[:40] + "..."
        return f"the string {shown!a}"
    for kinds, words in _KINDS:
        if isinstance(raw, kinds):
            return words
    return f"a {type(raw).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (bool, "a boolean"),
    ((int, float), "a number"),
    (Mapping, "an object"),
    ((list, tuple, np.ndarray), "an array"),
)
