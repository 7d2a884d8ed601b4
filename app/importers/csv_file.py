"""CSV as training frameworks write it: Keras, Lightning, timm, Ultralytics, spreadsheets.

Separated by comma, semicolon or tab. Lightning writes train and val of one step as two rows with blanks: they merge.
Text columns are left out. A header that stands again, as timm writes it, begins rows of its own columns.
"""

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from app.curves.roles import role_of
from app.errors import UnreadableFile
from app.importers import dvclive_metric, fastai, keras, lightning, timm, ultralytics
from app.importers.columns import ColumnReader
from app.importers.imported import ImportedRun, choose_x, run_from_columns
from app.importers.table_format import TableFormat

_CHUNK_LINES = 65_536  # bounds what is held as Python strings, about 50 bytes a cell
_FORMATS = (
    ultralytics.FORMAT,
    timm.FORMAT,
    lightning.FORMAT,
    keras.FORMAT,
    fastai.FORMAT,
    dvclive_metric.FORMAT,
)  # the most particular first
_PLAIN = TableFormat("plain columns")


class _Table:
    """What has been read so far: readers by column name, and the line of each row."""

    def __init__(self, path: str, delimiter: str) -> None:
        self.path = path
        self._decimal_comma = delimiter == ";"
        self.readers: dict[str, ColumnReader] = {}
        self.line_of_row: array[int] = array("q")
        self.notes: list[str] = []

    def lay_out(self, names: Sequence[str]) -> list[ColumnReader]:
        """The reader of each field of rows with these columns; a nameless field's is thrown away."""
        for name in sorted(name for name, count in Counter(names).items() if name and count > 1):
            self.notes.append(f"column {name!r} is there more than once: the last one was read")
        last = {name: place for place, name in enumerate(names) if name}
        spare = ColumnReader(decimal_comma=self._decimal_comma)
        for name in last:
            self.readers.setdefault(name, ColumnReader(decimal_comma=self._decimal_comma))
        return [self.readers[name] if last.get(name) == place else spare for place, name in enumerate(names)]

    def add(self, layout: Sequence[ColumnReader], columns: Iterable[Sequence[str]], lines: Iterable[int]) -> None:
        """Take rows of one layout, given as columns of cells."""
        first = len(self.line_of_row)
        self.line_of_row.extend(lines)
        for reader, cells in zip(layout, columns, strict=True):
            reader.add(first, cells)

    def drop_last(self) -> None:
        """Forget the last row: the file was cut within it."""
        self.notes.append(f"line {self.line_of_row.pop()} is torn: left out")

    def run(self) -> ImportedRun:
        """Raises UnreadableFile: a word among the numbers of a column that rules read is a damaged file."""
        columns = {name: reader.column(len(self.line_of_row)) for name, reader in self.readers.items()}
        x_name = choose_x(columns)
        for name, reader in self.readers.items():
            row = reader.first_text_row
            known = name == x_name or role_of(name).name is not None
            if known and columns[name].rows.size and row is not None and row < len(self.line_of_row):
                reason = f"{name} is {reader.first_text[:40]!r}, not a number"
                raise UnreadableFile(self.path, reason, self.line_of_row[row])
        return run_from_columns(self.path, columns, self.line_of_row, self.notes)


class _Tracked:
    """Passes lines on, counts them, and knows whether the last one was ended: if not, it may be torn."""

    def __init__(self, lines: Iterable[str], count: int = 0) -> None:
        self._lines = lines
        self.count = count
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.count += 1
            self.ended = line.endswith(("\n", "\r"))
            yield line


def read(path: str, lines: Iterable[str]) -> ImportedRun:
    """Read the lines of a CSV file; `path` is for messages. Raises UnreadableFile with the line and the reason."""
    source = iter(lines)
    blank, header = 0, ""
    for header in source:
        if header.strip():
            break
        blank += 1
    delimiter = max(",;\t", key=header.count)  # the first of equals: a file of one column is comma separated
    names = _names(path, header, delimiter, blank + 1)
    table = _Table(path, delimiter)
    if all(_is_number(name) for name in names if name):
        guessed = timm.names_of(names)
        if guessed is None:
            raise UnreadableFile(path, "numbers where the column names should be", blank + 1)
        table.notes.append(f"there is no header: columns were taken for timm's {', '.join(guessed)}")
        names, source, blank = list(guessed), chain([header], source), blank - 1
    known = next((one for one in _FORMATS if one.recognises(names)), _PLAIN)
    _read_rows(table, source, names, delimiter, known, blank + 1)
    run = known.adapt(table.run())
    if not run.curves:  # what a format writes where nothing was measured was all that there was
        raise UnreadableFile(path, "; ".join(["nothing was measured", *run.notes]))
    return replace(run, source=known.source)


