"""The script that draws charts, packed for the browser. It comes with vl-convert and is made on this machine.

Making it takes seconds and a hundred megabytes, in which a whole JavaScript engine runs: another process does that,
once for each version of vl-convert, and leaves the script in the user's cache directory.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

VEGA = "vega.js"
_MAKE_S = 120
_MAKE = (
    "import gzip, sys; from app.reports.script import script; sys.stdout.buffer.write(gzip.compress(script().encode()))"
)
_LOCK = threading.Lock()


def vega_version() -> str:
    """Changes with the script: it is a pure function of the package that it comes with."""
    return f"{VEGA} {version('vl-convert-python')}"


def vega_packed() -> bytes:
    """The script, gzipped. The first call ever takes seconds."""
    with _LOCK:
        return _read_or_make()


@cache
def begin_packing() -> None:
    """Have the script ready by the time that somebody opens a chart. Returns at once; again, it does nothing."""
    threading.Thread(target=vega_packed, name="vega-packing", daemon=True).start()


@cache
def _read_or_make() -> bytes:
    kept = _cache_directory() / f"vega-{version('vl-convert-python')}.js.gz"
    with suppress(OSError, EOFError, gzip.BadGzipFile):
        packed = kept.read_bytes()
        gzip.decompress(packed)  # torn by a full disk, it is made again
        return packed
    packed = _make()
    with suppress(OSError):  # a home that cannot be written to costs the next start the same seconds
        _keep(kept, packed)
    return packed


def _make() -> bytes:
    command = [sys.executable, "-c", _MAKE]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_MAKE_S).stdout  # noqa: S603 - our own


def _keep(path: Path, packed: bytes) -> None:
    """Whole or not at all: several servers of one user may start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as begun:
        begun.write(packed)
    Path(begun.name).replace(path)


def _cache_directory() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "curvewise"
