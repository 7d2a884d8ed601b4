"""One column of a table of text: its cells become numbers, chunk by chunk."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.curves.curve import FloatArray
from app.importers.imported import Column

_NOT_MEASURED = frozenset({"", "na", "n/a", "null", "none", "-"})


class ColumnReader:
    """Collects one column's cells. A cell that is empty or NA was not measured; NaN and Infinity are measurements."""

    def __init__(self, *, decimal_comma: bool) -> None:
        self._decimal_comma = decimal_comma
        self._rows: list[NDArray[np.int64]] = []
        self._values: list[FloatArray] = []
        self.first_text_row: int | None = None  # where the first cell stands that is no number
        self.first_text = ""

    def add(self, first_row: int, cells: Sequence[str]) -> None:
        """Take the cells of consecutive rows."""
        # All cells at once, or all that are filled, cost a tenth of what one at a time does.
        filled = range(len(cells)) if all(cells) else [place for place, cell in enumerate(cells) if cell]
        try:
            values = np.array([float(cells[place]) for place in filled])
        except ValueError:
            self._add_one_by_one(first_row, cells)
        else:
            self._append(np.array(filled, dtype=np.int64) + first_row, values)

    def _append(self, rows: NDArray[np.int64], values: FloatArray) -> None:
        self._rows.append(rows)
        self._values.append(values)

    def _add_one_by_one(self, first_row: int, cells: Sequence[str]) -> None:
        rows, values = array("q"), array("d")
        for row, cell in enumerate(cells, first_row):
            try:
                value = float(cell.replace(",", ".") if self._decimal_comma else cell)
            except ValueError:
                if self.first_text_row is None and cell.strip().lower() not in _NOT_MEASURED:
                    self.first_text_row, self.first_text = row, cell
                continue
            rows.append(row)
            values.append(value)
        self._append(np.array(rows, dtype=np.int64), np.array(values))

    def column(self, below_row: int) -> Column:
        """What was measured in the rows below `below_row`."""
        rows = np.concatenate([*self._rows, np.empty(0, dtype=np.int64)])
        keep = slice(0, int(np.searchsorted(rows, below_row)))
        return Column(rows[keep], np.concatenate([*self._values, np.empty(0)])[keep])
