"""CSV as training frameworks write it: Keras, Lightning, timm, Ultralytics, spreadsheets.

Separated by comma, semicolon or tab. Lightning writes train and val of one step as two rows with blanks: they merge.
Text columns are left out. A cell that is empty or NA was not measured; NaN and Infinity are measurements.
"""

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray
from app.curves.roles import role_of
from app.errors import UnreadableFile
from app.importers.imported import Column, ImportedRun, choose_x, run_from_columns

_CHUNK_ROWS = 65_536  # bounds what is held as Python strings, about 50 bytes a cell
_NOT_MEASURED = frozenset({"", "na", "n/a", "null", "none", "-"})


class _Tracked:
    """Passes lines on, counts them, and knows whether the last one was ended: if not, it may be torn."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.count = 0
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.count += 1
            self.ended = line.endswith(("\n", "\r"))
            yield line


class _ColumnReader:
    """Collects one column's cells, chunk by chunk."""

    def __init__(self, decimal_comma: bool) -> None:
        self._decimal_comma = decimal_comma
        self._rows: list[NDArray[np.int64]] = []
        self._values: list[FloatArray] = []
        self.first_text_row: int | None = None  # where the first cell stands that is no number
        self.first_text = ""

    def add(self, first_row: int, cells: Sequence[str]) -> None:
        try:
            values = np.array([float(cell) for cell in cells])
            rows = np.arange(first_row, first_row + len(cells))
        except ValueError:
            rows, values = self._add_with_gaps(first_row, cells)
        self._rows.append(rows)
        self._values.append(values)

    def _add_with_gaps(self, first_row: int, cells: Sequence[str]) -> tuple[NDArray[np.int64], FloatArray]:
        rows, values = array("q"), array("d")
        for row, cell in enumerate(cells, first_row):
            if not cell:
                continue
            try:
                value = float(cell.replace(",", ".") if self._decimal_comma else cell)
            except ValueError:
                if self.first_text_row is None and cell.strip().lower() not in _NOT_MEASURED:
                    self.first_text_row, self.first_text = row, cell
                continue
            rows.append(row)
            values.append(value)
        return np.array(rows, dtype=np.int64), np.array(values)

    def column(self, below_row: int) -> Column:
        """What was measured in the rows below `below_row`."""
        rows = np.concatenate([*self._rows, np.empty(0, dtype=np.int64)])
        keep = slice(0, int(np.searchsorted(rows, below_row)))
        return Column(rows[keep], np.concatenate([*self._values, np.empty(0)])[keep])


def read(path: str, lines: Iterable[str]) -> ImportedRun:
    """Read the lines of a CSV file; `path` is for messages. Raises UnreadableFile with the line and the reason."""
    tracked = _Tracked(lines)
    source = iter(tracked)
    header = next((line for line in source if line.strip()), "")
    delimiter = max(",;\t", key=header.count)  # the first of equals: a file of one column is comma separated
    names = _names(path, header, delimiter, tracked.count)
    notes = [f"column {name!r} is there more than once: the last one was read" for name in _repeated(names)]
    readers = [_ColumnReader(decimal_comma=delimiter == ";") for _ in names]
    line_of_row: array[int] = array("q")
    rows = _rows(path, csv.reader(source, delimiter=delimiter), len(names), tracked, line_of_row, notes)
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for reader, cells in zip(readers, zip(*chunk, strict=True), strict=True):
            reader.add(len(line_of_row) - len(chunk), cells)
    if not tracked.ended and any(reader.first_text_row == len(line_of_row) - 1 for reader in readers):
        notes.append(f"line {line_of_row.pop()} is torn: left out")
    by_name = {name: reader for name, reader in zip(names, readers, strict=True) if name}
    columns = {name: reader.column(len(line_of_row)) for name, reader in by_name.items()}
    _check_text(path, by_name, columns, line_of_row)
    return run_from_columns(path, columns, line_of_row, notes)


def _rows(
    path: str,
    reader: Iterator[list[str]],
    width: int,
    tracked: _Tracked,
    line_of_row: "array[int]",
    notes: list[str],
) -> Iterator[list[str]]:
    """The rows of the right width; a narrower one is an error unless it is the file's torn end."""
    wrong: tuple[int, int] | None = None  # line and width of a row that may turn out to be the torn last one
    try:
        for row in reader:
            if wrong:
                break
            if not row:
                continue
            if len(row) != width:
                wrong = (tracked.count, len(row))
                continue
            line_of_row.append(tracked.count)
            yield row
    except csv.Error as error:
        raise UnreadableFile(path, str(error), tracked.count) from error
    if wrong and (tracked.count > wrong[0] or tracked.ended or wrong[1] > width):
        raise UnreadableFile(path, f"{wrong[1]} fields, but the header names {width}", wrong[0])
    if wrong:
        notes.append(f"line {wrong[0]} is torn: left out")


def _names(path: str, header: str, delimiter: str, line: int) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error as error:
        raise UnreadableFile(path, str(error), line) from error
    if not any(names):
        raise UnreadableFile(path, "no column names", line or None)
    if all(_is_number(name) for name in names if name):
        raise UnreadableFile(path, "numbers where the column names should be", line)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _repeated(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if name and count > 1)


def _check_text(
    path: str, readers: Mapping[str, _ColumnReader], columns: Mapping[str, Column], line_of_row: Sequence[int]
) -> None:
    """A column of text is nobody's business; a word among the numbers of a column that rules read is a damaged file."""
    x_name = choose_x(columns)
    for name, reader in readers.items():
        row = reader.first_text_row
        known = name == x_name or role_of(name).name is not None
        if known and columns[name].rows.size and row is not None and row < len(line_of_row):
            raise UnreadableFile(path, f"{name} is {reader.first_text[:40]!r}, not a number", line_of_row[row])
