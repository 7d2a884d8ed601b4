"""Any file of metrics -> ImportedRun: which importer reads it is decided by its content, never by its name."""

import codecs
import io
from pathlib import Path

from app.errors import UnreadableFile
from app.importers import csv_file, jsonl
from app.importers.imported import ImportedRun

_PEEK_BYTES = 8192


def read(path: Path) -> ImportedRun:
    """Read a CSV or JSONL file, or a pipe that carries one.

    Raises UnreadableFile when it is missing, a directory, binary, empty, or when a line of it cannot be meant.
    """
    name = str(path)
    try:
        with path.open("rb") as binary:
            # Peeking leaves a pipe whole: `curvewise diagnose <(ssh host cat metrics.csv)` cannot be opened twice.
            start = binary.peek(_PEEK_BYTES)[:_PEEK_BYTES]
            encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
            if encoding != "utf-16" and b"\0" in start:
                raise UnreadableFile(name, "a binary file, neither CSV nor JSONL")
            text = start.decode(encoding, errors="ignore").lstrip()
            if not text:
                raise UnreadableFile(name, "empty")
            read_lines = jsonl.read if text.startswith("{") else csv_file.read
            # A stray byte in some name or comment must not cost the numbers beside it.
            with io.TextIOWrapper(binary, encoding=encoding, errors="replace", newline="") as lines:
                return read_lines(name, lines)
    except OSError as error:
        raise UnreadableFile(name, error.strerror or str(error)) from error
    except UnicodeError as error:
        raise UnreadableFile(name, f"not readable as text: {error}") from error
