"""What every importer answers: a run's curves by the names its file used, and what is known about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import Curve, FloatArray, make_curve
from app.errors import UnreadableFile
from app.rules.context import Context, RunState

# In the order of trust: a name that counts updates beats one that merely counts rows of a log.
_STEP_NAMES = (
    "step",
    "global_step",
    "train_step",
    "num_updates",
    "updates",
    "update",
    "iteration",
    "iterations",
    "iter",
)
_EPOCH_NAMES = ("epoch", "epochs")
_GREATEST_STEP = 2.0**53  # beyond it float64 no longer tells neighbouring steps apart


@dataclass(frozen=True, kw_only=True)
class ImportedRun:
    """A run read from disk.

    curves: by raw name; where the format tells the split apart from the name, the split stands before it.
    context: the facts and caveats that the format brings with it. state: how the run ended, None when it is not told.
    notes: what was decided or left out while reading, one sentence each, for the user.
    source: who wrote it, in words. name: what the source calls the run. config, tags: what the job told beside curves.
    """

    curves: Mapping[str, Curve]
    context: Context = field(default_factory=lambda: Context(state="finished"))
    state: RunState | None = None
    notes: tuple[str, ...] = ()
    source: str = ""
    name: str | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def with_caveats(self, *caveats: str) -> "ImportedRun":
        """The run with known lies of its source added."""
        return replace(self, context=replace(self.context, caveats=(*self.context.caveats, *caveats)))

    def noting(self, *notes: str) -> "ImportedRun":
        """The run with more to tell the user about how it was read."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True, eq=False)
class Column:
    """The measured cells of one column: rows [cells], rising from 0; values [cells], where NaN is a measurement."""

    rows: NDArray[np.int64]
    values: FloatArray


def run_from_columns(
    path: str, columns: Mapping[str, Column], lines: Sequence[int], notes: Sequence[str] = ()
) -> ImportedRun:
    """Choose the column that holds the steps and make a curve of every other one.

    lines: row -> its 1-based line in the file. Repeated steps are a resumed log: the last row of a step wins.
    Raises UnreadableFile when there is no number, or a step is negative or not finite.
    """
    said = list(notes)
    x_name = choose_x(columns)
    if x_name is None:
        said.append("there is no step or epoch column: the row number counts as the step")
        x_of_row = np.arange(1, len(lines) + 1, dtype=np.float64)
    else:
        x_of_row = _steps(path, x_name, columns[x_name], lines)
        if _plain(x_name) not in _STEP_NAMES:
            said.append(f"there is no step column: {x_name!r} counts as the step")
        elif placed := _place_by_epoch(x_of_row, columns):
            said.append(f"{_rows(placed)} with an epoch but no step were given the last step logged before them")
    curves, without_step, repeated = {}, 0, 0
    for name, column in columns.items():
        if name == x_name or not column.rows.size:
            continue
        steps = x_of_row[column.rows]
        has_step = ~np.isnan(steps)
        curves[name] = make_curve(name, steps[has_step], column.values[has_step])
        without_step = max(without_step, int(np.count_nonzero(~has_step)))
        if _plain(name) not in _EPOCH_NAMES:  # which stands in the train and the val row of a step alike
            repeated = max(repeated, int(np.count_nonzero(has_step)) - len(curves[name]))
    curves = {name: curve for name, curve in curves.items() if len(curve)}
    if not curves:
        raise UnreadableFile(path, "no column holds a number beside its step")
    if without_step:
        said.append(f"{_rows(without_step)} without a step left out")
    if repeated:
        said.append(f"{_rows(repeated)} with the step of a later row left out: the last row of a step wins")
    return ImportedRun(curves=curves, notes=tuple(said))


def _place_by_epoch(x_of_row: FloatArray, columns: Mapping[str, Column]) -> int:
    """Give rows that name an epoch alone, as evaluations often do, the step of the row before; how many there were."""
    epochs = [column.rows for name, column in columns.items() if _plain(name) in _EPOCH_NAMES]
    if not epochs:
        return 0
    known = np.flatnonzero(~np.isnan(x_of_row))
    rows = np.concatenate(epochs)
    rows = rows[np.isnan(x_of_row[rows]) & (rows > known[0])]
    x_of_row[rows] = x_of_row[known[np.searchsorted(known, rows) - 1]]
    return int(rows.size)


def choose_x(names: Mapping[str, Column]) -> str | None:
    """The column that says how far training was: updates if any, else epochs, else None."""
    for wanted in (*_STEP_NAMES, *_EPOCH_NAMES):
        for name, column in names.items():
            if _plain(name) == wanted and column.rows.size:
                return name
    return None


def _plain(name: str) -> str:
    return name.rsplit("/", 1)[-1].strip().strip("_").lower().replace(" ", "_")


def _steps(path: str, name: str, column: Column, lines: Sequence[int]) -> FloatArray:
    """float64 [rows]; NaN where a row has no step."""
    fine = (column.values >= 0) & (column.values <= _GREATEST_STEP)  # false for NaN as well
    if not fine.all():
        first = int(np.argmin(fine))
        reason = f"{name} is {column.values[first]:g}, but a step is a finite number from 0 to 2**53"
        raise UnreadableFile(path, reason, lines[int(column.rows[first])])
    x_of_row = np.full(len(lines), np.nan)
    x_of_row[column.rows] = column.values
    return x_of_row


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
