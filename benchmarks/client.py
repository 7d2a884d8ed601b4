"""What one call of the client's log() costs the training job, beside one write of the same bytes.

    client.py [--seconds S] [--small] [--json]

Ten metrics a call, the spool on the disk of TMPDIR. `paced`: a call, then a millisecond of Python at work, after which
the processor's caches hold something else; `unbroken`: one call after the other, more than any job makes. With a real
server that takes the points meanwhile, and with none. The floor is os.write() of as many bytes to the end of a file, in
the same process and pace. Import: a new interpreter that imports the client less one that imports nothing, the median
of several.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from rich import box
from rich.console import Console
from rich.table import Table

import curvewise_client
from serving import curvewise, machine, serving

NAMES = [f"train/metric_{number}" for number in range(10)]
RECORD_BYTES = 8 + 13 + 8 * len(NAMES)  # head, number and step, values
_NOBODY = "http://127.0.0.1:9"  # the discard port: connections are refused at once
_PACE_S = 0.001
_IMPORTS = 15

Row = dict[str, float | str]
Call = Callable[[int], object]


def measure(seconds: float, imports: int) -> list[Row]:
    """A row for each pace and each state of the server, with the floor of the same pace above them."""
    rows: list[Row] = []
    with TemporaryDirectory(prefix="curvewise-bench-") as home:
        for pace, pause in (("paced", _train), ("unbroken", _nothing)):
            rows.append({"pace": pace, "what": "os.write", **_timed(_floor(Path(home)), pause, seconds)})
            with serving(curvewise(), "/readyz") as server:
                rows.append({"pace": pace, "what": "log, server up", **_logged(server.url, home, pause, seconds)})
            rows.append({"pace": pace, "what": "log, server down", **_logged(_NOBODY, home, pause, seconds)})
    bare, whole = (_starts(code, imports) for code in ("pass", "import curvewise_client"))
    rows.append({"what": "import", "import_ms": whole - bare})
    return rows


def _logged(url: str, home: str, pause: Callable[[], None], seconds: float) -> Row:
    run = curvewise_client.start("bench", f"run-{time.time_ns()}", url=url, spool=home, exit_timeout_s=60, rank=0)
    metrics = dict(zip(NAMES, (random.random() for _ in NAMES), strict=True))
    row = _timed(lambda step: run.log(step, metrics), pause, seconds)
    began = time.monotonic()
    run.finish(timeout_s=60 if url != _NOBODY else 1)
    return {**row, "finish_s": time.monotonic() - began}


def _floor(home: Path) -> Call:
    file = os.open(home / "floor", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    record = os.urandom(RECORD_BYTES)
    return lambda _step: os.write(file, record)


def _timed(call: Call, pause: Callable[[], None], seconds: float) -> Row:
    taken: list[int] = []
    until = time.monotonic() + seconds
    step = 0
    while time.monotonic() < until:
        began = time.perf_counter_ns()
        call(step)
        taken.append(time.perf_counter_ns() - began)
        pause()
        step += 1
    cuts = statistics.quantiles(taken, n=1000)
    return {
        "calls": len(taken),
        "p50_us": cuts[499] / 1e3,
        "p99_us": cuts[989] / 1e3,
        "p999_us": cuts[998] / 1e3,
        "max_us": max(taken) / 1e3,
    }


def _train() -> None:
    """Python at work for as long as the pace says: what runs beside it runs in its stead."""
    until = time.perf_counter() + _PACE_S
    while time.perf_counter() < until:
        pass


def _nothing() -> None:
    pass


def _starts(code: str, times: int) -> float:
    """How long an interpreter takes to start and to run this, the median [ms]."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3


def show(console: Console, rows: list[Row]) -> None:
    """Print the tables."""
    table = Table(title=f"one call of log() on {machine()}", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("pace", "what", "calls", "p50 us", "p99 us", "p99.9 us", "max us"):
        table.add_column(heading, justify="left" if heading in {"pace", "what"} else "right")
    for row in rows[:-1]:
        figures = (f"{row[name]:,.1f}" for name in ("p50_us", "p99_us", "p999_us", "max_us"))
        table.add_row(str(row["pace"]), str(row["what"]), f"{row['calls']:,}", *figures)
    console.print(table)
    console.print(f"import curvewise_client: {rows[-1]['import_ms']:.1f} ms")


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of calls for each row")
    parser.add_argument("--small", action="store_true", help="little of each, for tests")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    rows = measure(0.5 if arguments.small else arguments.seconds, 3 if arguments.small else _IMPORTS)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    show(Console(width=110, highlight=False), rows)


if __name__ == "__main__":
    main()
