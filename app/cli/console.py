"""Where commands print: results to stdout, everything about them to stderr."""

import io
import sys

from app.reports.words import plain


def say(text: str) -> None:
    """One line on stderr: a note, a progress line, an address that is not the result."""
    print(plain(text), file=sys.stderr, flush=True)


def make_output_unbreakable() -> None:
    """A terminal that cannot show a character gets a question mark instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
