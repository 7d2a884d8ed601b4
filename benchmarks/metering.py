"""What it costs to count: the server's own meters, as a share of the processor time that a small batch takes.

    metering.py [--seconds S] [--json]

The calls that a one-point batch causes are timed by themselves, since two runs of a whole server differ by far more
than they cost; the time of a batch is what a real server's processes use under eight clients. With two workers the
meters are files that all workers share.
"""

import argparse
import json
import os
import subprocess
import sys
import timeit
from tempfile import TemporaryDirectory

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from app.meters import SHARED, Meters
from load import Load, drive
from serving import curvewise, machine, serving

_CALLS = 20_000
_CLIENTS = 8  # one group commit answers about so many batches
_LIMIT = 0.01

Row = dict[str, float]


def measure(seconds: float) -> list[Row]:
    """A row for one process that counts for itself, and one for two that share what they count."""
    rows = []
    for workers in (1, 2):
        counting_us, batch_us = calls_cost_us(shared=workers > 1), _batch_us(workers, seconds)
        share = counting_us / batch_us
        rows.append({"workers": workers, "counting_us": counting_us, "batch_us": batch_us, "share": share})
    return rows


def calls_cost_us(*, shared: bool) -> float:
    """What a batch pays: its own observation, and its part of what is counted once a group [us]."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--calls"]
        # A process of its own: where it counts is decided when the library is imported.
        environ = {**os.environ, **({SHARED: folder} if shared else {})}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _calls_us() -> float:
    meters = Meters()
    batch = min(timeit.repeat(lambda: meters.ingested(0.003, 200), number=_CALLS))
    group = min(timeit.repeat(lambda: meters.settled(_CLIENTS, 0), number=_CALLS))
    return (batch + group / _CLIENTS) / _CALLS * 1e6


def _batch_us(workers: int, seconds: float) -> float:
    """Processor time of all the server's processes, a one-point batch [us]."""
    with serving(curvewise(workers=workers), "/readyz") as server:
        parent = psutil.Process(server.process.pid)
        processes = [parent, *parent.children(recursive=True)]
        drive(Load(server.url, "curvewise", 1, _CLIENTS, 0.5, "warm"))
        before = _used_s(processes)
        answered = drive(Load(server.url, "curvewise", 1, _CLIENTS, seconds))
        return (_used_s(processes) - before) / len(answered.latencies) * 1e6


def _used_s(processes: list[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def main() -> None:
    """Print a table, or JSON. Exit code 1 when counting takes more than a hundredth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--calls", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.calls:
        print(_calls_us())
        return
    rows = measure(arguments.seconds)
    if arguments.json:
        print(json.dumps(rows))
    else:
        table = Table(box=box.SIMPLE, title=machine())
        for heading in ("workers", "counting, us a batch", "batch, us of processor time", "share"):
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(
                f"{row['workers']:.0f}", f"{row['counting_us']:.1f}", f"{row['batch_us']:.0f}", f"{row['share']:.2%}"
            )
        Console().print(table)
    sys.exit(any(row["share"] > _LIMIT for row in rows))


if __name__ == "__main__":
    main()
