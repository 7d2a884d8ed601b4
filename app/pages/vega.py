"""The script that draws charts, served packed: see app/reports/script.py for what it is and where it comes from."""

import threading
from functools import cache

from app.reports import script

VEGA = "vega.js"


def vega_version() -> str:
    """Changes with the script."""
    return f"{VEGA} {script.VERSION}"


def vega_packed() -> bytes:
    """The script, gzipped. The first call ever takes seconds."""
    return script.packed()


@cache
def begin_packing() -> None:
    """Have the script ready by the time that somebody opens a chart. Returns at once; again, it does nothing."""
    threading.Thread(target=vega_packed, name="vega-packing", daemon=True).start()
