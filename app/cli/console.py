"""Where commands print: results to stdout, everything about them to stderr."""

import io
import sys
from pathlib import Path

from app.errors import InvalidInput
from app.reports.words import plain


def say(text: str) -> None:
    """One line on stderr: a note, a progress line, an address that is not the result."""
    print(plain(text), file=sys.stderr, flush=True)


def refuse_existing(file: Path, source: Path | None, *, replace: bool) -> None:
    """Raise InvalidInput when a file would be lost that nobody offered, or its folder does not exist.

    source: the file that is read, which is not to be replaced by what is read from it.
    """
    if not file.absolute().parent.is_dir():
        raise InvalidInput(f"there is no folder {file.parent}")
    if source is not None and file.exists() and source.exists() and file.samefile(source):
        raise InvalidInput(f"{file} is the database itself; name another file")
    if file.exists() and not replace:
        raise InvalidInput(f"{file} exists; name another file, or give --replace")
    # A server that has the old file open would go on writing to it where nobody finds it, and a log that was left
    # behind would be written into the new file, which it does not belong to.
    for log in (file.with_name(file.name + end) for end in ("-wal", "-journal")):
        if log.exists():
            raise InvalidInput(
                f"{file} is in use, or its server was killed: {log.name} is beside it; name another file"
            )


def make_output_unbreakable() -> None:
    """A terminal that cannot show a character gets a question mark instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