def _read_rows(
    table: _Table, source: Iterator[str], names: Sequence[str], delimiter: str, known: TableFormat, count: int
) -> None:
    """All rows after the `count` lines that were read: by the thousand, and one by one from where that cannot be."""
    layout = table.lay_out(names)
    while chunk := list(islice(source, _CHUNK_LINES)):
        cells = _plain_cells(chunk, delimiter, names)
        if cells is None:
            break
        columns = (cells[place :: len(names)] for place in range(len(names)))
        table.add(layout, columns, range(count + 1, count + 1 + len(chunk)))
        count += len(chunk)
    tracked = _Tracked(chain(chunk, source), count)
    if chunk:
        _read_one_by_one(table, tracked, names, delimiter, known)
    last = len(table.line_of_row) - 1
    unended = bool(chunk) and not tracked.ended and last >= 0 and table.line_of_row[last] == tracked.count
    # Frameworks end every line, so a number may be cut here; a file made by hand may just end without a line break.
    if unended and (known is not _PLAIN or any(reader.first_text_row == last for reader in table.readers.values())):
        table.drop_last()


def _plain_cells(chunk: Sequence[str], delimiter: str, names: Sequence[str]) -> list[str] | None:
    """The cells of lines that need no closer look, row after row; None when a line of them does."""
    text = "".join(chunk)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    header_again = bool(names[0]) and text.count(names[0])
    # An unended line is left to the reader that knows what a torn one is.
    if '"' in text or header_again or not text.endswith("\n") or text.count("\n") != len(chunk):
        return None
    if any(line.count(delimiter) != len(names) - 1 or line.isspace() for line in chunk):
        return None
    return text[:-1].replace("\n", delimiter).split(delimiter)


def _read_one_by_one(
    table: _Table, tracked: _Tracked, names: Sequence[str], delimiter: str, known: TableFormat
) -> None:
    """Rows of changing columns, quoted cells; a row of the wrong width is an error unless it is the file's torn end."""
    layouts = {len(names): table.lay_out(names)} | _short_layouts(table, names, known)
    rows: list[list[str]] = []
    lines: list[int] = []
    wrong: tuple[int, int] | None = None  # line and width of a row that may turn out to be the torn last one
    for row in _parsed(table.path, tracked, delimiter):
        if wrong:
            break
        if not row:
            continue
        if row[0].strip() == names[0] and names[0] and not any(map(_is_number, row)):
            _flush(table, layouts, rows, lines)
            names = [name.strip() for name in row]
            layouts = {len(names): table.lay_out(names)} | _short_layouts(table, names, known)
        elif len(row) not in layouts:
            wrong = (tracked.count, len(row))
        else:
            if rows and (len(row) != len(rows[0]) or len(rows) == _CHUNK_LINES):
                _flush(table, layouts, rows, lines)
            rows.append(row)
            lines.append(tracked.count)
    _flush(table, layouts, rows, lines)
    if wrong and (tracked.count > wrong[0] or tracked.ended or wrong[1] > len(names)):
        raise UnreadableFile(table.path, f"{wrong[1]} fields, but the header names {len(names)}", wrong[0])
    if wrong:
        table.notes.append(f"line {wrong[0]} is torn: left out")


def _flush(table: _Table, layouts: dict[int, list[ColumnReader]], rows: list[list[str]], lines: list[int]) -> None:
    if rows:
        table.add(layouts[len(rows[0])], zip(*rows, strict=True), lines)
    rows.clear()
    lines.clear()


def _short_layouts(table: _Table, names: Sequence[str], known: TableFormat) -> dict[int, list[ColumnReader]]:
    short = known.short_names(names)
    return {len(short): table.lay_out(short)} if short and len(short) != len(names) else {}


def _parsed(path: str, tracked: _Tracked, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(tracked, delimiter=delimiter)
    except csv.Error as error:
        raise UnreadableFile(path, str(error), tracked.count) from error


def _names(path: str, header: str, delimiter: str, line: int) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error as error:
        raise UnreadableFile(path, str(error), line) from error
    if not any(names):
        raise UnreadableFile(path, "no column names", line if header else None)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
