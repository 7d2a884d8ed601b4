"""Any file of metrics -> its runs: which importer reads it is decided by its content, never by its name."""

import codecs
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from app.errors import UnreadableFile
from app.importers import csv_file, json_file, jsonl, mlflow_sqlite, tensorboard_runs, tfrecord, wandb
from app.importers.imported import ImportedRun

_PEEK_BYTES = 8192

Kind = Literal["tensorboard", "wandb", "sqlite", "text", "binary", "empty"]


def read(path: Path) -> ImportedRun:
    """Read a file, or a pipe that carries text, of one run.

    Raises UnreadableFile when it is missing, a directory, binary, empty, of several runs, or when a line of it cannot
    be meant.
    """
    runs = read_file(path)
    if len(runs) != 1:
        raise UnreadableFile(str(path), f"holds {len(runs)} runs, not one")
    return runs[0]


def read_file(path: Path) -> list[ImportedRun]:
    """Read every run of a file, or of a pipe that carries text. Raises UnreadableFile."""
    with readable(path):
        if path.is_fifo() or path.is_char_device():
            return [_read_text(path)]  # cannot be opened twice, and no binary format is piped
        match kind_of(path):
            case "tensorboard":
                return [tensorboard_runs.read_alone(path)]
            case "wandb":
                return [wandb.read(path)]
            case "sqlite":
                return _read_sqlite(path)
            case _:
                return [_read_text(path)]


def kind_of(path: Path) -> Kind:
    """What a file is, by how it begins. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(_PEEK_BYTES)
    if tfrecord.starts(start):
        return "tensorboard"
    if start.startswith(wandb.HEAD):
        return "wandb"
    if start.startswith(mlflow_sqlite.HEAD):
        return "sqlite"
    if b"\0" in start and _encoding(start) != "utf-16":
        return "binary"
    return "text" if start.strip() else "empty"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What the system or a codec says against a file becomes an UnreadableFile."""
    try:
        yield
    except OSError as error:
        raise UnreadableFile(str(error.filename or path), error.strerror or str(error)) from error
    except UnicodeError as error:
        raise UnreadableFile(str(path), f"not readable as text: {error}") from error


def _read_sqlite(path: Path) -> list[ImportedRun]:
    if not mlflow_sqlite.is_store(path):
        raise UnreadableFile(str(path), "a SQLite database, but not MLflow's (one of Curvewise: import or serve it)")
    runs = list(mlflow_sqlite.read(path))
    if not runs:
        raise UnreadableFile(str(path), "no run of this MLflow database has logged a metric")
    return runs


def _read_text(path: Path) -> ImportedRun:
    name = str(path)
    with path.open("rb") as binary:
        # Peeking leaves a pipe whole: `curvewise diagnose <(ssh host cat metrics.csv)` cannot be opened twice.
        start = binary.peek(_PEEK_BYTES)[:_PEEK_BYTES]
        encoding = _encoding(start)
        if encoding != "utf-16" and b"\0" in start:
            raise UnreadableFile(name, "a binary file of no format that is known")
        text = start.decode(encoding, errors="ignore").lstrip()
        if not text:
            raise UnreadableFile(name, "empty")
        # A stray byte in some name or comment must not cost the numbers beside it.
        with io.TextIOWrapper(binary, encoding=encoding, errors="replace", newline="") as lines:
            if _is_document(text):
                return json_file.read(name, lines.read())
            return jsonl.read(name, lines) if text.startswith("{") else csv_file.read(name, lines)


def _encoding(start: bytes) -> str:
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _is_document(text: str) -> bool:
    """Whether JSON is one value over many lines, or one line that is a whole log, rather than a row a line."""
    if text.startswith("["):
        return True
    if not text.startswith("{"):
        return False
    first, _, rest = text.partition("\n")
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        # Cut off by the peek, torn, or the first line of a document: only a document begins with a brace on its own,
        # or with a log's name before its list.
        return first.rstrip("\r ") == "{" or '"log_history"' in first
    if rest.strip() or not isinstance(row, dict):
        return False
    # One line alone may still be the first row of a log, with a list among its numbers.
    lists = isinstance(row.get("history"), dict) or any(isinstance(value, list) for value in row.values())
    return "log_history" in row or (lists and not any(isinstance(value, int | float) for value in row.values()))
