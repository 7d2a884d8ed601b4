"""The script that draws charts in a browser: Vega, Vega-Lite and their embedding. It comes with vl-convert.

Making it takes seconds and a hundred megabytes, in which a whole JavaScript engine runs: another process does that,
once for each version of it, and leaves the script in the user's cache directory.
"""

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

_GLOBALS = "window.vegaEmbed = vegaEmbed;"
# Changes with the script, which is made of the package and of what is taken from it.
VERSION = f"{version('vl-convert-python')}-{hashlib.sha256(_GLOBALS.encode()).hexdigest()[:8]}"
_MAKE = "import gzip, sys; from app.reports.script import make; sys.stdout.buffer.write(gzip.compress(make().encode()))"
_MAKE_S = 120
_LOCK = threading.Lock()


def script() -> str:
    """One classic script that sets `vegaEmbed` on the window, 0.9 MB. The first call ever takes seconds.

    It can stand in a `<script>` element as it is: it holds no closing tag and leaves no other name behind.
    """
    return gzip.decompress(packed()).decode()


def packed() -> bytes:
    """The same, gzipped, as browsers take it."""
    with _LOCK:
        return _read_or_make()


def make() -> str:
    """The script, made in this process."""
    bundle = str(import_module("vl_convert").javascript_bundle(_GLOBALS))
    return "(()=>{" + bundle.replace("</script", "<\\/script") + "\n})();\n"


@cache
def _read_or_make() -> bytes:
    kept = _cache_directory() / f"vega-{VERSION}.js.gz"
    with suppress(OSError, EOFError, gzip.BadGzipFile):
        found = kept.read_bytes()
        gzip.decompress(found)  # torn by a full disk, it is made again
        return found
    command = [sys.executable, "-c", _MAKE]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_MAKE_S).stdout  # noqa: S603 - our own
    with suppress(OSError):  # a home that cannot be written to costs the next start the same seconds
        _keep(kept, made)
    return made


def _keep(path: Path, found: bytes) -> None:
    """Whole or not at all: several processes of one user may begin at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as begun:
        begun.write(found)
    Path(begun.name).replace(path)


def _cache_directory() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "curvewise"
