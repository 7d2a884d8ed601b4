"""Where commands print: results to stdout, everything about them to stderr."""

import io
import sys
from pathlib import Path

from app.errors import InvalidInput
from app.reports.words import plain


def say(text: str) -> None:
    """One line on stderr: a note, a progress line, an address that is not the result."""
    print(plain(text), file=sys.stderr, flush=True)


def refuse_existing(file: Path, *, replace: bool) -> None:
    """Raise InvalidInput when a file would be lost that nobody offered, or its folder does not exist."""
    if not file.absolute().parent.is_dir():
        raise InvalidInput(f"there is no folder {file.parent}")
    if file.exists() and not replace:
        raise InvalidInput(f"{file} exists; name another file, or give --replace")


def make_output_unbreakable() -> None:
    """A terminal that cannot show a character gets a question mark instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
